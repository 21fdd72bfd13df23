import json

import pytest
import yaml

from lgvsc_flow.graphs.calibration import FORMAT, MAX_BYTES, Calibration, CalibrationError, link_of, semantics_of
from lgvsc_flow.graphs.lgvsc import Scheme
from lgvsc_flow.graphs.profiles import model_digests

STEP = {"holds_from": 0.1, "holds_below": 0.4, "keyframes": 3, "symbols": 900, "cbr": 6e-4}


def content(**changes):
    scheme = changes.pop("scheme", Scheme())
    return {
        "format": FORMAT,
        "toolkit": "0.1.0",
        "threshold": 0.25,
        "holds_from": 0.1,
        "holds_below": 0.4,
        "target_cbr": 6.5e-4,
        "cbr": 6e-4,
        "symbols": 900,
        "rule": "the nearest",
        "semantic": semantics_of(scheme),
        "models": {},
        "link": link_of(scheme),
        "neighbours": {"lower_threshold": None, "higher_threshold": None},
        "clips": [
            {"name": "a.mp4", "sha256": "0" * 64, "frames": 5, "keyframes": [0, 2, 4], "symbols": 900, "cbr": 6e-4}
        ],
        "curve": [STEP],
        **changes,
    }


def refusal(path):
    with pytest.raises(CalibrationError) as caught:
        Calibration.load(path)
    return str(caught.value)


@pytest.mark.parametrize("name", ["a.json", "a.yaml", "a.yml"])
def test_there_and_back(tmp_path, name):
    saved = Calibration(content()).save(tmp_path / name)
    loaded = Calibration.load(tmp_path / name)
    assert loaded == saved
    assert loaded.threshold == 0.25
    assert loaded.source["file"] == name
    assert loaded.source["target_cbr"] == 6.5e-4
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_file_that_is_no_calibration(tmp_path):
    assert "cannot be read: No such file or directory" in refusal(tmp_path / "none.json")
    wrong = tmp_path / "wrong.json"
    wrong.write_text("{")
    assert "cannot be read: Expecting property name" in refusal(wrong)
    assert refusal(wrong).endswith(". Make it anew with `lgvsc-flow calibrate`")
    wrong.write_text("[" * 100000)
    assert "cannot be read" in refusal(wrong)
    wrong.write_bytes(b"\xff\xfe")
    assert "cannot be read" in refusal(wrong)
    wrong.write_text('{"ber": 3}')
    assert refusal(wrong) == (
        f"calibration {wrong}: it does not say format: {FORMAT}. Make it anew with `lgvsc-flow calibrate`"
    )
    wrong.write_bytes(b" " * (MAX_BYTES + 1))
    assert "is larger than 4 MiB; it is another file" in refusal(wrong)
    bomb = tmp_path / "bomb.yaml"
    bomb.write_text("a: &a [1, 2]\nb: [*a, *a]\n")
    assert "the alias *a stands for a list" in refusal(bomb)
    bomb.write_text("!!python/object/apply:os.system ['true']\n")
    assert "could not determine a constructor" in refusal(bomb)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threshold": 1.5}, "threshold is from -1 to 1, got 1.5"),
        ({"threshold": "0.3"}, "threshold is not a number"),
        ({"threshold": True}, "threshold is not a number"),
        ({"symbols": 1.5}, "symbols is not a whole number"),
        ({"clips": [{"name": "a"}]}, "clips[0].sha256 is missing"),
        ({"clips": ["a"]}, "clips[0] is no mapping"),
        ({"curve": [{**STEP, "cbr": None}]}, "curve[0].cbr is not a number"),
        ({"cbr": float("inf")}, "cbr is not finite"),
        ({"semantic": {"profile": "embeded"}}, "no profile is called 'embeded'; did you mean embedded?"),
    ],
)
def test_a_wrong_part_is_named(tmp_path, changes, message):
    (tmp_path / "a.json").write_text(json.dumps(content(**changes)))
    assert message in refusal(tmp_path / "a.json")
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(content(**changes)))
    assert message in refusal(tmp_path / "a.yaml")


def test_a_missing_part_is_named(tmp_path):
    data = content()
    del data["link"]
    (tmp_path / "a.json").write_text(json.dumps(data))
    assert "link is missing" in refusal(tmp_path / "a.json")


def test_the_same_settings_pass():
    assert Calibration(content()).check(Scheme(seed=9)) == []
    assert Calibration(content()).check(Scheme(profile="embedded", describer="embedded")) == []


@pytest.mark.parametrize(
    ("made", "used", "message"),
    [
        (
            Scheme(),
            Scheme(sample_fps=4.6),
            "was calibrated with sample_fps none (here 4.6), and its threshold means nothing here. Run with the "
            "profile's own sampling, or calibrate again with the settings of this run",
        ),
        (
            Scheme(profile="minilm", sample_fps=2.0),
            Scheme(),
            "was calibrated with profile minilm (here embedded), judge minilm (here embedded), sample_fps 2 (here "
            "none), and its threshold means nothing here. Run with --profile minilm --sample-fps 2, or",
        ),
        (
            Scheme(profile="smollm2", focus="background"),
            Scheme(profile="smollm2"),
            "was calibrated with focus background (here general), and its threshold means nothing here. Run with "
            "--focus background, or",
        ),
        (Scheme(), Scheme(search="gallop"), "Run with --search exact, or"),
    ],
)
def test_other_settings_are_refused(made, used, message):
    with pytest.raises(CalibrationError) as caught:
        Calibration(content(scheme=made)).check(used)
    assert message in str(caught.value)


def test_another_link_is_noted():
    assert Calibration(content()).check(Scheme(esn0_db=6.0, quality=3.0)) == [
        "the calibration was calibrated with esn0_db 10 (here 6), quality 1.5 (here 3): the CBR will be another than "
        "0.0006."
    ]


def test_a_scheme_without_a_threshold():
    with pytest.raises(CalibrationError, match="holds a threshold, and skim-sfa has none"):
        Calibration(content()).check(Scheme(name="skim-sfa"))


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CalibrationError, match="the calibration cannot be written to"):
        Calibration(content()).save(tmp_path / "file" / "a.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("threshold: 0x" + "f" * 5000, "threshold is too large"),
        ("threshold: !!int ''", "cannot be read"),
        ("threshold: !!bool x", "cannot be read"),
        ("threshold: !!timestamp x", "cannot be read"),
        ("threshold: " + "1:" * 400 + "1.5", "cannot be read"),
    ],
    ids=["hex", "int", "bool", "timestamp", "sexagesimal"],
)
def test_numbers_that_trip_the_loader(tmp_path, text, message):
    path = Calibration(content()).save(tmp_path / "odd.yaml").source and tmp_path / "odd.yaml"
    lines = [line for line in path.read_text().splitlines() if not line.startswith("threshold:")]
    path.write_text("\n".join([*lines, text]))
    assert message in refusal(path)


def test_other_weights_under_the_same_name_are_refused(tmp_path):
    for place in ("a", "b"):
        (tmp_path / place / "judge").mkdir(parents=True)
        (tmp_path / place / "judge" / "model.safetensors").write_bytes(place.encode())
    mine, other = (Scheme(judge=str(tmp_path / place / "judge")) for place in ("a", "b"))
    found = Calibration(content(scheme=mine, models=model_digests(mine.semantics)), {"file": "budget.json"})
    assert found.check(mine) == []
    with pytest.raises(CalibrationError) as caught:
        found.check(other)
    assert str(caught.value) == (
        "budget.json was calibrated with other weights (judge/model.safetensors), and its threshold means nothing "
        "here. Take the same model, or calibrate again"
    )
