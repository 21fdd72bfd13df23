import json

import pytest
from films import write_film
from rich.console import Console

from lgvsc_flow.cli import main


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return write_film(tmp_path_factory.mktemp("film") / "film.mp4", [40] * 5 + [110] * 5 + [220] * 5)


@pytest.fixture
def command(monkeypatch, capsys):
    def call(*words):
        monkeypatch.setattr("sys.argv", ["lgvsc-flow", *map(str, words)])
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


def test_calibrate_and_run_with_it(command, film, tmp_path):
    out = tmp_path / "new" / "budget.json"
    code, text = command("calibrate", film, "--target-cbr", "0.03", "--out", out)
    assert code == 0, text
    assert "for a CBR of at most 0.03" in text
    assert f"use it: lgvsc-flow run VIDEO --threshold {out}" in text
    assert sorted(p.name for p in out.parent.iterdir()) == ["budget.json", "budget.png"]
    data = json.loads(out.read_text())
    code, text = command("run", film, "--threshold", out, "--out", tmp_path / "run")
    assert code == 0, text
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["cbr"]["symbols"] == data["symbols"]
    assert run["keyframes"] == data["clips"][0]["keyframes"]
    assert run["semantic"]["threshold"] == data["threshold"]
    assert run["semantic"]["calibration"]["file"] == "budget.json"
    assert "calibrated for a CBR of 0.03" in (tmp_path / "run" / "report.html").read_text()

    code, text = command("run", film, "--threshold", out, "--snr-db", "4", "--out", tmp_path / "run")
    assert code == 0
    assert "budget.json was calibrated with esn0_db 10 (here 4): the CBR will be another than" in text
    code, text = command("run", film, "--threshold", out, "--sample-fps", "5", "--out", tmp_path / "none")
    assert code == 1
    assert text.startswith("error: budget.json was calibrated with sample_fps none (here 5)")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "a.txt"], "error: --out a.txt: a calibration ends in .json, .yaml, .yml"),
        (["--profile", "qwen"], "error: no profile is called 'qwen'; did you mean qwen3-vl?"),
        (["--target-cbr", "0"], "error: --target-cbr is a number above 0, as in 6e-4; got 0"),
        (["--target-cbr", "1e-9"], "error: a CBR of 1e-09 cannot be met: the least is"),
        (["--focus", "backgrund"], "error: no focus is called 'backgrund'; did you mean background?"),
    ],
)
def test_mistakes_are_told_and_leave_nothing(command, film, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    code, text = command("calibrate", film, "--target-cbr", "0.03", "--out", "a.json", *words)
    assert code == 1
    assert message in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("threshold", "message"),
    [
        ("2", "error: --threshold is from -1 to 1, as S_rel is; got 2"),
        ("nan", "error: --threshold is from -1 to 1, as S_rel is; got nan"),
        (
            "low",
            "error: --threshold takes a number from -1 to 1, or a file that `lgvsc-flow calibrate` wrote; got 'low'",
        ),
    ],
)
def test_wrong_thresholds(command, film, tmp_path, threshold, message):
    code, text = command("run", film, "--threshold", threshold, "--out", tmp_path / "out")
    assert code == 1
    assert text.startswith(message)


def test_a_missing_model_names_the_command(command, film, tmp_path, monkeypatch):
    monkeypatch.setenv("LGVSC_FLOW_MODELS", str(tmp_path))
    for words in (
        ["run", film, "--out", tmp_path / "out"],
        ["calibrate", film, "--target-cbr", "1e-2", "--out", "a.json"],
    ):
        code, text = command(*words, "--profile", "smolvlm")
        assert code == 1
        assert text.startswith("error: profile smolvlm: model smolvlm2-500m")
        assert text.endswith("`lgvsc-flow models` lists what each profile needs and what is here\n")
        assert text.count("\n") == 1


def test_wrong_names_of_commands_and_options(command):
    code, text = command("calibrat")
    assert code == 2
    assert "Did you mean 'calibrate'?" in text
    code, text = command("run", "a.mp4", "--profil", "embedded")
    assert code == 2
