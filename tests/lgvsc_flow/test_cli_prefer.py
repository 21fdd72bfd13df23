"""`lgvsc-flow train prefer`."""

import numpy as np
import pytest
from typer.testing import CliRunner

torch = pytest.importorskip("torch")

from PIL import Image  # noqa: E402

from lgvsc_flow.blocks.ntscc.checkpoint import read_checkpoint  # noqa: E402
from lgvsc_flow.cli import app  # noqa: E402


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    for number in range(3):
        small = rng.integers(0, 256, (20, 26, 3), dtype=np.uint8)
        Image.fromarray(small).resize((208, 160), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


def run(*arguments):
    result = CliRunner().invoke(app, ["train", *map(str, arguments)])
    return result.exit_code, " ".join((result.output + str(result.exception or "")).split())


def test_a_checkpoint_is_tuned_and_another_training_is_not_overwritten(photographs, tmp_path):
    code, text = run("ntscc", "--data", photographs, "--recipe", "test", "--out", tmp_path / "run", "--workers", 0)
    assert code == 0, text
    before = tmp_path / "run" / "checkpoint.pt"
    arguments = ("--data", photographs, "--out", tmp_path / "tuned", "--batches", 4, "--passes", 1)
    code, text = run("prefer", before, *arguments)
    assert code == 0, text
    assert "dB on crops that decided nothing" in text
    old, new = read_checkpoint(before), read_checkpoint(tmp_path / "tuned" / "checkpoint.pt")
    assert torch.equal(new["net"]["preference"], new["ema"]["preference"])
    assert all(torch.equal(new["ema"][k], v) for k, v in old["ema"].items() if k != "preference")
    code, text = run("prefer", before, *arguments)
    assert code != 0
    assert "holds a training already; give a new folder" in text
