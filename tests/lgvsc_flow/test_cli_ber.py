"""The command `lgvsc-flow ber`, from its words to its files."""

import json

import pytest
from rich.console import Console

from lgvsc_flow.cli import main
from lgvsc_flow.cli_ber import EXAMPLES, parse_points
from lgvsc_flow.errors import FlowError


@pytest.fixture
def command(monkeypatch, capsys):
    def call(*words, columns=80):
        monkeypatch.setattr("sys.argv", ["lgvsc-flow", "ber", *map(str, words)])
        monkeypatch.setenv("COLUMNS", str(columns))
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        return code, captured.out, captured.err

    return call


def test_a_curve_from_the_command_line(command, tmp_path):
    words = ["--code", "nr:256/512", "--order", 16, "--channel", "rayleigh", "--esn0-db", "-2:8:5", "--errors", 20]
    words += ["--max-bits", "1e5", "--out", tmp_path / "a.jsonl", "--plot", tmp_path / "new" / "a.png"]
    code, text, error = command(*words)
    assert (code, error) == (0, "")
    assert "5G NR 256/512, 16-QAM, rayleigh" in text
    assert (tmp_path / "new" / "a.png").read_bytes().startswith(b"\x89PNG")
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [line.get("esn0_db") for line in lines] == [None, -2, 3, 8]
    again = command(*words, "--engine", "inline", "--compare", tmp_path / "a.jsonl")
    assert again == (0, text, "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--esn0-db", "0:20", "--out", "/dev/null/a"], "error: /dev/null/a: its folder cannot be made: File exists"),
        (["--esn0-db", "0:20", "--out", "."], "error: . cannot be "),
        (["--esn0-db", "loud"], "error: --esn0-db takes start:stop:step or values with commas, as in 0:20:2"),
        (["--esn0-db", "0", "--code", "turbo"], "error: there is no code 'turbo'; there are none, wifi,"),
        (["--esn0-db", "0", "--channel", "rician:q=3"], "error: rician:q=3: no setting 'q'; it has k_factor_db,"),
        (["--esn0-db", "0", "--order", "5"], "error: order is one of 4, 16,"),
        (["--esn0-db", "0", "--mcs", "1/29"], "error: an MCS is a table and a row: 1/0 to 1/28, 2/0 to 2/27, 3/0 to"),
        (["--esn0-db", "0", "--mcs", "1/3", "--order", "4"], "error: --mcs says code and order; leave them out"),
        (["--esn0-db", "0", "--errors", "0"], "error: errors is at least 1, got 0"),
        (["--esn0-db", "0", "--confidence", "2"], "error: confidence is between 0 and 1"),
        (["--esn0-db", "0", "--plot", "a.gif"], "error: a.gif: a plot ends in .png, .svg, .pdf"),
        (["--esn0-db", "0", "--compare", "none.jsonl"], "error: none.jsonl does not exist"),
        (["--esn0-db", "0", "--channel", "replay:path=none.npy"], "error: ReplayChannel: "),
    ],
)
def test_wrong_words_end_in_one_line(command, words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, text, error = command(*words)
    assert code == 1
    assert error.startswith(message)
    assert error.count("\n") == 1
    assert text == ""
    assert list(tmp_path.iterdir()) == []


def test_a_row_of_an_mcs_table(command):
    code, text, _ = command("--mcs", "1/10", "--esn0-db", "0,12", "--errors", 5, "--max-bits", 1e5)
    assert code == 0
    assert "5G NR 2024/6240, 16-QAM, awgn" in text or "5G NR 2088/6240, 16-QAM, awgn" in text


def test_help_has_examples(command):
    code, text, _ = command("--help", columns=200)
    assert code == 0
    for word in ("--esn0-db", "--code nr:512/1024 --order 16", "Examples:", "--no-interleave"):
        assert word in text


def test_the_examples_of_the_help_are_right(tmp_path, monkeypatch):
    from lgvsc_flow.blocks.phy.ldpc.alist import write_alist
    from lgvsc_flow.blocks.phy.ldpc.code import wifi_code
    from lgvsc_flow.blocks.phy.ldpc.parity_check import ParityCheck
    from lgvsc_flow.graphs.modem import Modem

    monkeypatch.chdir(tmp_path)
    write_alist("my.alist", ParityCheck.of_dense(wifi_code(648, "1/2").parity_check()))
    for example in EXAMPLES.split("`")[1::2]:
        words = example.split()
        given = dict(zip(words[2::2], words[3::2], strict=True))
        modem = Modem(
            code=given.get("--code", "none"),
            order=int(given.get("--order", 16)),
            channel=given.get("--channel", "awgn"),
        )
        modem(parse_points(given["--esn0-db"])[0]).check()


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0:20:5", [0, 5, 10, 15, 20]),
        ("0:3", [0, 1, 2, 3]),
        ("-1:0:0.3", [-1, -0.7, -0.4, -0.1]),
        ("0:1:0.1", [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]),
        ("7", [7]),
        ("3,0,5.5", [3, 0, 5.5]),
    ],
)
def test_points(text, values):
    assert parse_points(text) == values


@pytest.mark.parametrize(
    "text", ["", "a", "0:1:0", "1:0:1", "0:1:2:3", "nan", "0:inf:1", "0:1:nan", "0:1000:0.001", "300"]
)
def test_what_are_no_points(text):
    with pytest.raises(FlowError, match="--esn0-db"):
        parse_points(text)


def test_progress_is_shown_on_a_terminal(monkeypatch):
    from lgvsc_flow import cli_ber

    class Terminal:
        encoding = "utf-8"
        text = ""

        def isatty(self):
            return True

        def write(self, text):
            self.text += text

        def flush(self):
            pass

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(cli_ber, "Console", lambda **_: Console(file=terminal, force_terminal=True, width=100))
    with cli_ber._progress(3, 100, 1e6) as show:
        show(4.0, 20, 5000)
        show(6.0, 50, 1000)
    assert "6 dB, point 2 of 3" in terminal.text
    assert "50 of 100 errors, 1,000 bits" in terminal.text
