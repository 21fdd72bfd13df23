import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lgvsc_flow import Graph
from lgvsc_flow.blocks.channel import AwgnChannel, DropState, IdealChannel, SigmfSink, SigmfSource
from lgvsc_flow.blocks.channel.sigmf_meta import read_meta, sigmf_paths
from lgvsc_flow.blocks.phy import QamModulator, RandomBits
from lgvsc_flow.errors import BlockError, MediaError
from lgvsc_flow.testing import run_block


def signal(n, seed=0):
    return (np.random.default_rng(seed).normal(size=(n, 2)) @ [1, 1j]).astype(np.complex64)


def write(path, bursts, **settings):
    run_block(SigmfSink(path=path, **{"sample_rate_hz": 1e6, **settings}), bursts)


def edited(path, change):
    """The metadata of a recording, changed."""
    meta = sigmf_paths(path)[0]
    content = json.loads(meta.read_text())
    change(content)
    meta.write_text(json.dumps(content))


def test_the_sigmf_package_accepts_and_reads_what_is_written(tmp_path):
    sigmf = pytest.importorskip("sigmf")
    bursts = [signal(100), signal(0), signal(37, 1)]
    write(tmp_path / "a", bursts, frequency_hz=2.4e9, description="a test", label="slot")
    recording = sigmf.fromfile(str(tmp_path / "a.sigmf-meta"))  # compares the checksum too
    recording.validate()
    assert np.array_equal(recording.read_samples(), np.concatenate(bursts))
    assert recording.sample_rate == 1e6
    assert recording.get_global_info()["core:datatype"] == "cf32_le"
    assert recording.get_global_info()["core:description"] == "a test"
    assert recording.get_captures() == [{"core:sample_start": 0, "core:frequency": 2.4e9}]
    marks = [(a["core:sample_start"], a["core:sample_count"], a["core:label"]) for a in recording.get_annotations()]
    assert marks == [(0, 100, "slot 0"), (100, 0, "slot 1"), (100, 37, "slot 2")]
    assert (tmp_path / "a.sigmf-data").read_bytes() == np.concatenate(bursts).tobytes()


READ = """
import sys
from gnuradio import blocks, gr
graph, sink = gr.top_block(), blocks.vector_sink_c()
graph.connect(blocks.file_source(gr.sizeof_gr_complex, sys.argv[1]), sink)
graph.run()
print(*[f"{x.real.hex()} {x.imag.hex()}" for x in sink.data()])
"""


def test_gnu_radio_reads_what_is_written(tmp_path):
    python = os.environ.get("GNURADIO_PYTHON", "/usr/bin/python3")
    if (
        not Path(python).exists()
        or subprocess.run([python, "-c", "from gnuradio import gr"], capture_output=True).returncode
    ):
        pytest.skip("GNU Radio is not installed")
    samples = signal(300)
    write(tmp_path / "a", [samples[:200], samples[200:]])
    data = str(tmp_path / "a.sigmf-data")
    done = subprocess.run([python, "-c", READ, data], capture_output=True, text=True, check=True)
    read = np.array([float.fromhex(x) for x in done.stdout.split()])
    assert np.array_equal(read, samples.view(np.float32).astype(float))


def test_what_the_sigmf_package_writes_is_read(tmp_path):
    sigmf = pytest.importorskip("sigmf")
    samples = signal(1000)
    samples.tofile(tmp_path / "b.sigmf-data")
    meta = sigmf.SigMFFile(
        data_file=str(tmp_path / "b.sigmf-data"),
        global_info={"core:datatype": "cf32_le", "core:sample_rate": 48000, "core:author": "someone"},
    )
    meta.add_capture(0, metadata={"core:frequency": 100_000_000})
    meta.add_annotation(10, 20, metadata={"core:label": "burst", "core:freq_lower_edge": 1.0})
    meta.tofile(str(tmp_path / "b"))
    source = SigmfSource(path=tmp_path / "b.sigmf-meta", burst=300)
    bursts = run_block(source)
    assert [b.size for b in bursts] == [300, 300, 300, 100]
    assert np.array_equal(np.concatenate(bursts), samples)
    assert (source.recording.sample_rate_hz, source.recording.frequency_hz) == (48000, 1e8)
    (marked,) = run_block(SigmfSource(path=tmp_path / "b", bursts="annotations"))
    assert np.array_equal(marked, samples[10:30])


def test_bursts_come_back_as_they_were_written(tmp_path):
    bursts = [signal(5), signal(0), signal(70_000, 1), signal(1, 2)]
    write(tmp_path / "name.with.dots", bursts)
    again = run_block(SigmfSource(path=tmp_path / "name.with.dots", bursts="annotations"))
    assert len(again) == 4
    for a, b in zip(again, bursts, strict=True):
        assert np.array_equal(a, b)
        assert a.dtype == np.complex64
    (louder,) = run_block(SigmfSource(path=tmp_path / "name.with.dots.sigmf-data", burst=10**6, gain_db=20.0))
    assert np.allclose(louder, 10 * np.concatenate(bursts))


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(0, 50), max_size=8), burst=st.integers(1, 60))
def test_round_trip_of_any_bursts(tmp_path_factory, sizes, burst):
    path = tmp_path_factory.mktemp("any") / "a"
    bursts = [signal(n, i) for i, n in enumerate(sizes)]
    write(path, bursts)
    again = run_block(SigmfSource(path=path, bursts="annotations"))
    assert [b.tobytes() for b in again] == [b.tobytes() for b in bursts]
    equal = run_block(SigmfSource(path=path, burst=burst))
    assert b"".join(b.tobytes() for b in equal) == b"".join(b.tobytes() for b in bursts)
    assert all(b.size == burst for b in equal[:-1])


@pytest.mark.parametrize(("datatype", "dtype", "full"), [("ci16_le", "<i2", 32768), ("ci8", "i1", 128)])
def test_integers_are_scaled_to_one(tmp_path, datatype, dtype, full):
    values = np.array([-full, full - 1, 0, full // 2], dtype)
    write(tmp_path / "i", [np.zeros(1, np.complex64)])
    values.tofile(tmp_path / "i.sigmf-data")

    def change(meta):
        meta["global"].update({"core:datatype": datatype, "core:offset": 40})
        del meta["global"]["core:sha512"]
        meta["annotations"] = [{"core:sample_start": 41}]

    edited(tmp_path / "i", change)
    (found,) = run_block(SigmfSource(path=tmp_path / "i"))
    assert np.allclose(found, [-1 + 1j * (full - 1) / full, 0.5j])
    (marked,) = run_block(SigmfSource(path=tmp_path / "i", bursts="annotations"))
    assert np.allclose(marked, [0.5j])


def test_unsigned_bytes(tmp_path):
    write(tmp_path / "u", [np.zeros(1, np.complex64)], annotate=False)
    np.array([0, 255, 127, 128], np.uint8).tofile(tmp_path / "u.sigmf-data")
    edited(tmp_path / "u", lambda m: m["global"].update({"core:datatype": "cu8"}) or m["global"].pop("core:sha512"))
    (found,) = run_block(SigmfSource(path=tmp_path / "u"))
    assert np.allclose(found, [-1 + 1j, (-0.5 + 0.5j) / 127.5])


def test_in_a_graph(tmp_path):
    graph = Graph("record", seed=1)
    sink = SigmfSink(path=tmp_path / "r", sample_rate_hz=1e6)
    graph.connect(RandomBits(n=400, count=5), QamModulator(order=4), AwgnChannel(), DropState(), sink)
    graph.run()
    assert sink.sample_count == 1000
    first = (tmp_path / "r.sigmf-meta").read_bytes(), (tmp_path / "r.sigmf-data").read_bytes()
    graph.run()
    assert first == ((tmp_path / "r.sigmf-meta").read_bytes(), (tmp_path / "r.sigmf-data").read_bytes())
    back, channel = Graph("play"), IdealChannel(esn0_db=10.0)
    back.connect(SigmfSource(path=tmp_path / "r", bursts="annotations"), channel)
    probe = back.probe(channel.received)
    back.run()
    assert [r.symbols.size for r in probe.items] == [200] * 5


def test_a_failed_run_leaves_nothing_new(tmp_path):
    write(tmp_path / "a", [signal(10)])
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert sorted(before) == ["a.sigmf-data", "a.sigmf-meta"]
    bad = signal(10, 1)
    bad[3] = np.nan
    with pytest.raises(BlockError, match=r"a': sample 13 is NaN or infinite"):
        write(tmp_path / "a", [signal(10, 2), bad])
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
    with pytest.raises(BlockError, match=r"there is no folder '.*nowhere'. Make it first"):
        write(tmp_path / "nowhere" / "a", [signal(1)])


def test_an_empty_recording(tmp_path):
    write(tmp_path / "e", [])
    assert run_block(SigmfSource(path=tmp_path / "e")) == []
    assert read_meta(tmp_path / "e").samples == 0


def test_damage_is_found_before_the_first_sample(tmp_path):
    path = tmp_path / "d"
    write(path, [signal(10)])
    data = tmp_path / "d.sigmf-data"
    raw = bytearray(data.read_bytes())
    raw[20] ^= 1
    data.write_bytes(raw)
    with pytest.raises(BlockError, match=r"is damaged: its SHA-512 is not that of the metadata. verify=False reads it"):
        run_block(SigmfSource(path=path))
    assert len(run_block(SigmfSource(path=path, verify=False))) == 1
    data.write_bytes(raw[:-1])
    with pytest.raises(MediaError, match=r"the data have 79 bytes, which is no whole number of cf32_le samples of 8"):
        read_meta(path)
    data.write_bytes(raw[:-8])
    with pytest.raises(MediaError, match=r"annotation 0 marks samples 0 to 10 of 9"):
        read_meta(path)
    data.unlink()
    with pytest.raises(MediaError, match=r"d.sigmf-data' cannot be read: No such file"):
        read_meta(path)


def test_samples_that_are_no_numbers(tmp_path):
    write(tmp_path / "n", [signal(100)])
    samples = signal(100)
    samples[77] = complex(0, np.inf)
    samples.tofile(tmp_path / "n.sigmf-data")
    with pytest.raises(BlockError, match=r"n': sample 77 is NaN or infinite"):
        run_block(SigmfSource(path=tmp_path / "n", verify=False, burst=30))
