"""Short calls of all that holds compiled kernels, so that their compilation is over before work begins.

A kernel is compiled for the types of its arguments and, in the int8 LDPC decoder, for the degrees of a code's checks.
So each way through each block is taken once, in modems as users build them, and each code is decoded by itself.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numba.core.dispatcher import Dispatcher

from lgvsc_flow import Block
from lgvsc_flow.blocks.phy.ldpc.code import CODE_RATES, LENGTHS, LdpcCode, wifi_code
from lgvsc_flow.blocks.phy.ldpc.decode import decode
from lgvsc_flow.blocks.phy.ldpc.encode import encode
from lgvsc_flow.blocks.phy.ldpc.fixed import decode_int8
from lgvsc_flow.blocks.phy.ldpc.nr_code import BASE_GRAPHS, CORE_ROWS, nr_code
from lgvsc_flow.errors import FlowError
from lgvsc_flow.example import example_graph
from lgvsc_flow.graphs.channels import CHANNELS
from lgvsc_flow.graphs.modem import Modem, coded, uncoded
from lgvsc_flow.registry import known_blocks

__all__ = ["Step", "steps"]

Step = tuple[str, Callable[[], object]]
"""What is compiled, and the call that does it."""

ORDERS = (4, 16, 64, 256, 1024)
MODEMS: tuple[dict[str, Any], ...] = (
    *({"order": order, "method": method} for order in ORDERS for method in ("max-log", "exact")),
    *({"channel": name, "order": 4} for name in CHANNELS if name not in ("awgn", "replay")),
    *({"channel": f"tdl-a:receiver={receiver}"} for receiver in ("ls", "lmmse")),
    *(
        {"channel": channel}
        for channel in ("tdl-a:doppler_hz=100", "rayleigh:receiver=ls,coherence=15344", "mimo:method=zf")
    ),
    {"channel": "awgn+cfo:offset_hz=100+phase-noise+iq"},
    *({"code": f"conv:{rate}"} for rate in ("1/2", "2/3", "3/4", "5/6")),
    *({"code": f"conv:1/2:termination={end}"} for end in ("truncated", "tail-biting")),
    *({"code": f"wifi:648/1/2:precision={p}", "order": 4} for p in ("int8", "float32")),
    *({"code": f"nr:{size}:precision={p}"} for size in ("100/400", "9000/12000") for p in ("int8", "float32")),
    {"code": "nr:512/1024:rv=0 2 3 1", "order": 4},
)
ESN0_DB = 20.0
BURST_BITS = 2048
FEW = 2  # bursts: a kernel may see its first burst and those behind it differently
LARGE_Z, SMALL_Z = 384, 8  # of NR codes: their degrees do not depend on it, but how words are decoded does
MANY = 64  # codewords: as many as are decoded at once, and more than go one by one


def steps() -> Iterator[Step]:
    """All there is to do, in an order that starts with what nearly every link has."""
    tried: set[type[Block]] = set()
    for settings in MODEMS:
        modem = Modem(**{"burst_bits": BURST_BITS, **settings})
        graph = modem(ESN0_DB, count=FEW)
        tried.update(map(type, graph.blocks))
        how = f", {modem.method}" if modem.parsed_code.name == "uncoded" and modem.channel == "awgn" else ""
        yield f"modem: {modem.name}{how}", partial(graph.run, engine="inline")
    yield "modem: hard decisions", partial(uncoded(decision="hard", n=BURST_BITS, count=FEW).run, engine="inline")
    yield "modem: 802.11n behind an equalizer", partial(coded(count=FEW).run, engine="inline")
    yield "modem: recorded channels", _replay
    for code in _codes():
        yield f"LDPC: {code.name} and all codes of the same check degrees", partial(_decode, code)
    for kind in known_blocks().values():
        if kind not in tried and _kernels_near(kind):
            yield f"example of {kind.__name__}", partial(_example, kind)


def _codes() -> Iterator[LdpcCode]:
    """One code of each set of check degrees: of all 802.11n codes, and of 5G NR at all rates, long and short."""
    seen: set[tuple[bool, frozenset[int]]] = set()
    codes = [wifi_code(n, rate) for n in LENGTHS for rate in CODE_RATES]
    for graph, (last, _) in BASE_GRAPHS.items():
        codes += [nr_code(graph, z, rows) for z in (LARGE_Z, SMALL_Z) for rows in range(last, CORE_ROWS - 1, -1)]
    for code in codes:
        degrees = (code.z == SMALL_Z, frozenset(np.diff(code.starts).tolist()))
        if degrees not in seen:
            seen.add(degrees)
            yield code


def _decode(code: LdpcCode) -> None:
    for frames in (1, MANY):
        llrs = np.ones(frames * code.n, np.float32)
        decode_int8(llrs, code, max_iterations=1)
        decode_int8(llrs, code, max_iterations=1, soft=np.empty(llrs.size, np.float32))
    decode(np.ones(code.n, np.float32), code, max_iterations=1)
    if code.name.startswith("802.11n"):
        encode(np.zeros(code.k, np.uint8), code)


def _replay() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, shape, settings in (("flat", (64,), ""), ("taps", (64, 4), ",dispersive=true")):
            path = Path(folder) / f"{name}.npy"
            np.save(path, np.ones(shape, np.complex64))
            modem = Modem(channel=f"replay:path={path}{settings}", burst_bits=BURST_BITS)
            modem(ESN0_DB, count=FEW).run(engine="inline")


def _kernels_near(kind: type[Block]) -> bool:
    """Whether the block's module has kernels, or takes something from one that has."""
    home = sys.modules[kind.__module__]
    names = {getattr(value, "__module__", None) for value in vars(home).values()}
    values = {name for name in names if isinstance(name, str)} | {kind.__module__}
    return any(_has_kernels(sys.modules[name]) for name in values if name in sys.modules)


def _has_kernels(module: ModuleType) -> bool:
    return any(issubclass(type(value), Dispatcher) for value in vars(module).values())


def _example(kind: type[Block]) -> None:
    """Run the example of a block, where it has one that needs no files: where it fails, its kernels are for later."""
    graph = example_graph(kind)
    if graph is not None and all("n" in b.settings for b in graph.blocks if not b.inputs()):
        calls = count()
        with suppress(FlowError):
            graph.run(engine="inline", until=lambda: next(calls) >= FEW)
