"""Channel codes by name: `none`, `wifi:1944/1/2`, `nr:512/1024`, `conv:1/2`, `ldpc:my.alist`; then settings."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from lgvsc_flow import Block
from lgvsc_flow.blocks.phy import ConvolutionalEncoder, HardDecision, LdpcDecoder, LdpcEncoder, ViterbiDecoder
from lgvsc_flow.blocks.phy.ldpc.nr_blocks import NrLdpcDecoder, NrLdpcEncoder
from lgvsc_flow.blocks.phy.ldpc.user_blocks import UserLdpcDecoder, UserLdpcEncoder
from lgvsc_flow.blocks.phy.nr_mcs import NR_MCS_TABLES, NrMcs
from lgvsc_flow.graphs.spec import Parts, SpecError, build, choose, split

__all__ = ["CODES", "Code", "code", "mcs_row"]


@dataclass(frozen=True)
class Code:
    """A channel code: `k` information bits become `n` sent bits; the blocks of both ends.

    `interleaved` says whether its words should be spread over a burst: NR has an interleaver of its own, which puts
    the bits that matter most into the strongest places of the labels.
    """

    name: str
    k: int
    n: int
    encoder: Callable[[], list[Block]]
    decoder: Callable[[], list[Block]]
    coded: bool = True
    interleaved: bool = True

    @property
    def code_rate(self) -> float:
        """Information bits per sent bit: a CRC or tail inside the code lowers it."""
        return self.k / self.n


def _ends(encoder: type[Block], decoder: type[Block], parts: Parts, **fixed: object) -> tuple[Block, Block]:
    """Both ends with the settings of the text; the decoder has all that the encoder has, and more."""
    settings = {**parts.settings, **fixed}
    for name in fixed:
        if name in parts.settings:
            raise SpecError(f"{parts.text}: {name} is set twice, leave it out of the settings")
    receiver = build(decoder, replace(parts, settings={}), settings)
    shared = {k: v for k, v in settings.items() if k in encoder.setting_fields()}
    return build(encoder, replace(parts, settings={}), shared), receiver


def _copies(block: Block) -> Callable[[], list[Block]]:
    """Blocks belong to one graph: a new one for each."""
    return lambda: [type(block)(**block.settings)]


def _none(parts: Parts, order: int) -> Code:
    if parts.detail or parts.settings:
        raise SpecError(f"{parts.text}: 'none' has no settings")
    return Code("uncoded", 1, 1, list, lambda: [HardDecision()], coded=False, interleaved=False)


def _wifi(parts: Parts, order: int) -> Code:
    found = re.fullmatch(r"(\d{1,6})[:/ ](\d/\d)", parts.detail)
    if not found:
        raise SpecError(f"{parts.text}: write the length and the rate, as in wifi:1944/1/2 or 802.11n:648:5/6")
    encoder, decoder = _ends(LdpcEncoder, LdpcDecoder, parts, n=int(found[1]), code_rate=found[2])
    assert isinstance(encoder, LdpcEncoder)
    return Code(
        f"802.11n n={encoder.n} r={encoder.code_rate}", encoder.k, encoder.n, _copies(encoder), _copies(decoder)
    )


def _nr(parts: Parts, order: int) -> Code:
    found = re.fullmatch(r"(\d{1,7})/(\d{1,8})", parts.detail)
    if not found:
        raise SpecError(f"{parts.text}: write information bits and sent bits, as in nr:512/1024")
    encoder, decoder = _ends(NrLdpcEncoder, NrLdpcDecoder, parts, a=int(found[1]), e=int(found[2]), order=order)
    assert isinstance(encoder, NrLdpcEncoder)
    if encoder.a == encoder.n:
        raise SpecError(f"{parts.text}: {encoder.n} sent bits leave no room for the CRC of {encoder.a}; send more")
    name = f"5G NR {encoder.a}/{encoder.matching.e}" + (f" rv={encoder.rv}" if str(encoder.rv) != "0" else "")
    return Code(name, encoder.a, encoder.n, _copies(encoder), _copies(decoder), interleaved=False)


def _conv(parts: Parts, order: int) -> Code:
    encoder, decoder = _ends(ConvolutionalEncoder, ViterbiDecoder, parts, code_rate=parts.detail or "1/2")
    assert isinstance(encoder, ConvolutionalEncoder)
    name = f"convolutional K=7 r={encoder.code_rate} k={encoder.k}"
    return Code(name, encoder.k, encoder.n, _copies(encoder), _copies(decoder))


def _ldpc(parts: Parts, order: int) -> Code:
    # A path keeps its capitals: `detail` is in small letters.
    rest = parts.text.partition(":")[2]
    path = (rest.partition("=")[0].rpartition(":")[0] if parts.settings else rest).strip()
    if not path:
        raise SpecError(f"{parts.text}: write the file of the parity-check matrix, as in ldpc:my.alist or ldpc:my.qc")
    encoder, decoder = _ends(UserLdpcEncoder, UserLdpcDecoder, parts, matrix=path)
    assert isinstance(encoder, UserLdpcEncoder)
    name = f"{Path(path).stem}, {encoder.format}"  # with a digest: a curve goes on with the same matrix only
    return Code(name, encoder.k, encoder.n, _copies(encoder), _copies(decoder))


CODES: dict[str, Callable[[Parts, int], Code]] = {
    "none": _none,
    "wifi": _wifi,
    "802.11n": _wifi,
    "nr": _nr,
    "conv": _conv,
    "ldpc": _ldpc,
}


def code(text: str, order: int = 4) -> Code:
    """The code that a text names; `order` is the constellation, for which NR interleaves.

    - `none`: bits as they are.
    - `wifi:LENGTH/RATE` (or `802.11n:LENGTH:RATE`): LDPC of 802.11, 648, 1296 or 1944; 1/2, 2/3, 3/4 or 5/6.
    - `nr:K/N`: LDPC of 5G NR, transport blocks of K bits without their CRC, N bits sent per transmission.
    - `conv:RATE`: the convolutional code (133, 171), words of 1024 bits or `k=...`.
    - `ldpc:FILE`: an LDPC code of your own, its parity-check matrix an alist file or a quasi-cyclic table.

    Settings of the decoder and the encoder follow, as in `nr:512/1024:max_iterations=10,rv=2`.

    Raises:
        SpecError: it names none.
    """
    parts = split(text)
    return choose("code", parts, CODES)(parts, order)


def mcs_row(text: str) -> NrMcs:
    """The row of an NR MCS table that a text names, table and index, as in `1/17`.

    Raises:
        SpecError: there is no such row.
    """
    table, _, index = text.partition("/")
    rows = NR_MCS_TABLES.get(int(table), ()) if re.fullmatch("[0-9]", table) else ()
    if not re.fullmatch("[0-9]{1,3}", index) or int(index) >= len(rows):
        known = ", ".join(f"{number}/0 to {number}/{len(rows) - 1}" for number, rows in NR_MCS_TABLES.items())
        raise SpecError(f"an MCS is a table and a row: {known}; got {text!r}")
    return rows[int(index)]
