"""The profile of the keyframe codec runs and adds up; no figure is asserted."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
ENCODER = ("g_a", "h_a", "range coder", "h_s (float64)", "selection", "water-filling", "gain network", "f_e")
DECODER = ("range coder", "h_s (float64)", "selection", "water-filling", "gain network", "f_d", "g_s")


@pytest.fixture(autouse=True)
def _on_path(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)


def test_every_part_is_timed_and_they_add_up():
    import ntscc_speed

    from lgvsc_flow.blocks.ntscc.codec import NtsccCodec

    codec = NtsccCodec()
    pixels = np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8)
    found = ntscc_speed.profile(codec, pixels, 10.0, 0.06, repeats=1)
    parts = found["parts"]
    ends = {"encode": ENCODER, "decode": DECODER}
    assert set(parts) == {f"{end} {part}" for end, those in ends.items() for part in (*those, "the rest")}
    assert all(parts[f"encode {p}"] > 0 for p in ENCODER)
    assert all(parts[f"decode {p}"] > 0 for p in DECODER)
    assert found["both_s"] == pytest.approx(found["encode_s"] + found["decode_s"]) == pytest.approx(sum(parts.values()))
    assert found["cbr"] == pytest.approx((found["symbols"] + found["digital_symbols"]) / pixels.size)
    assert "analyse" not in vars(codec.net)  # the codec is as it was


def test_table_and_file(tmp_path, capsys):
    import ntscc_speed
    from PIL import Image

    picture = tmp_path / "p.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8)).save(picture)
    ntscc_speed.main(picture=picture, repeats=1, out=tmp_path / "speed.json", cbr=0.06)
    told = capsys.readouterr().out
    assert "NTSCC, 80x64" in told
    assert re.search(r"of the limit of 0\.6 s \((met|NOT met)\)", told)
    assert json.loads((tmp_path / "speed.json").read_text())["size"] == [64, 80]
