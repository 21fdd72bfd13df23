import json

import numpy as np
import pytest

from lgvsc_flow import Graph
from lgvsc_flow.blocks.channel import AwgnChannel, RayleighChannel, ReceivedSink, ReceivedSource, TdlChannel
from lgvsc_flow.blocks.channel.sigmf_meta import sigmf_paths
from lgvsc_flow.blocks.phy import QamModulator, RandomBits
from lgvsc_flow.errors import BlockError, MediaError, WiringError
from lgvsc_flow.items import Received
from lgvsc_flow.testing import assert_same_items, run_block


def symbols(n, seed=0):
    return (np.random.default_rng(seed).normal(size=(n, 2)) @ [1, 1j]).astype(np.complex64)


def scalar(n, seed=0):
    return Received(symbols(n, seed), np.array(0.3 - 0.1j, np.complex64), np.array(np.float32(0.1)))


def varied(n, seed=0):
    noise = np.random.default_rng(seed).uniform(size=n).astype(np.float32)
    return Received(symbols(n, seed), symbols(n, seed + 50), noise)


def mixed(n, seed=0):
    return Received(symbols(n, seed), symbols(n, seed + 50), np.array(np.float32(1 / 3)))


def erased(n, seed=0):
    burst = varied(n, seed)
    burst.noise_variance[::3] = np.inf
    return burst


BURSTS = [scalar(5), varied(7, 1), mixed(3, 2), scalar(0), varied(0, 3), mixed(100, 4), erased(8)]


def write(path, bursts=BURSTS, **settings):
    sink = ReceivedSink(path=path, **settings)
    run_block(sink, bursts)
    return sink


def edited(path, change):
    meta = sigmf_paths(path)[0]
    content = json.loads(meta.read_text())
    change(content)
    meta.write_text(json.dumps(content))


def test_bursts_come_back_bit_for_bit(tmp_path):
    sink = write(tmp_path / "a")
    assert sink.symbol_count == 123
    assert_same_items(BURSTS, run_block(ReceivedSource(path=tmp_path / "a")))
    write(tmp_path / "b")
    for ending in ("sigmf-data", "sigmf-meta"):
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()


def test_the_recording_says_where_the_state_comes_from(tmp_path):
    for state, words in [
        ("perfect", "true state"),
        ("estimated", "estimated from the samples"),
        ("assumed", "assumed"),
    ]:
        write(tmp_path / state, state=state)
        about = json.loads((tmp_path / f"{state}.sigmf-meta").read_text())["global"]
        assert words in about["core:description"]
        assert about["core:extensions"] == [{"name": "lgvsc_flow", "version": "1.0.0", "optional": True}]


def test_the_sigmf_package_accepts_it(tmp_path):
    sigmf = pytest.importorskip("sigmf")
    write(tmp_path / "a")
    recording = sigmf.fromfile(str(tmp_path / "a.sigmf-meta"))
    recording.validate()
    samples = recording.read_samples()
    first = recording.get_annotations()[0]
    assert first["core:label"] == "samples 0"
    assert np.array_equal(samples[:5], BURSTS[0].symbols)
    gains = next(a for a in recording.get_annotations() if a["core:label"] == "gain 1")
    assert np.array_equal(samples[gains["core:sample_start"] :][: gains["core:sample_count"]], BURSTS[1].gain)


@pytest.mark.parametrize("channel", [AwgnChannel, RayleighChannel])
def test_a_channel_is_recorded(tmp_path, channel):
    graph = Graph("recorded", seed=2)
    made = channel(esn0_db=3)
    graph.connect(RandomBits(n=200, count=4), QamModulator(order=4), made)
    probe = graph.probe(made.received, keep=None)
    graph.connect(made, ReceivedSink(path=tmp_path / "a"))
    graph.run()
    assert_same_items(probe.items, run_block(ReceivedSource(path=tmp_path / "a")))


def test_a_dispersive_channel_cannot_be_recorded(tmp_path):
    graph = Graph("echoes")
    graph.connect(RandomBits(n=200, count=1), QamModulator(order=4), TdlChannel(), ReceivedSink(path=tmp_path / "a"))
    with pytest.raises(WiringError, match="one gain per symbol cannot undo that"):
        graph.run()
    with pytest.raises(BlockError, match="got Dispersed; record behind the equalizer"):
        run_block(ReceivedSink(path=tmp_path / "a"), run_block(TdlChannel(), [symbols(20)]))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("part", ["symbols", "gain", "noise_variance"])
@pytest.mark.parametrize("make", [scalar, varied])
def test_what_is_not_finite_is_not_written(tmp_path, make, part):
    values = {n: np.array(getattr(make(4), n)) for n in ("symbols", "gain", "noise_variance")}
    values[part].reshape(-1)[-1] = np.nan
    with pytest.raises((BlockError, MediaError), match="NaN or infinite"):
        write(tmp_path / "a", [scalar(2), Received(**values)])
    assert not list(tmp_path.iterdir())


def test_a_burst_that_is_erased_whole_stays_so(tmp_path):
    write(tmp_path / "a", [Received(symbols(4), np.array(1, np.complex64), np.array(np.float32(np.inf)))])
    (burst,) = run_block(ReceivedSource(path=tmp_path / "a"))
    assert np.array_equal(burst.noise_variance, np.full(4, np.inf, np.float32))


def test_a_failed_run_leaves_the_older_recording(tmp_path):
    write(tmp_path / "a")
    bad = Received(np.full(3, np.nan, np.complex64), np.array(1, np.complex64), np.array(np.float32(1)))
    with pytest.raises((BlockError, MediaError)):
        write(tmp_path / "a", [bad])
    assert_same_items(BURSTS, run_block(ReceivedSource(path=tmp_path / "a")))
    assert len(list(tmp_path.iterdir())) == 2


def test_damage_is_found(tmp_path):
    write(tmp_path / "a")
    data = tmp_path / "a.sigmf-data"
    data.write_bytes(data.read_bytes()[:-1] + b"\1")
    with pytest.raises((BlockError, MediaError), match="SHA-512 is not that of the metadata"):
        run_block(ReceivedSource(path=tmp_path / "a"))
    assert len(run_block(ReceivedSource(path=tmp_path / "a", verify=False))) == len(BURSTS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m["annotations"].pop(0), "an annotation 'samples 1' of 7 samples where none is expected"),
        (
            lambda m: m["annotations"].pop(2),
            "an annotation 'noise variance 1'|does not say gain and noise variance once",
        ),
        (
            lambda m: m["annotations"][2].update({"core:sample_count": 6}),
            "'gain 1' of 6 samples where none is expected",
        ),
        (lambda m: m["annotations"][0].pop("lgvsc_flow:gain"), "'samples 0' does not say gain and noise variance once"),
        (lambda m: m["annotations"][0].update({"lgvsc_flow:gain": [1]}), "does not say gain and noise variance once"),
        (lambda m: m["annotations"][0].update({"lgvsc_flow:gain": "12"}), "does not say gain and noise variance once"),
        (lambda m: m["annotations"][0].update({"lgvsc_flow:noise_variance": True}), "does not say gain"),
        (lambda m: m["annotations"][1].update({"lgvsc_flow:noise_variance": 0.1}), "does not say gain"),
        (lambda m: m["annotations"][0].update({"core:label": "burst 0"}), "'burst 0' of 5 samples"),
        (lambda m: m["global"].update({"core:datatype": "ci8"}), "its samples are ci8"),
    ],
)
def test_other_recordings_are_refused(tmp_path, change, message):
    write(tmp_path / "a")
    edited(tmp_path / "a", change)
    with pytest.raises((BlockError, MediaError), match=message):
        run_block(ReceivedSource(path=tmp_path / "a", verify=False))


def test_missing_files(tmp_path):
    with pytest.raises((BlockError, MediaError), match="cannot be read"):
        run_block(ReceivedSource(path=tmp_path / "none"))
    with pytest.raises((BlockError, MediaError), match="there is no folder"):
        write(tmp_path / "none" / "a")
