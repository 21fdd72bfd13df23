"""The commands `lgvsc-flow train ...`, through kills and mistakes."""

import os
import random
import shutil
import signal
import time

import pytest
from rich.console import Console
from tiny_training import log_rows, start, wait_for_rows, write_cache, write_photographs

torch = pytest.importorskip("torch")

from lgvsc_flow.blocks.ntscc.checkpoint import has_checkpoint, read_checkpoint  # noqa: E402
from lgvsc_flow.blocks.ntscc.recipe import RECIPES  # noqa: E402
from lgvsc_flow.blocks.ntscc.train import Progress  # noqa: E402
from lgvsc_flow.blocks.ntscc.weights_file import load_weights  # noqa: E402
from lgvsc_flow.cli import main  # noqa: E402
from lgvsc_flow.cli_train import line  # noqa: E402

TEST = ("--recipe", "test", "--threads", "1")


@pytest.fixture
def command(monkeypatch, capsys):
    def call(*words):
        monkeypatch.setattr("sys.argv", ["lgvsc-flow", "train", *map(str, words)])
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setattr("lgvsc_flow.cli_common.console", Console(markup=False, width=200))
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        return code, captured.out + captured.err

    return call


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return write_cache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def ended(cache, tmp_path_factory):
    """A run that has come to its end, in a child process."""
    out = tmp_path_factory.mktemp("ended") / "run"
    child = start(out.with_name("said"), "train", "ntscc", "--data", cache, "--out", out, *TEST, "--steps", 40)
    child.join(120)
    assert child.exitcode == 0, out.with_name("said").read_text()
    return out


def test_ten_kills_lose_at_most_an_interval_each_and_no_bit(cache, ended, tmp_path):
    """SIGKILL at random moments: of the start, of steps, of the writing of checkpoints."""
    rng, interval = random.Random(5), RECIPES["test"].checkpoint_s
    run, kills = tmp_path / "run", 0
    words = ("train", "ntscc", "--data", cache, "--out", run, "--threads", 1)
    while kills < 10:
        begun = has_checkpoint(run)
        child = start(tmp_path / "said", *words, *(["--resume"] if begun else ["--recipe", "test", "--steps", 40]))
        if kills % 3:
            wait_for_rows(child, run, len(log_rows(run)) + rng.randint(1, 3))
            time.sleep(rng.uniform(0, 0.06))
        else:
            time.sleep(rng.uniform(0, 0.6))
        child.kill()
        child.join()
        assert child.exitcode == -signal.SIGKILL, (tmp_path / "said").read_text()
        kills += 1
        if not has_checkpoint(run):
            assert log_rows(run) == []
            continue
        state = read_checkpoint(run / "checkpoint.pt")  # whole, without the help of the one before
        lost = [row["elapsed_s"] - state["elapsed"] for row in log_rows(run) if row["step"] > state["step"]]
        assert all(seconds < interval + 1e-3 for seconds in lost[:-1])
    child = start(tmp_path / "said", *words, "--resume")
    child.join(120)
    assert child.exitcode == 0, (tmp_path / "said").read_text()
    unbroken, resumed = (read_checkpoint(folder / "checkpoint.pt") for folder in (ended, run))
    for part in ("net", "ema"):
        assert all(torch.equal(value, resumed[part][name]) for name, value in unbroken[part].items())
    digests = {load_weights(folder / "ntscc.safetensors").digest for folder in (ended, run)}
    assert len(digests) == 1
    steps = [row["step"] for row in log_rows(run)]
    assert steps == sorted(set(steps))
    assert not list(run.glob("*.tmp"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves(cache, tmp_path, number):
    run = tmp_path / "run"
    child = start(
        tmp_path / "said",
        "train",
        "ntscc",
        "--data",
        cache,
        "--out",
        run,
        *TEST,
        "--hours",
        1,
        "--set",
        "checkpoint_s=1000",
    )
    wait_for_rows(child, run, 2)
    os.kill(child.pid, number)
    child.join(60)
    said = (tmp_path / "said").read_text()
    assert child.exitcode == 130, said
    step = read_checkpoint(run / "checkpoint.pt")["step"]
    assert step == log_rows(run)[-1]["step"] >= 2
    assert f"stopped and saved at step {step}; --resume goes on" in said
    assert (run / "curve.png").is_file()


def test_a_run_is_not_overwritten_nor_resumed_as_another(command, cache, ended):
    words = ("ntscc", "--data", cache, "--out", ended)
    assert command(*words) == (
        1,
        f"error: {ended} holds a training already: go on with --resume, or name another folder\n",
    )
    code, text = command(*words, "--resume")
    assert code == 1
    assert "has ended (" in text
    assert "40 steps): its weights are" in text
    code, text = command(*words, "--resume", "--recipe", "quick")
    assert "was begun with the recipe 'test', not 'quick'; leave --recipe out to go on, or begin in another" in text
    code, text = command(*words, "--resume", "--grow-from", "x.pt")
    assert "--grow-from begins a run, --resume goes on with one; give one of them" in text


def test_an_ended_run_goes_on_with_more_steps(command, cache, ended, tmp_path):
    shutil.copytree(ended, tmp_path / "run")
    code, text = command(
        "ntscc", "--data", cache, "--out", tmp_path / "run", "--resume", "--steps", 42, "--set", "log_s=1000"
    )
    assert code == 0, text
    assert "recipe test, " in text
    assert "; from step 40" in text
    assert "and curve.png, after 42 steps" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--recipe", "best"], "--recipe best: there are shipped, quick, paper"),
        (["--hours", "1", "--steps", "3"], "--hours and --steps are two lengths; give one"),
        (["--set", "sed=3"], "a recipe has no number 'sed' to set as NAME=VALUE; did you mean seed?"),
        (["--device", "cuda:7"], "--device cuda:7 cannot be used: "),
        (["--device", "abacus"], "--device abacus cannot be used: "),
        (["--begin-from", "a.pt", "--grow-from", "b.pt"], "--begin-from and --grow-from are two beginnings; give one"),
        (["--anneal-from", "none.pt"], "checkpoint none.pt does not exist"),
        (["--watch", "/nowhere"], "--watch /nowhere holds no picture"),
        (["--resume"], "nothing to resume: "),
    ],
)
def test_mistakes(command, cache, tmp_path, words, message):
    recipe = [] if "--recipe" in words or "--anneal-from" in words or "--resume" in words else ["--recipe", "test"]
    code, text = command("ntscc", "--data", cache, "--out", tmp_path / "run", *recipe, *words)
    assert code == 1
    assert message in text
    assert not has_checkpoint(tmp_path / "run")


def test_mistakes_with_files(command, cache, ended, tmp_path):
    (tmp_path / "empty").mkdir()
    code, text = command("ntscc", "--data", tmp_path / "empty", "--out", tmp_path / "run")
    assert (code, "holds no photograph (.jpg, .jpeg, .png, .webp)" in text) == (1, True)
    (tmp_path / "file").touch()
    code, text = command("ntscc", "--data", cache, "--out", tmp_path / "file" / "run")
    assert (code, "cannot be made: Not a directory" in text) == (1, True)
    code, text = command(
        "ntscc", "--data", cache, "--out", tmp_path / "b", "--recipe", "test", "--anneal-from", ended / "checkpoint.pt"
    )
    assert "--anneal-from ends a run with the recipe it has; leave --recipe out, --set changes it" in text
    (tmp_path / "b" / "checkpoint.pt").write_bytes(b"PK half")
    code, text = command("ntscc", "--data", cache, "--out", tmp_path / "b", "--resume")
    assert (code, "is damaged or no checkpoint" in text) == (1, True)


def test_photographs_in_a_folder_straight_away(command, ended, tmp_path):
    photographs = write_photographs(tmp_path / "photographs", 3, (64, 80))
    run = tmp_path / "run"
    watch = write_photographs(tmp_path / "watch", 1, (48, 64))
    code, text = command("ntscc", "--data", photographs, "--out", run, *TEST, "--steps", 2, "--watch", watch)
    assert code == 0, text
    assert text.startswith("3 pictures\nrecipe test, ")
    assert '"valid_10db": ' in text
    assert f"use it: lgvsc-flow run VIDEO --weights {run / 'ntscc.safetensors'} --out FOLDER" in text


def test_beginnings_from_a_checkpoint(command, cache, ended, tmp_path):
    for kind in ("begin", "grow", "anneal"):
        recipe = () if kind == "anneal" else ("--recipe", "test")
        out, checkpoint = tmp_path / kind, ended / "checkpoint.pt"
        code, text = command(
            "ntscc", "--data", cache, "--out", out, *recipe, "--steps", 1, f"--{kind}-from", checkpoint
        )
        assert code == 0, text
        state = read_checkpoint(out / "checkpoint.pt")
        assert (state["step"], state["recipe"]["linear_share"]) == (41 if kind == "anneal" else 1, 0.0)


def test_pictures_are_prepared(command, tmp_path):
    source = write_photographs(tmp_path / "source", 2, (400, 520))
    code, text = command("pictures", source, "--out", tmp_path / "cache")
    assert code == 0, text
    assert text.endswith(f"2 pictures, 1 MB; sources and SHA-256 in {tmp_path / 'cache' / 'pictures.json'}\n")
    code, text = command("pictures", tmp_path / "none", "--out", tmp_path / "cache")
    assert (code, text) == (1, f"error: training source {tmp_path / 'none'} does not exist\n")


def test_weights_are_exported_from_a_checkpoint(command, cache, ended, tmp_path):
    out = tmp_path / "my.safetensors"
    state = read_checkpoint(ended / "checkpoint.pt")
    for late in ("first", "pictures", "skipped"):  # checkpoints of before have none of these
        del state[late]
    torch.save(state, tmp_path / "old.pt")
    code, text = command("export", tmp_path / "old.pt", "--data", cache, "--out", out)
    assert code == 0, text
    assert f"written: {out}, 0.2 MB, of step 40, check value {load_weights(out).digest[:16]}" in text
    assert load_weights(out).digest == load_weights(ended / "ntscc.safetensors").digest
    code, text = command("export", out, "--data", cache, "--out", tmp_path / "b.safetensors")
    assert (code, "is damaged or no checkpoint" in text) == (1, True)
    code, text = command("export", tmp_path / "old.pt", "--data", cache, "--out", tmp_path / "b.pt")
    assert (code, "a weights file ends in .safetensors" in text) == (1, True)


def test_the_live_line():
    now = Progress(1234, -5.8712, 28.416, 1.305, 0.25, 12345.6, "all", 0)
    assert line(now) == "step 1234 · all · loss -5.871 · 28.42 dB · 1.30 steps/s · 3:25:46 left"
    slow = Progress(3, -5.8712, 28.416, 0.25, 0.25, 59, "all", 2)
    assert line(slow) == "step 3 · all · loss -5.871 · 28.42 dB · 4.0 s/step · 2 skipped · 0:00:59 left"


@pytest.mark.parametrize("name", ["", "ntscc", "pictures", "export"])
def test_help_has_examples(command, name):
    code, text = command(*([name] if name else []), "--help")
    assert code == 0
    assert "Example" in text
    assert "lgvsc-flow train " in text
