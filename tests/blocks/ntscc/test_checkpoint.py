"""Checkpoints: written whole or not at all, and read with care."""

import pickle
import resource

import pytest

torch = pytest.importorskip("torch")

from lgvsc_flow.blocks.ntscc import checkpoint  # noqa: E402
from lgvsc_flow.blocks.ntscc.checkpoint import (  # noqa: E402
    KEYS,
    latest_checkpoint,
    only_one,
    read_checkpoint,
    write_checkpoint,
)
from lgvsc_flow.errors import FlowError, ModelError  # noqa: E402


def state(step):
    return {key: {} for key in KEYS} | {"step": step, "net": {"w": torch.arange(1000.0) + step}}


def silent(text):
    raise AssertionError(text)


def test_the_one_before_is_kept(tmp_path):
    for step in (1, 2, 3):
        write_checkpoint(tmp_path, state(step))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint.previous.pt", "checkpoint.pt"]
    assert latest_checkpoint(tmp_path, silent)["step"] == 3
    assert read_checkpoint(tmp_path / "checkpoint.previous.pt")["step"] == 2


def test_without_hard_links_the_one_before_is_kept_too(tmp_path, monkeypatch):
    def refused(*names):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(checkpoint.os, "link", refused)
    for step in (1, 2):
        write_checkpoint(tmp_path, state(step))
    assert read_checkpoint(tmp_path / "checkpoint.previous.pt")["step"] == 1
    (tmp_path / "checkpoint.pt").unlink()  # a kill between both moves
    said = []
    assert latest_checkpoint(tmp_path, said.append)["step"] == 1
    assert "the one before it is taken, of step 1" in said[0]


@pytest.mark.parametrize("damage", ["half", "zeros", "bit", "empty"])
def test_a_file_that_a_power_cut_spoiled_is_set_aside(tmp_path, damage):
    for step in (1, 2):
        write_checkpoint(tmp_path, state(step))
    path = tmp_path / "checkpoint.pt"
    raw = bytearray(path.read_bytes())
    if damage == "bit":
        raw[len(raw) // 2] ^= 1
    path.write_bytes({"half": raw[: len(raw) // 2], "zeros": bytes(len(raw)), "bit": raw, "empty": b""}[damage])
    said = []
    assert latest_checkpoint(tmp_path, said.append)["step"] == 1
    assert "checkpoint.pt is damaged" in said[0]
    assert said[0].endswith("the one before it is taken, of step 1")
    assert (tmp_path / "checkpoint.damaged.pt").is_file()
    write_checkpoint(tmp_path, state(3))
    assert read_checkpoint(tmp_path / "checkpoint.previous.pt")["step"] == 1
    (tmp_path / "checkpoint.previous.pt").unlink()
    path.write_bytes(b"half")
    with pytest.raises(ModelError, match=r"checkpoint.pt is damaged or no checkpoint"):
        latest_checkpoint(tmp_path, silent)


def test_other_files_are_no_checkpoints(tmp_path):
    path = tmp_path / "checkpoint.pt"
    with pytest.raises(ModelError, match=r"checkpoint.pt does not exist"):
        read_checkpoint(path)
    path.write_bytes(pickle.dumps({"step": 1}))
    with pytest.raises(ModelError, match="is damaged or no checkpoint"):
        read_checkpoint(path)
    torch.save({"step": 1, "net": {}}, path)
    with pytest.raises(ModelError, match="no checkpoint of this training: it has no ema, optimizer, elapsed"):
        read_checkpoint(path)
    torch.save(Exception, path)
    with pytest.raises(ModelError, match="it holds more than plain data"):
        read_checkpoint(path)


def test_a_full_disk_leaves_the_one_before(tmp_path):
    write_checkpoint(tmp_path, state(1))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, hard))  # larger files cannot be written from here on
    try:
        with pytest.raises(FlowError) as error:
            write_checkpoint(tmp_path, state(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(error.value).startswith(f"the checkpoint cannot be written to {tmp_path}: ")
    assert "; the one before it is whole. Make room or name another folder, then go on with --resume" in str(
        error.value
    )
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.pt"]
    assert read_checkpoint(tmp_path / "checkpoint.pt")["step"] == 1


@pytest.mark.parametrize("moment", ["save", "fsync", "link", "replace"])
def test_a_kill_at_any_moment_leaves_a_whole_file(tmp_path, monkeypatch, moment):
    write_checkpoint(tmp_path, state(1))
    write_checkpoint(tmp_path, state(2))

    def killed(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(torch if moment == "save" else checkpoint.os, moment, killed)
    with pytest.raises(KeyboardInterrupt):
        write_checkpoint(tmp_path, state(3))
    assert latest_checkpoint(tmp_path, silent)["step"] == 2


def test_nothing_to_resume(tmp_path):
    with pytest.raises(FlowError, match=r"nothing to resume: .*checkpoint.pt does not exist; leave --resume out"):
        latest_checkpoint(tmp_path, silent)


def test_a_folder_is_one_training_s(tmp_path):
    with (
        only_one(tmp_path),
        pytest.raises(FlowError, match=r"another training \(process \d+\) writes to "),
        only_one(tmp_path),
    ):
        pass
    with only_one(tmp_path):
        pass
