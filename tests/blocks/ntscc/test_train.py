"""A training run: what it leaves, and going on as if nothing had happened."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tiny_training import write_cache

torch = pytest.importorskip("torch")

from lgvsc_flow.blocks.ntscc.checkpoint import read_checkpoint  # noqa: E402
from lgvsc_flow.blocks.ntscc.data import Crops  # noqa: E402
from lgvsc_flow.blocks.ntscc.export import averaged, plot_curve  # noqa: E402
from lgvsc_flow.blocks.ntscc.recipe import RECIPES  # noqa: E402
from lgvsc_flow.blocks.ntscc.train import Trainer  # noqa: E402
from lgvsc_flow.blocks.ntscc.weights_file import load_weights  # noqa: E402
from lgvsc_flow.errors import FlowError, ModelError  # noqa: E402

RECIPE = replace(RECIPES["test"], checkpoint_s=1000.0)


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    return Crops(write_cache(tmp_path_factory.mktemp("cache")), 32)


def begun(crops, out, recipe=RECIPE, **options):
    trainer = Trainer(recipe, crops, out, **options)
    trainer.begin()
    return trainer


def same(first, second):
    return all(torch.equal(value, second[name]) for name, value in first.items())


def test_a_whole_run_leaves_weights_curve_log_and_checkpoint(crops, tmp_path):
    watched = {"one": next(crops.pictures(1, 80))}
    said, shown = [], []
    trainer = begun(crops, tmp_path, replace(RECIPE, validate_s=0.0), watched=watched, note=said.append)
    assert trainer.run(shown.append)
    assert trainer.learner.step == 4
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "checkpoint.previous.pt",
        "checkpoint.pt",
        "curve.png",
        "log.jsonl",
        "ntscc.safetensors",
    ]
    assert load_weights(tmp_path / "ntscc.safetensors").net.settings == RECIPE.net
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert rows == trainer.curve
    assert rows == [json.loads(text) for text in said]
    assert [row["step"] for row in rows if "loss" in row] == [1, 2, 3, 4]
    assert [row["step"] for row in rows if "valid_10db" in row] == [1, 2, 3, 4, 4]
    assert [now.share for now in shown] == [0.25, 0.5, 0.75, 1.0]
    assert [now.stage for now in shown] == ["hyperprior and channel code", "all", "all", "all"]
    assert shown[-1].left_s == 0
    assert np.isfinite([now.psnr_db for now in shown]).all()


def test_a_resumed_run_gives_the_bits_of_an_unbroken_one(crops, tmp_path):
    unbroken, first = begun(crops, tmp_path / "a"), begun(crops, tmp_path / "b")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    unbroken.run()
    count = iter([False, False, True])
    assert not first.run(stop=lambda: next(count))
    again = Trainer(RECIPE, crops, tmp_path / "b", workers=2)
    state = read_checkpoint(tmp_path / "b" / "checkpoint.pt")
    assert state["step"] == 2
    again.resume(state)
    assert again.run()
    assert same(unbroken.learner.net.state_dict(), again.learner.net.state_dict())
    assert same(unbroken.learner.ema, again.learner.ema)
    a, b = (load_weights(tmp_path / name / "ntscc.safetensors").digest for name in "ab")
    assert a == b


def test_lines_of_the_log_after_the_checkpoint_are_taken_back(crops, tmp_path):
    trainer = begun(crops, tmp_path, replace(RECIPE, steps=2))
    trainer.run()
    with open(tmp_path / "log.jsonl", "a") as file:
        file.write('{"step": 3, "loss": 1}\n{"step": 4, "lo')
    said = []
    again = Trainer(replace(RECIPE, steps=2), crops, tmp_path, note=said.append)
    again.resume(read_checkpoint(tmp_path / "checkpoint.pt"))
    assert said == []
    again.resume(read_checkpoint(tmp_path / "checkpoint.pt") | {"pictures": 7})
    assert said == ["the run was begun with 7 pictures: other batches come from here on"]
    assert [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()] == [1, 2]


def test_a_last_stage_goes_on_with_step_and_optimiser(crops, tmp_path):
    first = begun(crops, tmp_path, replace(RECIPE, constant=True))
    first.run()
    last = Trainer(replace(RECIPE, steps=3), crops, tmp_path / "last")
    (tmp_path / "last").mkdir()
    last.anneal(read_checkpoint(tmp_path / "checkpoint.pt"))
    assert (last.learner.step, last.share()) == (4, 0.0)
    assert same(last.learner.net.state_dict(), first.learner.net.state_dict())
    rates = []
    last.run(lambda now: rates.append(last.learner.optimizer.param_groups[0]["lr"]))
    assert rates == sorted(rates, reverse=True)
    assert last.learner.step == 7
    assert (tmp_path / "last" / "ntscc.safetensors").is_file()


def test_skipped_steps_are_told_and_not_in_the_means(crops, tmp_path, monkeypatch):
    said = []
    trainer = begun(crops, tmp_path, replace(RECIPE, steps=2), note=said.append)
    whole = trainer.learner.learn

    def once(pixels, progress):
        row = whole(pixels, progress)
        if trainer.learner.step == 1:
            trainer.learner.skipped = 1
            row["loss"] = np.nan
        return row

    monkeypatch.setattr(trainer.learner, "learn", once)
    assert trainer.run()
    assert said[0] == "step 0: no finite gradient, skipped (1 in all)"
    assert [row.get("skipped") for row in trainer.curve if "loss" in row] == [1]
    assert read_checkpoint(tmp_path / "checkpoint.pt")["skipped"] == 1


def test_a_log_that_cannot_be_written(crops, tmp_path):
    trainer = begun(crops, tmp_path)
    (tmp_path / "log.jsonl").mkdir()
    with pytest.raises(FlowError, match=r"log.jsonl cannot be written: Is a directory. Make room, then go on with --r"):
        trainer.run()


def test_weights_of_a_checkpoint_and_of_one_that_does_not_fit(crops, tmp_path):
    trainer = begun(crops, tmp_path)
    trainer.save()
    state = read_checkpoint(tmp_path / "checkpoint.pt")
    assert same(averaged(state).state_dict(), trainer.learner.ema)
    state["ema"].pop("y_std")
    with pytest.raises(ModelError, match="the checkpoint does not fit this version's networks: Missing key"):
        averaged(state)


def test_curves_are_drawn_whole_or_not_at_all(tmp_path):
    plot_curve([], tmp_path / "empty.png")
    plot_curve(
        [{"step": 1, "elapsed_s": 1.0, "loss": 2.0}, {"step": 2, "elapsed_s": 2.0, "valid_10db": 30.0}],
        tmp_path / "a.png",
    )
    assert {p.name for p in tmp_path.iterdir()} == {"empty.png", "a.png"}
    with pytest.raises(FlowError, match=r"the curves cannot be written to .*: No such file"):
        plot_curve([], tmp_path / "none" / "a.png")
