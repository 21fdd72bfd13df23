"""Training: a few steps on tiny data, and going on after a kill as if nothing had happened."""

import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lgvsc_flow.blocks.ntscc.data import Crops  # noqa: E402
from lgvsc_flow.blocks.ntscc.nets import NetSettings  # noqa: E402
from lgvsc_flow.blocks.ntscc.train import Recipe, Trainer  # noqa: E402
from lgvsc_flow.blocks.ntscc.weights_file import load_weights  # noqa: E402

RECIPE = Recipe(
    steps=4,
    crop=32,
    crops_per_group=2,
    linear_share=0.3,
    warmup_steps=2,
    net=NetSettings((20, 6, 6), 4, 8, 8, 8, (8, 8, 8), (1, 1, 1), (8, 8, 8), (1, 1, 1)),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    rough = rng.normal(size=(3, 64, 80, 3)).cumsum(1).cumsum(2)
    pixels = np.clip(128 + 10 * rough, 0, 255).astype(np.uint8)
    np.save(folder / "pictures.npy", pixels.ravel())
    scales = [[{"offset": i * 64 * 80 * 3, "height": 64, "width": 80}] for i in range(3)]
    pictures = [{"source": str(i), "sha256": "", "weight": 1.0, "scales": s} for i, s in enumerate(scales)]
    (folder / "pictures.json").write_text(json.dumps({"pictures": pictures}))
    return folder


def trained(data, out, steps):
    trainer = Trainer(RECIPE, data, out)
    trainer.begin()
    for _ in range(steps):
        trainer.train_step()
    return trainer


def test_a_whole_run_leaves_weights_curve_and_checkpoint(data, tmp_path):
    trainer = Trainer(replace(RECIPE, validate_s=0.0), data, tmp_path)
    trainer.begin()
    trainer.run({"one": next(Crops(data, 32).pictures(1, 80))})
    assert trainer.step == 4
    assert load_weights(tmp_path / "ntscc.safetensors").net.settings == RECIPE.net
    assert (tmp_path / "curve.png").is_file()
    assert any("valid_10db" in row for row in trainer.curve)
    assert not list(tmp_path.glob("*.tmp"))


def test_a_killed_run_goes_on_bit_for_bit(data, tmp_path):
    unbroken = trained(data, tmp_path / "a", 3)
    first = trained(data, tmp_path / "b", 2)
    first.save()
    first.train_step()  # lost in the kill
    again = Trainer(RECIPE, data, tmp_path / "b")
    again.load()
    assert again.step == 2
    again.train_step()
    for name, value in unbroken.net.state_dict().items():
        assert torch.equal(again.net.state_dict()[name], value), name
        assert torch.equal(again.ema[name], unbroken.ema[name]), name


def test_half_a_checkpoint_never_replaces_a_whole_one(data, tmp_path, monkeypatch):
    trainer = trained(data, tmp_path, 1)
    trainer.save()
    whole = (tmp_path / "checkpoint.pt").read_bytes()

    def killed(state, path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        trainer.save()
    assert (tmp_path / "checkpoint.pt").read_bytes() == whole


def test_all_weights_learn(data, tmp_path):
    trainer = Trainer(replace(RECIPE, linear_share=0.0), data, tmp_path)
    trainer.begin()
    before = {name: p.detach().clone() for name, p in trainer.net.named_parameters()}
    for _ in range(4):
        row = trainer.train_step()
        assert np.isfinite(list(row.values())).all()
    still = [name for name, p in trainer.net.named_parameters() if torch.equal(p, before[name])]
    assert still == []


def test_begin_from_takes_the_hyperprior_and_leaves_the_rest(data, tmp_path):
    first = trained(data, tmp_path, 2)
    first.save()
    second = Trainer(RECIPE, data, tmp_path / "second")
    fresh = {name: p.clone() for name, p in second.net.state_dict().items()}
    second.begin_from(tmp_path / "checkpoint.pt")
    state = second.net.state_dict()
    assert torch.equal(state["h_s.first.weight"], first.net.state_dict()["h_s.first.weight"])
    assert torch.equal(state["g_s.first.weight"], fresh["g_s.first.weight"])
    torch.testing.assert_close(state["prior.log_gain"].diff(dim=0), torch.full((7, 4), 0.3))
    assert np.isfinite(second.train_step()["loss"])


def test_nothing_to_resume(data, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing to resume: .*checkpoint.pt does not exist"):
        Trainer(RECIPE, data, tmp_path).load()


def test_a_resumed_run_keeps_its_recipe(data, tmp_path):
    first = Trainer(replace(RECIPE, constant=True, learning_rate=3e-4, linear_share=0.0), data, tmp_path)
    first.begin()
    first.train_step()
    first.save()
    recipe = Trainer.recipe_of(tmp_path, 7.0)
    assert recipe == replace(first.recipe, hours=7.0)
    with pytest.raises(FileNotFoundError, match="nothing to resume"):
        Trainer.recipe_of(tmp_path / "elsewhere", 1.0)


def test_a_grown_run_begins_as_the_average_of_the_old(data, tmp_path):
    first = trained(data, tmp_path, 3)
    first.save()
    larger = replace(RECIPE, net=NetSettings((24, 8, 8), 4, 8, 12, 8, (12, 8, 8), (1, 2, 1), (8, 12, 8), (2, 1, 1)))
    second = Trainer(larger, data, tmp_path / "second")
    second.grow_from(tmp_path / "checkpoint.pt")
    torch.testing.assert_close(second.net.state_dict()["h_s.first.weight"], first.ema["h_s.first.weight"])
    assert np.isfinite(second.train_step()["loss"])


def test_a_last_stage_goes_on_with_step_and_optimiser(data, tmp_path):
    first = trained(data, tmp_path, 2)
    first.save()
    last = Trainer(replace(RECIPE, steps=6), data, tmp_path / "last")
    last.anneal_from(tmp_path / "checkpoint.pt")
    assert last.step == 2
    assert torch.equal(last.net.state_dict()["f_d.first.weight"], first.net.state_dict()["f_d.first.weight"])
    last.run()
    assert (tmp_path / "last" / "ntscc.safetensors").is_file()


def test_the_rate_is_constant_or_falls():
    constant, falling = replace(RECIPE, constant=True), replace(RECIPE, constant=False)
    assert constant.rate(0, 0.0) == 0.5
    assert constant.rate(10**6, 0.9) == 1.0
    assert falling.rate(10**6, 0.5) == pytest.approx(0.5)
    assert falling.rate(10**6, 1.0) == 0.002


def test_half_of_the_draws_come_from_the_narrow_ranges():
    recipe = replace(RECIPE, focus_cbr=(0.03, 0.031), focus_snr_db=(10.0, 10.1), groups=1)
    draws = [recipe.draws(step)[0] for step in range(400)]
    narrow = sum(0.03 <= d.cbr <= 0.031 and 10.0 <= d.snr_db <= 10.1 for d in draws)
    assert 150 < narrow < 250  # binomial with p = 0.5: 1 in a million outside
