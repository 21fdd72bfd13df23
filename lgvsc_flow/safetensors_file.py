"""Safetensors files that repeat: the same tensors and words give the same bytes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["save_tensors"]


def save_tensors(path: Path, tensors: dict[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write the file under its final name once it is complete, readable for all; the metadata sorted by key.

    The library sorts the tensors but not the metadata, whose order there differs from one save to the next.
    """
    from safetensors.torch import save

    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(_sorted(save(tensors, dict(metadata))))
    temporary.chmod(0o644)
    os.replace(temporary, path)


def _sorted(data: bytes) -> bytes:
    """The file with sorted metadata: 8 bytes of length, the header as JSON filled up with spaces, the tensors."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    if "__metadata__" in header:
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[end:]
