"""Error rate curves: points that stop on a count of errors, with confidence intervals, and files to go on from.

A point is a function of the link, the root seed, its Es/N0 and the stop rule: neither the engine, nor the other points,
nor how often the run was broken off change a bit of it. Bursts are counted in their order, and whether there are enough
errors is asked after every `CHUNK` of them alone; bursts that were under way by then are not counted.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any, Literal

import numpy as np

from lgvsc_flow import Block, Graph, In, setting
from lgvsc_flow.blocks.metrics import BerMeter
from lgvsc_flow.blocks.metrics.errors import wilson_interval
from lgvsc_flow.blocks.phy.ldpc.nr_blocks import DecodedBlocks, NrLdpcDecoder
from lgvsc_flow.errors import FlowError
from lgvsc_flow.graphs.ber_file import Curve, Point, append_point, open_curve
from lgvsc_flow.items import Bits

__all__ = ["CHUNK", "Curve", "Point", "Stop", "ber_curve", "clustered_interval", "errors"]

CHUNK = 16
"""Bursts between two looks at the stop rule."""
CAPACITY = 4  # bursts per wire: what is under way when a point has enough errors is work for nothing
MAX_POINTS = 1000


@dataclass(frozen=True)
class Stop:
    """When a point is done: after `count` errors `of` blocks or bits, `max_bits` or `max_blocks`; see `errors`."""

    count: int
    of: Literal["blocks", "bits"] | None
    max_bits: int
    max_blocks: int | None


def errors(
    count: int = 100,
    *,
    of: Literal["blocks", "bits"] | None = None,
    max_bits: float = 10_000_000,
    max_blocks: int | None = None,
) -> Stop:
    """Stop a point after `count` errors, or so many information bits or blocks, whatever comes first.

    Errors that come in clusters, in a fade, say, count as the number of independent errors that they are worth. So a
    point that ends by its errors is as exact over fading as over AWGN: within about 20 % for 100 errors, 95 % of them.

    Args:
        count: errors to wait for.
        of: what is counted; None: wrong blocks where there are blocks, since wrong bits behind a decoder come in
            clusters, else wrong bits.
        max_bits: information bits at most.
        max_blocks: blocks at most.

    Raises:
        FlowError: a number is below 1.
    """
    for name, value in (("errors", count), ("max_bits", max_bits), ("max_blocks", max_blocks)):
        if value is not None and not 1 <= value < 1e18:
            raise FlowError(f"{name} is at least 1, got {value:g}")
    return Stop(int(count), of, int(max_bits), max_blocks)


def worth(wrong: int, trials: int, clusters: int, squares: float) -> float:
    """How many independent trials as many trials are worth that are alike within clusters of equal size: bursts.

    The spread of the clusters' own counts says it; `squares` is the sum of the squares of the wrong trials per cluster.
    At most as many as there are; all of them without a wrong trial, or with fewer than eight clusters.
    """
    if not 0 < wrong < trials or clusters < 8:
        return float(trials)
    independent = wrong * (1 - wrong / trials)
    spread = (squares - wrong**2 / clusters) * clusters / (clusters - 1)
    return trials * min(1.0, independent / spread) if spread > 0 else float(trials)


def clustered_interval(
    wrong: int, trials: int, clusters: int, squares: float, confidence: float = 0.95
) -> tuple[float, float]:
    """Wilson's interval for as many independent trials as these are `worth`; arguments as there.

    Ref: E. L. Korn and B. I. Graubard, Confidence intervals for proportions with small expected number of positive
    counts estimated from survey data, Survey Methodology 24 (2), 1998 (with Wilson's interval for Clopper's).
    """
    effective = worth(wrong, trials, clusters, squares)
    if 0 < wrong < trials and clusters >= 8:
        z, freedom = NormalDist().inv_cdf(0.5 + confidence / 2), clusters - 1
        # Student's quantile, by the first two terms of its expansion about the normal one.
        student = z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        effective *= (z / student) ** 2
    return _wilson(wrong / trials if trials else 0.0, effective, confidence)


def _wilson(rate: float, trials: float, confidence: float) -> tuple[float, float]:
    """`wilson_interval` for a number of trials that need not be whole."""
    if trials <= 0 or rate in (0.0, 1.0):
        whole = int(trials)
        return wilson_interval(whole if rate else 0, whole, confidence)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    centre = rate + z * z / (2 * trials)
    half = z * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


class ErrorCount(Block):
    """Errors burst by burst, up to where the stop rule is met."""

    sent = In(Bits, "n")
    received = In(Bits, "n")

    block_bits: int | None = setting(None, ge=1)
    stop_rule: Any = None

    def start(self) -> None:
        self.bits = self.bit_errors = self.bursts = self.blocks = self.block_errors = 0
        self.bit_squares = self.block_squares = 0
        self.stopped_by = ""

    def work(self, sent: np.ndarray, received: np.ndarray) -> None:
        if self.stopped_by:
            return
        if sent.size != received.size:
            raise ValueError(f"{sent.size} bits were sent and {received.size} received")
        wrong = sent != received
        count = int(np.count_nonzero(wrong))
        self.bits += sent.size
        self.bit_errors += count
        self.bit_squares += count * count
        if self.block_bits is not None:
            if sent.size % self.block_bits:
                raise ValueError(f"a burst of {sent.size} bits does not hold whole blocks of {self.block_bits}")
            blocks = wrong.reshape(-1, self.block_bits)
            lost = int(np.count_nonzero(blocks.any(axis=1))) if count else 0
            self.blocks += len(blocks)
            self.block_errors += lost
            self.block_squares += lost * lost
        self.bursts += 1
        if self.bursts % CHUNK == 0:
            self.stopped_by = self._verdict()

    def counted(self, of: str) -> int:
        """Errors, as many independent ones as they are worth."""
        if of == "bits":
            wrong, trials, squares = self.bit_errors, self.bits, self.bit_squares
        else:
            wrong, trials, squares = self.block_errors, self.blocks, self.block_squares
        return int(wrong * worth(wrong, trials, self.bursts, squares) / trials) if trials else 0

    def _verdict(self) -> str:
        rule: Stop = self.stop_rule
        of = rule.of or ("bits" if self.block_bits is None else "blocks")
        if self.counted(of) >= rule.count:
            return "errors"
        if self.bits >= rule.max_bits:
            return "max_bits"
        return "max_blocks" if rule.max_blocks is not None and self.blocks >= rule.max_blocks else ""


class HarqErrorCount(ErrorCount):
    """And how many transmissions the transport blocks took."""

    checked = In(DecodedBlocks, "n")

    def start(self) -> None:
        super().start()
        self.transmissions = 0

    def work(self, sent: np.ndarray, received: np.ndarray, checked: DecodedBlocks) -> None:  # type: ignore[override]
        if not self.stopped_by:
            self.transmissions += int(checked.transmissions.sum())
        super().work(sent, received)


def ber_curve(
    make_graph: Callable[[float], Graph],
    esn0_db: Iterable[float],
    *,
    stop: Stop | None = None,
    seed: int = 0,
    confidence: float = 0.95,
    engine: Literal["threads", "inline"] = "threads",
    out: str | Path | None = None,
    block_bits: int | None = None,
    efficiency: float | None = None,
    show: Callable[[float, int, int], None] | None = None,
) -> Curve:
    """Measure a curve, point by point.

    Args:
        make_graph: the graph at an Es/N0, with one `BerMeter`; a `Modem`, say. Its source sends more than it takes.
        esn0_db: the points; each is measured once, in rising order.
        stop: when a point is done, see `errors`, whose defaults hold for None.
        seed: the root seed; the graph's own is not used.
        confidence: of the intervals.
        engine: as in `Graph.run`; it changes no result.
        out: a JSON-lines file. Every point is added to it when it is done, and points that it holds are not measured
            again. A file of another curve is an error.
        block_bits: information bits of a block; None: what `make_graph.block_bits` says, else there are no blocks.
        efficiency: information bits per symbol, for Eb/N0; None: what `make_graph.efficiency` says.
        show: called for each burst with Es/N0, counted errors and bits of the point.

    Raises:
        FlowError: nothing to measure, a graph without a meter, a file that cannot be used.
    """
    stop = stop or errors()
    wanted = sorted({float(value) for value in esn0_db})
    if not wanted or len(wanted) > MAX_POINTS or not all(map(math.isfinite, wanted)):
        raise FlowError(f"a curve takes 1 to {MAX_POINTS} finite values of Es/N0, got {len(wanted)}")
    if not 0 < confidence < 1 or seed < 0:
        raise FlowError(f"confidence is between 0 and 1 and seed at least 0; got {confidence:g} and {seed}")
    block_bits = block_bits or getattr(make_graph, "block_bits", None)
    efficiency = efficiency or getattr(make_graph, "efficiency", None)
    if stop.of == "blocks" and block_bits is None:
        raise FlowError("block errors cannot be counted: set block_bits, the information bits of a block")
    first = make_graph(wanted[0])
    settings = {
        "seed": seed,
        "stop": asdict(stop),
        "chunk": CHUNK,
        "confidence": confidence,
        "block_bits": block_bits,
        "information_bits_per_symbol": efficiency,
        "link": _fingerprint(make_graph(0.0)),
    }
    curve = Curve(first.name, settings)
    known = {} if out is None else open_curve(Path(out), curve)
    for value in wanted:
        point = known.get(value)
        if point is None:
            point = _measure(make_graph(value), value, curve, stop, engine, show)
            if out is not None:
                append_point(Path(out), point)
        curve.points.append(point)
    return curve


def _measure(
    graph: Graph,
    esn0_db: float,
    curve: Curve,
    stop: Stop,
    engine: Literal["threads", "inline"],
    show: Callable[[float, int, int], None] | None,
) -> Point:
    settings = curve.settings
    graph.seed = _seed(settings["seed"], esn0_db)
    try:
        meter = graph.find(BerMeter)
    except KeyError:
        raise FlowError(f"graph '{graph.name}': an error rate curve takes a graph with one BerMeter") from None
    block_bits, efficiency = settings["block_bits"], settings["information_bits_per_symbol"]
    decoders = [b for b in graph.blocks if isinstance(b, NrLdpcDecoder) and len(b.rvs) > 1 and b.a == block_bits]
    kind = HarqErrorCount if len(decoders) == 1 else ErrorCount
    count = kind(block_bits=block_bits, stop_rule=stop)
    ends = {taker.port.name: sender for sender, taker in graph.wires() if taker.block is meter}
    if set(ends) != {"sent", "received"}:
        graph.check()
    graph.connect(ends["sent"], count.sent)
    graph.connect(ends["received"], count.received)
    if isinstance(count, HarqErrorCount):
        graph.connect(decoders[0].checked, count.checked)

    def ending() -> bool:
        if show is not None:
            show(esn0_db, count.counted(stop.of or ("blocks" if settings["block_bits"] else "bits")), count.bits)
        return bool(count.stopped_by)

    graph.run(engine=engine, capacity=CAPACITY, until=ending)
    if not count.bursts:
        raise FlowError(f"graph '{graph.name}' sent nothing at {esn0_db:g} dB; there is nothing to count")
    confidence = settings["confidence"]
    low, high = clustered_interval(count.bit_errors, count.bits, count.bursts, count.bit_squares, confidence)
    blocks: tuple[float | None, ...] = (None, None, None)
    if count.blocks:
        interval = clustered_interval(count.block_errors, count.blocks, count.bursts, count.block_squares, confidence)
        blocks = (count.block_errors / count.blocks, *interval)
    transmissions = throughput = None
    if isinstance(count, HarqErrorCount):
        transmissions = count.transmissions / count.blocks
        if efficiency is not None:
            efficiency *= len(decoders[0].rvs) / transmissions
            throughput = efficiency * (1 - count.block_errors / count.blocks)
    return Point(
        esn0_db=esn0_db,
        ebn0_db=None if efficiency is None else esn0_db - 10 * math.log10(efficiency),
        ber=count.bit_errors / count.bits,
        ber_low=low,
        ber_high=high,
        bler=blocks[0],
        bler_low=blocks[1],
        bler_high=blocks[2],
        bits=count.bits,
        bit_errors=count.bit_errors,
        blocks=count.blocks or None,
        block_errors=count.block_errors if count.blocks else None,
        bursts=count.bursts,
        stopped_by=count.stopped_by or "source",
        seed=graph.seed,
        transmissions=transmissions,
        throughput=throughput,
    )


def _seed(root: int, esn0_db: float) -> int:
    """A point's seed follows from the root seed and from its Es/N0, not from its place on the curve."""
    digest = hashlib.sha256(f"{root} {esn0_db + 0.0!r}".encode()).digest()
    return int.from_bytes(digest[:8], "little")


def _fingerprint(graph: Graph) -> str:
    """What the graph is: its blocks with their settings, and its wires."""
    blocks = [f"{b.name} {b!r}" for b in graph.blocks]
    wires = [f"{sender} -> {taker}" for sender, taker in graph.wires()]
    return hashlib.sha256("\n".join([graph.name, *blocks, *wires]).encode()).hexdigest()[:32]
