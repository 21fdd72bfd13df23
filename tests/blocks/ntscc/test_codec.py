"""The keyframe codec, first with untrained networks (then it is the linear code), then as shipped."""

import copy
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lgvsc_flow.blocks.ntscc.allocation import linear_power  # noqa: E402
from lgvsc_flow.blocks.ntscc.codec import BurstError, NtsccCodec, OtherWeightsError, payload_symbols  # noqa: E402
from lgvsc_flow.blocks.ntscc.header import SideInformation  # noqa: E402
from lgvsc_flow.blocks.ntscc.linear import linear_code  # noqa: E402
from lgvsc_flow.blocks.ntscc.nets import level_for  # noqa: E402
from lgvsc_flow.blocks.ntscc.rate import bits_per_symbol, digital_symbols  # noqa: E402
from lgvsc_flow.blocks.ntscc.spectrum import band_of  # noqa: E402
from lgvsc_flow.blocks.ntscc.transform import block_dct  # noqa: E402
from lgvsc_flow.blocks.ntscc.weights_file import save_weights  # noqa: E402


@pytest.fixture(scope="module")
def codec(small_weights):
    return NtsccCodec(small_weights)


@pytest.fixture(scope="module")
def shipped():
    return NtsccCodec()


def awgn(symbols, n0, seed=0):
    rng = np.random.default_rng(seed)
    return symbols + math.sqrt(n0 / 2) * (rng.normal(size=symbols.size) + 1j * rng.normal(size=symbols.size))


def psnr(a, b):
    return 10 * math.log10(255**2 / np.square(a.astype(float) - b).mean())


def test_untrained_codec_is_the_linear_code(codec, small_weights, photograph):
    payload, symbols = codec.encode(photograph, 10, target_cbr=0.06)
    n0 = 0.1
    received = awgn(symbols, n0)
    side = SideInformation.unpack(payload)

    rows, columns = photograph.shape[0] // 16, photograph.shape[1] // 16
    blocks = (photograph / 255 - 0.5).reshape(rows, 16, columns, 16, 3).transpose(0, 2, 4, 1, 3).reshape(-1, 768)
    basis = block_dct((64, 20, 20)).reshape(104, 768)
    y = (blocks @ basis.T).T.ravel()
    std, band = small_weights.net.y_std.double().numpy(), band_of((64, 20, 20)).numpy()
    energy = np.bincount(band, np.square(y).reshape(104, -1).sum(1))
    expected_energy = np.bincount(band, std**2) * rows * columns
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.clip(np.nan_to_num(np.rint(0.5 * np.log(energy / expected_energy) / 0.2)), -7, 7)
    log_sigma = np.log(std) + 0.2 * steps[band]
    sigma = np.tile(np.exp(log_sigma)[:, None], (1, rows * columns))
    k = 2 * side.symbols
    levels = np.rint(32 * log_sigma)[:, None].repeat(rows * columns, 1)
    chosen = np.sort(np.argsort(-levels.ravel(), kind="stable")[:k])
    from lgvsc_flow.blocks.ntscc.allocation import burst_order

    place = chosen[burst_order(k)]
    power = linear_power(torch.from_numpy(sigma.ravel()[place]).double(), n0).clamp_min(1e-4).numpy()
    sent = np.sqrt(power) * y[place] / sigma.ravel()[place]
    unit = np.stack([symbols.real, symbols.imag], 1).ravel() * math.sqrt(2)
    np.testing.assert_allclose(unit, sent / np.sqrt(np.mean(sent**2)), atol=2e-4)

    noisy = np.stack([received.real, received.imag], 1).ravel() * math.sqrt(2) * side.rms
    noise = n0 * side.rms**2
    decoded = np.zeros(y.size)
    decoded[place] = sigma.ravel()[place] * np.sqrt(power) / (power + noise) * noisy
    out = (decoded.reshape(104, -1).T @ basis).reshape(rows, columns, 3, 16, 16).transpose(0, 3, 1, 4, 2)
    expected = np.clip(np.rint((out.reshape(photograph.shape) + 0.5) * 255), 0, 255)
    assert np.abs(codec.decode(payload, received, n0).astype(int) - expected).max() <= 1


@pytest.mark.parametrize(("cbr", "snr_db", "fading"), [(0.05, 10, False), (0.03, 13, False), (0.06, 10, True)])
def test_rate_and_power(codec, photograph, cbr, snr_db, fading):
    payload, symbols = codec.encode(photograph, snr_db, target_cbr=cbr, fading=fading)
    assert symbols.dtype == np.complex64
    assert symbols.size == payload_symbols(payload)
    assert np.mean(np.abs(symbols) ** 2) == pytest.approx(1, abs=1e-5)
    total = symbols.size + digital_symbols(len(payload), snr_db, fading=fading)
    assert total == pytest.approx(cbr * photograph.size, rel=0.01)


@pytest.mark.parametrize("link_snr_db", [20, 5, 2, 0])
def test_a_target_counts_the_link_that_the_side_information_goes_over(shipped, photograph, link_snr_db):
    payload, symbols = shipped.encode(photograph, 10, target_cbr=0.1, link_snr_db=link_snr_db)
    total = symbols.size + digital_symbols(len(payload), link_snr_db)
    assert total == pytest.approx(0.1 * photograph.size, rel=0.01)
    # The symbols themselves are still those of the design SNR.
    assert SideInformation.unpack(payload).snr_db == 10


def test_a_link_for_the_design_snr_is_the_default(codec, photograph):
    one, two = (codec.encode(photograph, 10, target_cbr=0.05, link_snr_db=link) for link in (None, 10))
    assert one[0] == two[0]
    assert np.array_equal(one[1], two[1])


@pytest.mark.parametrize("cbr", [0.01, 0.03, 0.1])
@pytest.mark.parametrize("size", [(200, 300), (272, 640), (333, 217)])
def test_a_target_is_met_within_five_percent(shipped, size, cbr):
    pixels = np.ascontiguousarray(
        np.resize(pytest.importorskip("skimage.data").coffee(), (400, 640, 3))[: size[0], : size[1]]
    )
    for snr_db in (5, 10):
        payload, symbols = shipped.encode(pixels, snr_db, target_cbr=cbr)
        total = symbols.size + digital_symbols(len(payload), snr_db)
        assert total == pytest.approx(cbr * pixels.size, rel=0.05)


def test_coarser_hyperpriors_are_tried_before_a_target_is_missed(shipped, photograph):
    """At 0 dB bytes are dear: the hyperprior that suits the rate would leave the symbols too little."""
    level = level_for(0.06, bits_per_symbol(0))
    small = photograph[:48, :64]
    coarse = SideInformation.unpack(shipped.encode(small, 0, target_cbr=0.06)[0])
    assert coarse.level < level
    payload, symbols = shipped.encode(photograph[:16, :16], 0, target_cbr=0.01)  # cannot be met: as little as there is
    assert symbols.size == 1
    assert shipped.decode(payload, symbols, 0.1).shape == (16, 16, 3)


def test_quality_follows_content(codec, photograph):
    payload, symbols = codec.encode(photograph, 10, quality=4)
    assert payload_symbols(payload) == symbols.size
    assert codec.encode(photograph, 10, quality=8)[1].size > symbols.size


def test_same_input_same_bits(codec, photograph):
    a, b = (codec.encode(photograph, 7, target_cbr=0.05) for _ in range(2))
    assert a[0] == b[0]
    assert np.array_equal(a[1], b[1])
    received = awgn(a[1], 0.2)
    assert np.array_equal(codec.decode(a[0], received, 0.2), codec.decode(a[0], received, 0.2))


@pytest.mark.parametrize("shape", [(1, 1), (17, 9), (33, 70), (16, 16)])
def test_any_size(codec, shipped, shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    for each in (codec, shipped):
        for snr_db in (-20, 10, 40):
            payload, symbols = each.encode(pixels, snr_db, target_cbr=0.1)
            assert np.mean(np.abs(symbols) ** 2) == pytest.approx(1, abs=1e-5)
            assert each.decode(payload, symbols, 1e-3).shape == pixels.shape


def test_4k(codec, photograph):
    """With the small networks, a few seconds; docs/ntscc.md says what the shipped ones take."""
    pixels = np.tile(photograph, (23, 30, 1))[:2160, :3840]
    payload, symbols = codec.encode(pixels, 10, target_cbr=0.03)
    assert symbols.size + digital_symbols(len(payload), 10) == pytest.approx(0.03 * pixels.size, rel=0.01)
    assert psnr(codec.decode(payload, symbols, 0.1)[::60], pixels[::60]) > 20


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (200, 200, 200), (255, 0, 0), (10, 200, 90)])
def test_constant_pictures(shipped, colour):
    pixels = np.full((64, 64, 3), colour, np.uint8)
    payload, symbols = shipped.encode(pixels, 10, target_cbr=0.1)
    assert np.isfinite(symbols).all()
    assert np.mean(np.abs(symbols) ** 2) == pytest.approx(1, abs=1e-5)
    assert psnr(shipped.decode(payload, awgn(symbols, 0.1), 0.1), pixels) > 22


def test_grey_pictures_keep_their_colour(shipped, photograph):
    grey = photograph.mean(2).astype(np.uint8)[..., None].repeat(3, 2)
    payload, symbols = shipped.encode(grey, 10, target_cbr=0.1)
    decoded = shipped.decode(payload, awgn(symbols, 0.1), 0.1).astype(float)
    assert np.ptp(decoded, 2).mean() < 6


@pytest.mark.parametrize("noise", [0.0, -1.0, math.nan, math.inf])
def test_noise_variances_that_are_none(shipped, photograph, noise):
    """Zero is taken for very little, all else erases the burst: the picture that the hyperprior alone gives."""
    payload, symbols = shipped.encode(photograph, 10, target_cbr=0.06)
    decoded = shipped.decode(payload, symbols, noise)
    bare = shipped.synthesise([shipped.latents(payload, None)])[0]
    assert np.array_equal(decoded, bare) == (noise != 0)
    assert psnr(decoded, photograph) > (22 if noise == 0 else 10)


def test_erasures_cost_quality_gently(codec, photograph):
    payload, symbols = codec.encode(photograph, 10, target_cbr=0.1)
    whole = psnr(codec.decode(payload, symbols, 0.01), photograph)
    broken, noise = symbols.copy(), np.full(symbols.size, 0.01)
    broken[::10], noise[::10] = np.nan, 0.01
    by_nan = codec.decode(payload, broken, noise)
    noise[::10] = np.inf
    by_noise = codec.decode(payload, symbols, noise)
    assert np.array_equal(by_nan, by_noise)
    assert whole - 10 < psnr(by_nan, photograph) < whole
    nothing = codec.decode(payload, np.full(symbols.size, np.nan), 0.01)
    assert nothing.shape == photograph.shape


def test_noise_variance_per_symbol_helps(codec, photograph):
    """Block fading: knowing each symbol's noise beats assuming the mean."""
    payload, symbols = codec.encode(photograph, 5, target_cbr=0.1)
    noise = np.where(np.arange(symbols.size) % 4 == 0, 5.0, 0.05)
    received = symbols + np.sqrt(noise / 2) * awgn(np.zeros(symbols.size), 2.0)
    assert psnr(codec.decode(payload, received, noise), photograph) > psnr(
        codec.decode(payload, received, noise.mean()), photograph
    )


def test_wrong_pictures_are_named(codec):
    with pytest.raises(ValueError, match=r"a keyframe is uint8 \[height, width, 3\] RGB, got float64 \[4, 4, 3\]"):
        codec.encode(np.zeros((4, 4, 3)), 10)
    with pytest.raises(ValueError, match=r"got uint8 \[4, 4\]"):
        codec.encode(np.zeros((4, 4), np.uint8), 10)
    with pytest.raises(ValueError, match="got NoneType"):
        codec.encode(None, 10)
    with pytest.raises(ValueError, match=r"target_cbr 0.5 is outside the range"):
        codec.encode(np.zeros((4, 4, 3), np.uint8), 10, target_cbr=0.5)
    with pytest.raises(ValueError, match="snr_db must be a number"):
        codec.encode(np.zeros((4, 4, 3), np.uint8), math.nan)


def test_wrong_bursts_and_payloads_are_named(codec, photograph):
    payload, symbols = codec.encode(photograph, 10, target_cbr=0.05)
    with pytest.raises(BurstError, match=f"the burst has {symbols.size - 1} symbols, its side information announces"):
        codec.decode(payload, symbols[1:], 0.1)
    damaged = bytearray(payload)
    damaged[10] ^= 4
    with pytest.raises(ValueError, match="is damaged: its check value does not match"):
        codec.decode(bytes(damaged), symbols, 0.1)


def test_other_weights_at_the_receiver_are_noticed(codec, small_weights, photograph, tmp_path):
    """Also where both would choose the same latents, since only g_s differs: before any picture is made."""
    other = copy.copy(small_weights)
    other.net = copy.deepcopy(small_weights.net)
    save_weights(tmp_path / "a", other.net, other.log_thresholds)
    with torch.no_grad():
        other.net.g_s.last.bias.fill_(0.3)
    save_weights(tmp_path / "b", other.net, other.log_thresholds)
    one, two = NtsccCodec(tmp_path / "a"), NtsccCodec(tmp_path / "b")
    payload, symbols = one.encode(photograph, 10, target_cbr=0.05)
    assert one.decode(payload, symbols, 0.1).shape == photograph.shape
    with pytest.raises(OtherWeightsError, match="was made with other weights; both ends must use the same"):
        two.decode(payload, symbols, 0.1)


def test_another_choice_of_latents_is_noticed(codec, small_weights, photograph):
    other = copy.copy(small_weights)
    other.net = copy.deepcopy(small_weights.net)
    with torch.no_grad():
        other.net.y_std.copy_(small_weights.net.y_std.flip(0))
    payload, symbols = codec.encode(photograph, 10, target_cbr=0.05)
    with pytest.raises(OtherWeightsError, match="chose different latents; both ends must use the same weights"):
        NtsccCodec(other).decode(payload, symbols, 0.1)


@pytest.mark.parametrize("name", ["astronaut", "coffee"])
def test_shipped_weights_beat_the_linear_code(shipped, name):
    """At CBR 0.03 and 10 dB, everything counted; both pictures were never trained on."""
    pixels = np.ascontiguousarray(getattr(pytest.importorskip("skimage.data"), name)())
    payload, symbols = shipped.encode(pixels, 10, target_cbr=0.03)
    assert (symbols.size + digital_symbols(len(payload), 10)) / pixels.size == pytest.approx(0.03, rel=0.02)
    learned = psnr(shipped.decode(payload, awgn(symbols, 0.1), 0.1), pixels)
    linear = psnr(linear_code(pixels, 0.03, 10, np.random.default_rng(0)).pixels, pixels)
    assert learned > linear + 1


def test_shipped_weights_fail_gracefully(shipped, photograph):
    """Designed for 10 dB: quality falls smoothly with the SNR that really comes."""
    payload, symbols = shipped.encode(photograph, 10, target_cbr=0.06)
    quality = [
        psnr(shipped.decode(payload, awgn(symbols, n0), n0), photograph) for n0 in 10 ** (-np.arange(13.0, -1, -2) / 10)
    ]
    steps = -np.diff(quality)
    assert (steps > 0).all()
    assert steps.max() < 2.5


@pytest.mark.parametrize(("design_db", "cbr"), [(10, 0.03), (10, 0.1), (-20, 0.06), (40, 0.06)])
def test_any_snr_of_the_channel_is_safe(shipped, photograph, design_db, cbr):
    """Far better than designed never hurts by more than 0.3 dB, far worse fades towards a soft picture."""
    payload, symbols = shipped.encode(photograph, design_db, target_cbr=cbr)
    better = [
        psnr(shipped.decode(payload, awgn(symbols, n0), n0), photograph) for n0 in 10 ** (-np.arange(0, 61, 5) / 10)
    ]
    assert (np.diff(better) > -0.3).all()
    assert better[-1] >= max(better) - 0.3
    worse = [
        psnr(shipped.decode(payload, awgn(symbols, n0), n0), photograph) for n0 in 10 ** (-np.arange(0, -71, -10) / 10)
    ]
    assert (np.diff(worse) < 0.3).all()
    assert -np.diff(worse).min() < 6
    assert worse[-1] > 10


def test_threads_do_not_change_what_the_receiver_derives(shipped, photograph):
    payload, symbols = shipped.encode(photograph, 10, target_cbr=0.05)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1 if threads > 1 else 2)
        shipped.decode(payload, symbols, 0.1)  # would raise if other latents were chosen
    finally:
        torch.set_num_threads(threads)
