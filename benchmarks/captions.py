"""What captions cost, by coder: `python benchmarks/captions.py FILE...`, one caption a line.

The share is of UTF-8, all captions of a file together, each coded alone, with the same check for every coder: three
bytes, two behind less than 14. The general compressors get the same primer where they take one: deflate its last
32 KiB, zstandard all of it, or a dictionary trained on it. LZMA and brotli take none in Python; brotli has a
dictionary of its own. Headers that a link does not need are left out.

With --model the captions also go through a language model; --noise adds so much to its logits at the decoder, as
another machine's rounding would.
"""

from __future__ import annotations

import argparse
import importlib
import lzma
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from time import thread_time

import numpy as np
from rich.console import Console
from rich.table import Table

from lgvsc_flow.blocks.semantic.captions import check_bytes, pack_text, unpack_text
from lgvsc_flow.blocks.semantic.language_code import LanguageCoder, load_language_coder
from lgvsc_flow.blocks.semantic.letters import caption_model, phrases, primer_lines

Coder = Callable[[bytes], int]


def general_coders() -> dict[str, Coder | str]:
    """Bytes of a text by name; or why there is no such coder here."""
    near, generated = primer_lines()
    # The written sentences last: what is near costs the least, and deflate sees no more than 32 KiB.
    made = len(near) - len(list(phrases()))
    lines = [line.encode() for line in (*generated, *near[made:], *near[:made])]
    primer = b"\n".join(lines)

    def deflate(text: bytes) -> int:
        coder = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zdict=primer[-32768:])
        return len(coder.compress(text) + coder.flush())

    def xz(text: bytes) -> int:
        return len(lzma.compress(text, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA1, "preset": 9}]))

    found: dict[str, Coder | str] = {"LZMA as in xz, without a primer": xz, "deflate": deflate}
    try:
        zstd = importlib.import_module("zstandard")
    except ModuleNotFoundError:
        found["zstandard"] = "not computed: needs zstandard"
    else:
        settings = zstd.ZstdCompressionParameters.from_level(
            22, format=zstd.FORMAT_ZSTD1_MAGICLESS, write_content_size=False, write_dict_id=False, write_checksum=False
        )
        trained = zstd.train_dictionary(110_000, lines)
        whole = zstd.ZstdCompressionDict(primer, dict_type=zstd.DICT_TYPE_RAWCONTENT)
        for name, dictionary in (("zstandard, trained dictionary", trained), ("zstandard, whole primer", whole)):
            coder = zstd.ZstdCompressor(dict_data=dictionary, compression_params=settings)
            found[name] = lambda text, coder=coder: len(coder.compress(text))
    try:
        brotli = importlib.import_module("brotli")
    except ModuleNotFoundError:
        found["brotli"] = "not computed: needs brotli"
    else:
        found["brotli, its own dictionary"] = lambda text: len(brotli.compress(text, mode=brotli.MODE_TEXT, quality=11))
    return found


def measure(coder: Coder, texts: Sequence[bytes], check: bool) -> str:
    sizes = [coder(text) for text in texts]
    sizes = [size + check_bytes(bytes(size)) * check for size in sizes]
    worst = max(size / len(text) for size, text in zip(sizes, texts, strict=True))
    return f"{sum(sizes) / sum(map(len, texts)):.1%}, worst {worst:.0%}"


def with_model(coder: LanguageCoder, lines: Sequence[str], noise: float) -> tuple[str, str]:
    """The share, and what else was seen."""
    letters = caption_model()
    began = thread_time()
    packed = [pack_text(line, letters, language=coder) for line in lines]
    seconds = thread_time() - began
    rng = np.random.default_rng(1)
    read = coder._read

    def noisy(token: int, cache: object) -> np.ndarray:
        logits = read(token, cache)
        return logits + rng.normal(0, noise, len(logits)).astype(np.float32) if noise else logits

    coder._read = noisy  # type: ignore[method-assign]
    began = thread_time()
    back = [unpack_text(data, letters, language=coder) for data in packed]
    decoding = thread_time() - began
    coder._read = read  # type: ignore[method-assign]
    wrong = sum(text not in (None, line) for text, line in zip(back, lines, strict=True))
    share = sum(map(len, packed)) / sum(len(line.encode()) for line in lines)
    tokens = sum(len(coder.tokenizer.encode(line)) + 1 for line in lines) / len(lines)
    return f"{share:.1%}", (
        f"{sum(data[0] >= 240 for data in packed)} as letters, {back.count(None)} lost and {wrong} wrong with noise "
        f"{noise:g}; {tokens:.1f} tokens, {seconds / len(lines):.2f} s to encode and verify, "
        f"{decoding / len(lines):.2f} s to decode"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--model", help="a language model: name, folder or hub:owner/name@commit")
    parser.add_argument("--noise", type=float, default=0.0, help="standard deviation added to logits at the decoder")
    parser.add_argument("--first", type=int, help="only so many captions of each file")
    arguments = parser.parse_args()
    letters = caption_model()
    table = Table("coder", *(file.name for file in arguments.files))
    files = [file.read_text(encoding="utf-8").splitlines()[: arguments.first] for file in arguments.files]
    encoded = [[line.encode() for line in lines] for lines in files]
    for name, coder in general_coders().items():
        row = [coder if isinstance(coder, str) else measure(coder, texts, True) for texts in encoded]
        table.add_row(name, *row)
    table.add_row("letters", *(measure(lambda text: len(pack_text(text.decode(), letters)), t, False) for t in encoded))
    notes = []
    if arguments.model:
        model = load_language_coder(arguments.model)
        results = [with_model(model, lines, arguments.noise) for lines in files]
        table.add_row(arguments.model, *(share for share, _ in results))
        notes = [f"{file.name}: {note}" for file, (_, note) in zip(arguments.files, results, strict=True)]
    console = Console()
    console.print(table)
    for note in notes:
        console.print(note)


if __name__ == "__main__":
    main()
