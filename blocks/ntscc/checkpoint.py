"""Checkpoints of a training that survive a kill or a power cut at any moment.

A checkpoint is written aside, brought to the disk (fsync) and put in place in one step; the one before it stays beside
it as `checkpoint.previous.pt`. At every moment `checkpoint.pt` is a whole file; should the machine's power cut have
spoiled it all the same, the previous one is read.
"""

from __future__ import annotations

import contextlib
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from lgvsc_flow.errors import FlowError, ModelError

NAME, PREVIOUS, DAMAGED = "checkpoint.pt", "checkpoint.previous.pt", "checkpoint.damaged.pt"
KEYS = ("net", "ema", "optimizer", "step", "elapsed", "curve", "settings", "recipe")


def write_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Put `state` in place of the checkpoint in `folder`; the one there becomes the previous one.

    Raises:
        FlowError: it cannot be written; what was there stays.
    """
    path, temporary = folder / NAME, folder / f"{NAME}.tmp"
    try:
        with open(temporary, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            _keep(path, folder / PREVIOUS)
        os.replace(temporary, path)
        _sync_folder(folder)
    except (OSError, RuntimeError) as error:  # torch turns some errors of the file into its own
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).split("\n")[0]
        there = "; the one before it is whole" if path.exists() else ""
        raise FlowError(
            f"the checkpoint cannot be written to {folder}: {reason}{there}. Make room or name another folder, "
            "then go on with --resume"
        ) from error


def _keep(path: Path, previous: Path) -> None:
    """Name the file `previous` too, so that it is found under one of both names at every moment."""
    link = previous.with_name(f"{previous.name}.tmp")
    try:
        link.unlink(missing_ok=True)
        os.link(path, link)
        os.replace(link, previous)
    except OSError:  # a file system without hard links
        os.replace(path, previous)


def _sync_folder(folder: Path) -> None:
    """Bring the names to the disk; file systems and systems that cannot are left alone."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The contents of one checkpoint file, on the CPU.

    Raises:
        ModelError: it is missing, damaged or something else.
    """
    if not path.is_file():
        raise ModelError(f"checkpoint {path} does not exist")
    try:
        with zipfile.ZipFile(path) as archive:
            if (bad := archive.testzip()) is not None:
                raise ValueError(f"the check value of {bad} does not match")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (zipfile.BadZipFile, OSError, RuntimeError, ValueError, EOFError) as error:
        raise ModelError(f"checkpoint {path} is damaged or no checkpoint: {str(error).split(chr(10))[0]}") from error
    except Exception as error:  # weights_only refuses what is no plain data by an UnpicklingError
        raise ModelError(f"{path} is no checkpoint of this training: it holds more than plain data") from error
    missing = [key for key in KEYS if key not in state] if isinstance(state, dict) else list(KEYS)
    if missing:
        raise ModelError(f"{path} is no checkpoint of this training: it has no {', '.join(missing)}")
    return state


def latest_checkpoint(folder: Path, note: Callable[[str], None]) -> dict[str, Any]:
    """The newest whole checkpoint in `folder`; a damaged one is set aside, which `note` is told.

    Raises:
        FlowError: there is none.
        ModelError: there are only damaged ones.
    """
    if not has_checkpoint(folder):
        raise FlowError(f"nothing to resume: {folder / NAME} does not exist; leave --resume out to begin")
    try:
        return read_checkpoint(folder / NAME)
    except ModelError as error:
        if not (folder / PREVIOUS).is_file():
            raise
        state = read_checkpoint(folder / PREVIOUS)
        if (folder / NAME).exists():  # else the next one would take the whole one's place as the previous
            os.replace(folder / NAME, folder / DAMAGED)
        note(f"{error}; the one before it is taken, of step {state['step']}")
        return state


def has_checkpoint(folder: Path) -> bool:
    """Whether a training was begun in `folder`."""
    return any((folder / name).exists() for name in (NAME, PREVIOUS))


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the folder, so that a second training does not write into it; a kill lets go of it.

    Raises:
        FlowError: another process holds it.
    """
    try:
        import fcntl
    except ImportError:  # no such locks on this system
        yield
        return
    with open(folder / "lock", "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            who = file.read().strip()
            raise FlowError(f"another training{f' (process {who})' if who else ''} writes to {folder}") from None
        except OSError:  # a file system without locks
            pass
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
