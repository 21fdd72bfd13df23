import math

import numpy as np
import pytest

from lgvsc_flow.blocks.metrics import PsnrMeter, SsimMeter
from lgvsc_flow.blocks.metrics.distortion import psnr_db, ssim
from lgvsc_flow.errors import BlockError
from lgvsc_flow.items import Frame
from lgvsc_flow.testing import run_block


def pictures(kind: str, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:61, 0:83]
    base = np.stack([128 + 100 * np.sin(x / 7 + c) * np.cos(y / (5 + c)) for c in range(3)], -1)
    noisy = {"noise": base + rng.normal(0, 12, base.shape), "shift": base + 9, "flat": np.full_like(base, 30)}[kind]
    return base.clip(0, 255).astype(np.uint8), noisy.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("kind", ["noise", "shift", "flat"])
def test_against_scikit_image(kind: str) -> None:
    metrics = pytest.importorskip("skimage.metrics")
    a, b = pictures(kind)
    theirs = metrics.structural_similarity(
        a, b, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )
    assert ssim(a, b) == pytest.approx(theirs, abs=2e-6)
    assert psnr_db(a, b) == pytest.approx(metrics.peak_signal_noise_ratio(a, b, data_range=255), abs=1e-9)


def test_psnr_by_hand_and_identical_frames() -> None:
    a = np.zeros((4, 4, 3), np.uint8)
    assert psnr_db(a, a + 255) == 0
    assert psnr_db(a, a) == 100
    assert psnr_db(a, a, cap_db=80) == 80
    assert psnr_db(a, a + 1) == pytest.approx(20 * math.log10(255))
    assert ssim(np.zeros((16, 16, 3), np.uint8), np.zeros((16, 16, 3), np.uint8)) == 1


def test_meters_keep_a_score_per_frame_and_their_mean() -> None:
    a, b = pictures("noise")
    sent = [Frame(a, 0), Frame(a, 1)]
    received = [Frame(b, 0), Frame(a, 1)]
    psnr, structure = PsnrMeter(), SsimMeter()
    assert math.isnan(psnr.mean)
    run_block(psnr, sent, received)
    run_block(structure, sent, received)
    assert psnr.per_frame == [psnr_db(a, b), 100.0]
    assert psnr.mean == pytest.approx((psnr_db(a, b) + 100) / 2)
    assert structure.per_frame == [ssim(a, b), 1.0]


def test_streams_out_of_step_and_sizes_that_differ() -> None:
    a = np.zeros((16, 16, 3), np.uint8)
    with pytest.raises(BlockError, match="frame 0 was sent and frame 1 received; the streams are out of step"):
        run_block(PsnrMeter(), [Frame(a, 0)], [Frame(a, 1)])
    with pytest.raises(BlockError, match="frame 0 is 16x16 where sent and 8x16 where received"):
        run_block(SsimMeter(), [Frame(a, 0)], [Frame(a[:8], 0)])
    with pytest.raises(BlockError, match="SSIM needs frames of at least 11x11 pixels, got 8x16"):
        run_block(SsimMeter(), [Frame(a[:8], 0)], [Frame(a[:8], 0)])
