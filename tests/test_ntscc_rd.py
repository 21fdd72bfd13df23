"""The benchmark of keyframes on made-up points: what is counted, how losses enter, what is promised."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
for needed in ("av", "cv2", "scipy", "pytorch_msssim", "matplotlib"):
    pytest.importorskip(needed)

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def _on_path(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)


def picture(height: int = 48, width: int = 65) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    rng = np.random.default_rng(5)
    base = np.stack([120 + 80 * np.sin(x / 11 + c) * np.cos(y / (8 + c)) for c in range(3)], -1)
    return np.clip(base + rng.normal(0, 6, base.shape), 0, 255).astype(np.uint8)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return 10 * math.log10(255**2 / np.square(a.astype(float) - b).mean())


def test_points_outlive_a_kill(tmp_path):
    from ntscc.store import Store

    store = Store(tmp_path / "deep" / "points.jsonl")
    store.add("a", psnr_db=30.0)
    store.add("b", psnr_db=31.0)
    with store.path.open("a") as file:
        file.write('{"key": "c", "psn')
    again = Store(store.path)
    assert set(again.points) == {"a", "b"}
    again.add("c", psnr_db=32.0)
    assert Store(store.path)["c"] == {"key": "c", "psnr_db": 32.0}


@pytest.mark.parametrize(("codec", "least_db"), [("hevc444", 30), ("hevc420", 28), ("avif", 28), ("jpeg", 26)])
def test_still_codecs_trade_bytes_for_quality(codec, least_db):
    from ntscc.still_codecs import CODECS
    from PIL import features

    if codec == "avif" and not features.check("avif"):
        pytest.skip("Pillow without AVIF")
    encode, quantisers = CODECS[codec]
    pixels = picture(49, 65)  # odd sides
    sizes, decoded = zip(*(encode(pixels, q) for q in (quantisers[1], quantisers[-2])), strict=True)
    assert sizes[0] < sizes[1]
    assert decoded[0].shape == pixels.shape
    assert psnr(decoded[0], pixels) < psnr(decoded[1], pixels)
    assert psnr(decoded[1], pixels) > least_db


def test_a_stream_pays_for_its_crc_and_code_blocks():
    from ntscc.links import SCHEMES, Scheme, capacity_bytes

    scheme = Scheme(16, 616.0)
    for size in (3, 400, 5000):
        code_blocks, symbols = scheme.blocks(size)
        assert symbols * scheme.efficiency >= 8 * size + 16
        assert code_blocks == max(1, math.ceil((8 * size + 24) / 8424))
    assert scheme.largest(scheme.blocks(5000)[1]) == 5000
    assert scheme.blocks(scheme.largest(1000))[1] <= 1000 < scheme.blocks(scheme.largest(1000) + 2)[1]
    assert scheme.largest(3) == 0
    assert capacity_bytes(1000, 0.0) == 125
    assert list(SCHEMES) == sorted(SCHEMES, key=lambda s: s.efficiency)


def test_block_error_rates_are_measured_once_and_bend_down(tmp_path, monkeypatch):
    from ntscc import links

    monkeypatch.setattr(links, "MOST", 64)
    monkeypatch.setattr(links, "WANTED", 16)
    curves, scheme = links.LossCurves(links.Store(tmp_path / "links.jsonl")), links.Scheme(4, 449.0)
    curves.measure(scheme)
    kept = (tmp_path / "links.jsonl").read_text()
    curves.measure(scheme)
    assert (tmp_path / "links.jsonl").read_text() == kept
    threshold = curves.threshold_db(scheme)
    assert (
        -0.1 < threshold < 0.91
    )  # the same scheme with shorter blocks (blocks/phy/nr_mcs.py), and 0.7 dB from capacity
    loss = curves.loss(scheme, np.arange(threshold - 2, threshold + 2, 0.05))
    assert loss[0] > 0.99
    assert loss[-1] < 1e-3
    assert (np.diff(loss) <= 1e-12).all()
    assert curves.loss(scheme, threshold, 10) == pytest.approx(1 - (1 - curves.loss(scheme, threshold)) ** 10)


class FakeCodec:
    """Sends 100 bytes and as many symbols as the target leaves at the design SNR."""

    def encode(self, pixels, snr_db, *, target_cbr):
        from lgvsc_flow.blocks.ntscc.rate import digital_symbols

        payload = bytes(100)
        count = round(target_cbr * pixels.size) - digital_symbols(len(payload), snr_db)
        return payload, np.ones(max(count, 1), np.complex64)

    def decode(self, payload, symbols, noise_variance):
        return np.full((400, 400, 3), 90, np.uint8)


def test_a_link_that_holds_longer_is_paid_by_the_symbols():
    from ntscc.analog import NtsccPicture
    from ntscc.scores import Original

    from lgvsc_flow.blocks.ntscc.rate import digital_symbols

    pixels = np.full((400, 400, 3), 100, np.uint8)
    coded, original = NtsccPicture(FakeCodec(), "ab" * 32, pixels), Original(pixels)
    plain = coded.point(original, 0.03, 10.0, 10.0, 10.0, perceptual=False)
    robust = coded.point(original, 0.03, 10.0, 2.5, 4.0, perceptual=False)
    assert plain["psnr_db"] == pytest.approx(20 * math.log10(25.5))
    assert plain["cbr"] == pytest.approx(0.03, rel=1e-3) == robust["cbr"]
    assert robust["side_symbols"] == digital_symbols(100, 2.5) > plain["side_symbols"]
    assert robust["symbols"] < plain["symbols"]
    with pytest.raises(ValueError, match="does not hold the side information at -9 dB"):
        coded.encode(0.003, 10.0, -9.0)


def test_the_plan_takes_each_point_once_and_fades_are_shared():
    from ntscc import plan
    from ntscc.analog import case_key, fades, fading_link_db

    digest = "0123456789abcdef" * 4
    cases = [case for _, stage in plan.stages(digest) for case in stage]
    keys = [case_key(digest, case) for case in cases]
    assert len(set(keys)) == len(keys)
    wanted = {case_key(digest, plan.matched(snr, cbr)) for snr in plan.SNRS_DB for cbr in plan.CBRS}
    assert wanted <= set(keys)
    assert (fades(digest, 5)[:2] == fades(digest, 2)).all()
    assert fades(digest, 4000).mean() == pytest.approx(1, abs=5 / math.sqrt(4000))
    assert [fading_link_db(db) for db in (0, 4, 10, 13)] == [0, 2.5, 2.5, 5.5]


@pytest.fixture
def made_up(tmp_path, monkeypatch):
    """Stores with smooth made-up points: NTSCC falls gently with SNR, HEVC is better while its code holds."""
    from ntscc import plan
    from ntscc.analog import LINEAR_FORMS, case_key, link_fingerprint
    from ntscc.links import SCHEMES
    from ntscc.measure import Picture, Stores
    from ntscc.still_codecs import CODECS
    from ntscc.store import Store

    monkeypatch.setattr(plan, "SNRS_DB", (0.0, 10.0))
    monkeypatch.setattr(plan, "CBRS", (0.03, 0.05))
    stores = Stores(*(Store(tmp_path / f"{n}.jsonl") for n in ("links", "stills", "linear", "ntscc")), "f" * 64)
    for scheme in SCHEMES:
        at = 10 * math.log10(2**scheme.efficiency - 1) + 1.5
        key = f"bler|{scheme.order}|{scheme.rate_1024:g}"
        stores.links.add(key, esn0_db=[at - 0.4, at - 0.2, at], bler=[1.0, 0.5, 0.01])
    pictures = [Picture(f"p{i}", f"{i}" * 64, np.zeros((400, 500, 3), np.uint8)) for i in range(1, 4)]
    for place, p in enumerate(pictures):
        stores.stills.add(f"{p.digest}|lost", psnr_db=10.0, ms_ssim=0.3, st_lpips=0.9)
        for codec, (_, quantisers) in CODECS.items():
            for number, quantiser in enumerate(quantisers):
                scores = {"psnr_db": 22 + 2 * number + place, "ms_ssim": 0.9 + 0.01 * number}
                size = round(600 * 1.6**number)
                stores.stills.add(f"{p.digest}|{codec}|{quantiser}", bytes=size, **scores, st_lpips=0.2 / (1 + number))
            stores.stills.add(f"{p.digest}|{codec}|end")

        def quality(case, place=place):
            return 30 + 0.35 * case[3] + 100 * (case[0] - 0.03) + place

        for _, stage in plan.stages(p.digest):
            for case in stage:
                key, counted = case_key(p.digest, case), {"symbols": 900, "side_symbols": 100, "cbr": case[0] * 1.01}
                seen = {"ms_ssim": 0.97, "st_lpips": 0.05}
                stores.ntscc.add(key, psnr_db=quality(case), **seen, **counted)
                for form, behind in zip(LINEAR_FORMS, (2.5, 3.5), strict=True):
                    stores.linear.add(f"{form}|{link_fingerprint()}|{key}", psnr_db=quality(case) - behind, ms_ssim=0.9)
        for cbr in plan.RATE_TARGETS:
            stores.ntscc.add(f"rate|{p.digest}|{cbr:g}", cbr=cbr * (1 - 0.02 * place))
    return stores, pictures


def test_the_summary_counts_losses_and_judges_every_promise(made_up, tmp_path):
    from ntscc import figure, pages
    from ntscc.checks import checks
    from ntscc.summary import Summary

    stores, pictures = made_up
    summary = Summary(stores, pictures)
    results = json.loads(json.dumps(summary.all()))
    row = summary.awgn(10.0, 0.03)
    assert row["ntscc"]["psnr_db"][0] == pytest.approx(34.5, abs=0.01)
    assert row["ntscc"]["psnr_db"][1] == pytest.approx(4.303 / math.sqrt(3), abs=0.01)  # t of two degrees of freedom
    assert row["hevc_capacity"]["psnr_db"][0] > row["hevc"]["psnr_db"][0] > row["avif"]["psnr_db"][0] - 4
    assert row["hevc_fits"] == 3
    # 1 % of the side information is lost MARGIN_DB below its link's SNR, and the picture with it.
    below = summary.graceful(0.0)["ntscc"]["psnr_db"][0]
    assert below == pytest.approx(31 - 0.01 * 21, abs=0.03)
    assert summary.graceful(5.0)["hevc_fixed"]["psnr_db"][0] == pytest.approx(10, abs=0.01)  # past the cliff: grey
    lines = [check.line for check in checks(results)]
    assert [line[:4] for line in lines] == ["pass", "FAIL", "pass"] * 2 + ["pass"] * 8
    assert "with fitted classes, at 10 dB, CBR 0.03: 34.50 against 32.00 dB (+2.50)" in lines[1]
    assert "largest step 0.89" in lines[10]
    assert "worst -4.00 % at CBR 0.01" in lines[12]
    page = tmp_path / "page.md"
    page.write_text(f"# Model\n\n{pages.BEGIN}\nold\n{pages.END}\n\nend\n")
    pages.insert(page, pages.card(results))
    pages.insert(page, pages.readme(results))
    text = page.read_text()
    assert text.startswith("# Model\n")
    assert text.endswith("-->\n\nend\n")
    assert "old" not in text
    assert "| 10 dB | 0.03 | 34.50 / 0.970 / 0.050 |" in text
    with pytest.raises(ValueError, match="must hold each of the marks"):
        pages.insert(Path(__file__), "x")
    figure.draw(results, tmp_path / "images" / "rd.png")
    assert (tmp_path / "images" / "rd.png").stat().st_size > 20_000


def test_what_was_not_taken_is_open_and_what_does_not_fit_is_grey(made_up, tmp_path):
    from ntscc import plan
    from ntscc.analog import case_key
    from ntscc.checks import checks
    from ntscc.store import Store
    from ntscc.summary import Summary

    stores, pictures = made_up
    stores.ntscc.add(case_key(pictures[0].digest, plan.matched(10.0, 0.05)), problem="does not fit")
    empty = dataclasses.replace(stores, ntscc=Store(tmp_path / "none.jsonl"))
    assert Summary(stores, pictures).awgn(10.0, 0.05)["ntscc"]["psnr_db"][0] == pytest.approx(
        (10 + 36.5 + 37.5 + 1) / 3, abs=0.4
    )
    found = list(checks(Summary(empty, pictures).all()))
    assert all(check.met is None for check in found if "ms" not in check.what)
    assert found[0].line.startswith("open  PSNR 3 dB or more over the linear analog code with eight energy classes")
    del stores.stills.points[f"{pictures[0].digest}|hevc420|end"]
    assert len(Summary(stores, pictures).pictures) == 2
    stores.stills.points.clear()
    with pytest.raises(ValueError, match="run the benchmark with --baselines first"):
        Summary(stores, pictures)
