"""The encoder and decoder blocks."""

import math
import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from lgvsc_flow.blocks.ntscc import NtsccDecoder, NtsccEncoder
from lgvsc_flow.blocks.ntscc.codec import payload_symbols
from lgvsc_flow.blocks.ntscc.weights_file import save_weights
from lgvsc_flow.errors import FlowError, SettingError
from lgvsc_flow.items import Keyframe, Payload, Received
from lgvsc_flow.testing import run_block


@pytest.fixture(scope="module")
def weights(tmp_path_factory, small_weights):
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_weights(path, small_weights.net, small_weights.log_thresholds)
    return str(path)


@pytest.fixture(scope="module")
def sent(weights, photograph):
    encoder = NtsccEncoder(target_cbr=0.06, weights=weights)
    out = run_block(encoder, [Keyframe(0, photograph), Keyframe(3, photograph[:50, :41])])
    return out["payloads"], out["symbols"]


def clean(symbols, noise=1e-3):
    return Received(symbols, np.ones(1, np.complex64), np.full(symbols.size, noise, np.float32))


def test_encoder_sends_payload_and_unit_power_symbols(sent):
    payloads, symbols = sent
    assert [p.index for p in payloads] == [0, 3]
    assert {p.stream for p in payloads} == {"hyperprior"}
    for payload, burst in zip(payloads, symbols, strict=True):
        assert burst.size == payload_symbols(payload.data)
        assert np.mean(np.abs(burst) ** 2) == pytest.approx(1, abs=1e-5)


def test_keyframes_come_back(weights, sent, photograph):
    payloads, symbols = sent
    out = run_block(NtsccDecoder(weights=weights), [clean(s) for s in symbols], payloads)
    assert [k.index for k in out] == [0, 3]
    assert not any(k.lost for k in out)
    assert out[1].pixels.shape == (50, 41, 3)
    error = np.square(out[0].pixels.astype(float) - photograph).mean()
    assert 10 * math.log10(255**2 / error) > 24


def test_lost_or_damaged_side_information_loses_the_keyframe(weights, sent):
    payloads, symbols = sent
    lost = [Payload(0, "hyperprior", None, lost=True), Payload(3, "hyperprior", b"\1" + payloads[1].data[1:])]
    decoder = NtsccDecoder(weights=weights)
    out = run_block(decoder, [clean(s) for s in symbols], lost)
    assert [(k.index, k.lost, k.pixels) for k in out] == [(0, True, None), (3, True, None)]
    assert decoder.lost == 2


def test_burst_of_another_length_loses_the_keyframe(weights, sent):
    payloads, symbols = sent
    decoder = NtsccDecoder(weights=weights)
    out = run_block(decoder, [clean(symbols[0][:-1]), clean(np.zeros(0, np.complex64))], payloads)
    assert [(k.lost, k.pixels) for k in out] == [(True, None), (True, None)]
    assert decoder.reasons == {"side information": 0, "weights": 0, "burst": 2}


def test_burst_of_which_nothing_came_loses_the_keyframe(weights, sent):
    payloads, symbols = sent
    gone = clean(np.full(symbols[0].size, np.nan, np.complex64)), clean(symbols[1], np.inf)
    out = run_block(NtsccDecoder(weights=weights), list(gone), payloads)
    assert [(k.lost, k.pixels) for k in out] == [(True, None), (True, None)]


@pytest.mark.parametrize(("mode", "concealed"), [("lost", 0), ("last", 3), ("mean", 3)])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_concealment_never_hides_a_loss(weights, sent, photograph, mode, concealed, batch_size):
    """Lost side information, one that came, lost side information, a lost burst."""
    payloads, symbols = sent
    none = Payload(0, "hyperprior", None, lost=True)
    side = [none, payloads[0], none, payloads[0]]
    received = [clean(s) for s in (symbols[0], symbols[0], symbols[0], symbols[0][1:])]
    decoder = NtsccDecoder(weights=weights, conceal=mode, height=96, width=128, batch_size=batch_size)
    out = run_block(decoder, received, side)
    assert [k.lost for k in out] == [True, False, True, True]
    assert (decoder.lost, decoder.concealed) == (3, concealed)
    assert decoder.reasons == {"side information": 2, "weights": 0, "burst": 1}
    if mode == "lost":
        assert [k.pixels is None for k in out] == [True, False, True, True]
        return
    assert all(k.pixels.shape == photograph.shape for k in out)
    assert np.ptp(out[0].pixels.mean((0, 1))) < 40  # nothing is known: about grey
    same = [np.array_equal(k.pixels, out[1].pixels) for k in out]
    assert same == [False, True, mode == "last", mode == "last"]


def test_nothing_can_be_shown_where_no_size_is_known(weights, sent):
    _, symbols = sent
    decoder = NtsccDecoder(weights=weights, conceal="mean")
    (keyframe,) = run_block(decoder, [clean(symbols[0])], [Payload(0, "hyperprior", None, lost=True)])
    assert keyframe.lost
    assert keyframe.pixels is None
    assert (decoder.lost, decoder.concealed) == (1, 0)


def test_other_weights_are_told_once(weights, sent):
    payloads, symbols = sent
    decoder = NtsccDecoder()
    with pytest.warns(
        UserWarning, match="NtsccDecoder, keyframe 0: keyframe side information was made with other"
    ) as told:
        out = run_block(decoder, [clean(s) for s in symbols], payloads)
    assert len(told) == 1
    assert all(k.lost and k.pixels is None for k in out)
    assert decoder.reasons == {"side information": 0, "weights": 2, "burst": 0}


def test_blocks_of_one_process_share_the_weights(weights, tmp_path):
    encoder, decoder, other = (
        NtsccEncoder(weights=weights),
        NtsccDecoder(weights=weights),
        NtsccDecoder(dtype="float32"),
    )
    for block in (encoder, decoder, other):
        block.start()
    assert encoder._codec is decoder._codec
    assert encoder._codec is not other._codec
    copied = tmp_path / "w.safetensors"
    copied.write_bytes(Path(weights).read_bytes())
    first = NtsccDecoder(weights=str(copied))
    first.start()
    copied.write_bytes(Path(weights).read_bytes())
    os.utime(copied, ns=(1, 1))
    second = NtsccDecoder(weights=str(copied))
    second.start()
    assert first._codec is not second._codec  # the file has changed


def test_targets_that_cannot_be_met_are_counted(weights, photograph):
    encoder = NtsccEncoder(target_cbr=0.02, weights=weights)
    run_block(encoder, [Keyframe(0, np.tile(photograph, (3, 3, 1))), Keyframe(1, photograph[:16, :16])])
    assert encoder.over_target == 1


def test_what_a_dearer_link_takes_counts_against_the_target(weights, photograph):
    sent = []
    for link_snr_db in (None, 10.0, -10.0):
        encoder = NtsccEncoder(target_cbr=0.04, link_snr_db=link_snr_db, weights=weights)
        out = run_block(encoder, [Keyframe(0, photograph)])
        sent.append((encoder.over_target, out["payloads"][0].data, out["symbols"][0].size))
    assert sent[0] == sent[1]
    assert [s[0] for s in sent] == [0, 0, 1]
    assert sent[2][2] < sent[0][2]


def test_channel_state_of_another_length_is_named(weights, sent):
    payloads, symbols = sent
    wrong = Received(symbols[0], np.ones(3, np.complex64), np.array(0.1, np.float32))
    with pytest.raises(FlowError, match=r"gain is one number or one for each of \d+ symbols, got \[3\]"):
        run_block(NtsccDecoder(weights=weights), [wrong], payloads[:1])


def test_unusable_symbols_are_counted_as_erased(weights, sent):
    payloads, symbols = sent
    burst = symbols[0].copy()
    burst[5:9] = np.nan
    gain, noise = np.ones(burst.size, np.complex64), np.full(burst.size, 1e-3, np.float32)
    gain[20:22], noise[30] = 0, np.inf
    decoder = NtsccDecoder(weights=weights)
    (keyframe,) = run_block(decoder, [Received(burst * gain, gain, noise)], payloads[:1])
    assert not keyframe.lost
    assert decoder.erased == 7


def test_gain_is_undone(weights, sent):
    payloads, symbols = sent
    gain = np.exp(1j * np.linspace(0, 5, symbols[0].size)).astype(np.complex64) * 0.5
    faded = Received(symbols[0] * gain, gain, np.full(symbols[0].size, 1e-3 / 4, np.float32))
    a, b = (run_block(NtsccDecoder(weights=weights), [r], payloads[:1])[0] for r in (faded, clean(symbols[0])))
    assert np.abs(a.pixels.astype(int) - b.pixels).max() <= 1


def test_wrong_keyframes_and_weights_are_named(weights, tmp_path):
    with pytest.raises(FlowError, match=r"a keyframe is uint8 \[height, width, 3\] RGB, got float32"):
        run_block(NtsccEncoder(weights=weights), [Keyframe(0, np.zeros((8, 8, 3), np.float32))])
    with pytest.raises(FlowError, match=r"do not exist. Use weights='embedded'"):
        run_block(NtsccEncoder(weights=str(tmp_path / "no.safetensors")), [])
    with pytest.raises(FlowError, match=r"cannot use the device 'cuda:77': .*Use device='cpu'"):
        run_block(NtsccDecoder(weights=weights, device="cuda:77"), [], [])


def test_settings_have_ranges():
    with pytest.raises(SettingError, match=r"NtsccEncoder.target_cbr must be <= 0.15"):
        NtsccEncoder(target_cbr=0.5)
    with pytest.raises(SettingError, match=r"NtsccEncoder.snr_db"):
        NtsccEncoder(snr_db=float("nan"))
    with pytest.raises(SettingError, match=r"NtsccEncoder.link_snr_db must be >= -20"):
        NtsccEncoder(link_snr_db=-30.0)
    with pytest.raises(SettingError, match=r"NtsccDecoder.conceal is one of lost, last, mean; got 'grey'"):
        NtsccDecoder(conceal="grey")
    with pytest.raises(SettingError, match=r"NtsccDecoder.dtype is one of auto, float32, bfloat16; got 'half'"):
        NtsccDecoder(dtype="half")


def test_a_picture_of_another_size_than_the_sessions_is_lost():
    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    sent = run_block(NtsccEncoder(), [Keyframe(0, picture)])
    received = Received(sent["symbols"][0], np.array(1, np.complex64), np.array(0.1, np.float32))
    for height, lost in ((48, False), (49, True)):
        (keyframe,) = run_block(NtsccDecoder(height=height, width=64), [received], sent["payloads"])
        assert keyframe.lost == lost


def test_batches_give_what_one_by_one_gives(weights, photograph):
    """To the last bit: how many wait together depends on timing, so on a CPU each goes through alone."""
    pictures = [photograph, photograph[::-1], photograph[:64], photograph[:, ::-1], photograph[16:80]]
    keyframes = [Keyframe(i, np.ascontiguousarray(p)) for i, p in enumerate(pictures)]
    one, five = (run_block(NtsccEncoder(target_cbr=0.06, weights=weights, batch_size=n), keyframes) for n in (1, 5))
    assert [p.index for p in five["payloads"]] == [0, 1, 2, 3, 4]
    assert [p.data for p in one["payloads"]] == [p.data for p in five["payloads"]]
    for a, b in zip(one["symbols"], five["symbols"], strict=True):
        assert np.array_equal(a, b)
    side = [Payload(1, "hyperprior", None, lost=True) if i == 1 else p for i, p in enumerate(one["payloads"])]
    received = [clean(s) for s in one["symbols"]]
    one, five = (run_block(NtsccDecoder(weights=weights, batch_size=n), received, side) for n in (1, 5))
    assert [k.lost for k in five] == [False, True, False, False, False]
    for a, b in zip(one, five, strict=True):
        assert a.index == b.index
        assert a.lost or np.array_equal(a.pixels, b.pixels)
