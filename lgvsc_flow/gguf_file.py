"""GGUF files: converted once into a folder of safetensors with tokenizer and chat template, and kept.

The weights are unpacked to float32, exactly the numbers that the blocks of the file stand for. A conversion's place in
the cache is named by the SHA-256 of its source; it is made aside and moved there whole, under a lock, and a record of
every file's digest, size and time lies beside. On reuse, sizes and times are compared, and where a time differs the
digest is; what does not match is made again.
"""

from __future__ import annotations

import functools
import importlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lgvsc_flow.errors import ModelError
from lgvsc_flow.model_cache import CACHE_VARIABLE, cache_folder
from lgvsc_flow.models import import_extra, sha256_of

__all__ = ["FORMAT", "RECORD", "convert_gguf", "conversion_place", "intact"]

FORMAT = 1  # of a conversion; another one is made again
RECORD = "conversion.json"
MAX_RECORD_BYTES = 2**20


def conversion_place(sha256: str) -> Path:
    """Where the conversion of the file with that digest is kept, or would be."""
    return cache_folder() / "gguf" / f"{sha256}-{FORMAT}"


def convert_gguf(path: Path, what: str, sha256: str | None = None) -> Path:
    """The folder of a GGUF file's conversion, which is made where it is not there yet.

    Args:
        path: the GGUF file.
        what: the model, as messages begin.
        sha256: the file's digest where it is known already.

    Raises:
        ModelError: the file is damaged, transformers has no such model, or the cache cannot be written.
        MissingExtraError: transformers, accelerate or gguf is not installed.
    """
    place = conversion_place(sha256 or sha256_of(path))
    if intact(place):
        return place
    for module in ("torch", "transformers", "accelerate", "gguf", "filelock"):
        import_extra(module, f"{what}: converting {path.name}", "llm", module)
    import filelock

    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(place.with_name(f"{place.name}.lock")):
            if not intact(place):
                _make(path, place, what)
    except OSError as error:
        raise ModelError(
            f"{what}: {path.name} cannot be converted in {place.parent}: {error.strerror or error}; "
            f"set {CACHE_VARIABLE} to a folder with room for it"
        ) from error
    return place


def intact(place: Path) -> bool:
    """Whether a conversion is there, with every file as it was written."""
    try:
        with (place / RECORD).open("rb") as file:
            record = json.loads(file.read(MAX_RECORD_BYTES))
        if record["format"] != FORMAT or record["source_sha256"] != place.name.partition("-")[0]:
            return False
        files = dict(record["files"])
        return bool(files) and all(_is_same(place / Path(name).name, about) for name, about in files.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _is_same(path: Path, about: dict[str, Any]) -> bool:
    now = path.stat()
    if now.st_size != about["bytes"]:
        return False
    return bool(now.st_mtime_ns == about["mtime_ns"] or sha256_of(path) == about["sha256"])


def _make(path: Path, place: Path, what: str) -> None:
    """Convert aside, then move. The caller holds the lock, so what lies aside is of processes that died."""
    for old in place.parent.glob(f"{place.name}.making-*"):
        shutil.rmtree(old, ignore_errors=True)
    aside = Path(tempfile.mkdtemp(prefix=f"{place.name}.making-", dir=place.parent))
    try:
        _convert(path, aside, what)
        files = sorted(p for p in aside.iterdir())
        record = {
            "format": FORMAT,
            "source": path.name,
            "source_sha256": place.name.partition("-")[0],
            "transformers": import_extra("transformers", what, "llm", "transformers").__version__,
            "files": {
                p.name: {"bytes": p.stat().st_size, "mtime_ns": p.stat().st_mtime_ns, "sha256": sha256_of(p)}
                for p in files
            },
        }
        (aside / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")
        if place.exists():
            shutil.rmtree(place)
        aside.rename(place)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _convert(path: Path, folder: Path, what: str) -> None:
    from lgvsc_flow.pretrained import quiet_transformers

    with quiet_transformers():
        tokenizer, model = _read(path, what)
        try:
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
        except Exception as error:  # a full disk is an error of its own in safetensors
            raise OSError(f"{type(error).__name__}: {' '.join(str(error).split())}") from error


def _read(path: Path, what: str) -> tuple[Any, Any]:
    """The tokenizer and the model of a GGUF file, in float32."""
    import torch

    transformers: Any = import_extra("transformers", what, "llm", "transformers")
    arguments: dict[str, Any] = {"gguf_file": path.name, "local_files_only": True, "trust_remote_code": False}
    try:
        with _reading_once():
            tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent, **arguments)
            loaded, report = transformers.AutoModelForCausalLM.from_pretrained(
                path.parent,
                dtype=torch.float32,
                quantization_config=transformers.GgufConfig(dequantize=True),
                output_loading_info=True,
                **arguments,
            )
    except MemoryError:
        raise
    except Exception as error:  # transformers' reader meets a damaged file with whatever comes first
        raise ModelError(
            f"{what}: {path} cannot be read as GGUF: {' '.join(str(error).split())} ({type(error).__name__}); "
            "it is damaged, or its architecture is not known to the installed transformers"
        ) from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise ModelError(f"{what}: {path} lacks weights that the model needs ({missing[0]}); get it again")
    return tokenizer, _plain_copy(loaded)


@contextmanager
def _reading_once() -> Iterator[None]:
    """transformers' GGUF reader parses a file twice and builds its map of names for every module; here it is once.

    Nor does it show its progress bar, which no setting of its own turns off.
    """
    gguf: Any = importlib.import_module("gguf")
    reader: Any = importlib.import_module("transformers.modeling_gguf_pytorch_utils")
    parse, name_map, bar = gguf.GGUFReader, gguf.get_tensor_name_map, reader.tqdm
    gguf.GGUFReader, gguf.get_tensor_name_map = functools.cache(parse), functools.cache(name_map)
    reader.tqdm = lambda items, **_: items
    try:
        yield
    finally:
        gguf.GGUFReader, gguf.get_tensor_name_map, reader.tqdm = parse, name_map, bar


def _plain_copy(loaded: Any) -> Any:
    """The same weights in a model that does not remember it came from GGUF and can be saved."""
    import torch

    config = type(loaded.config).from_dict(
        {k: v for k, v in loaded.config.to_dict().items() if k != "quantization_config"}
    )
    with torch.device("meta"):
        plain = type(loaded)(config)
    plain.load_state_dict(loaded.state_dict(), assign=True)
    plain.tie_weights()
    plain.generation_config = loaded.generation_config
    return plain
