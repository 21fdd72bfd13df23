"""Vector code of demappers and decisions that look at all points of a constellation; its loops: `points_soft`.

16 symbols are worked on at a time, as vector code, and labels three bits at a time from the lowest: the best metric of
each of the 8 values of these bits (a column) gives their LLRs, the best of each 8 neighbours (a row) is all that the
higher bits need to know. So a point costs two comparisons, however many bits a label has. Exact LLRs carry beside each
best metric the sum of what it stands for, relative to it, so that none underflows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from lgvsc_flow.blocks.phy.qam_exact import FARTHEST, exp2, ln
from lgvsc_flow.blocks.phy.qam_soft import LLR_MAX
from lgvsc_flow.blocks.simd import F32, LANES, U32, Memory, Vector

__all__ = [
    "LLRS",
    "MOST_POINTS",
    "POINT",
    "STEP",
    "TABLE",
    "exact_stage",
    "load_symbols",
    "max_log_stage",
    "nearest_stage",
    "store_bits",
    "store_llrs",
]

MOST_POINTS = 4096
U8 = ir.VectorType(ir.IntType(8), LANES)

_ROW = 4 * LANES  # bytes
# The rows of the scratch memory, 16 numbers each: symbols, weights, LLRs of up to 12 bits, metrics and their sums.
_RE, _IM, _WEIGHT, _SCALED, LLRS, TABLE = 0, 1, 2, 3, 4, 16
STEP = 3  # bits of a label at a time
POINT = 3  # float32 per point: both dimensions and the power
_LARGEST = 3e38
_LOG2_E = 1.4426950408889634

Stage = Callable[[ir.IRBuilder, list[Memory], ir.Value, ir.Value], None]
Best = tuple[Vector, Vector | None]
"""The largest of some metrics and, for exact LLRs, the sum of exp(metric - largest); None stands for 1."""


def _constant(number: int) -> ir.Constant:
    return ir.Constant(ir.IntType(64), number)


def _intrinsic(*stages: Stage) -> Any:
    """`(rows, in1, in2, number, other, which)`: stage number `which` on three arrays; nothing checks its bounds."""

    def typed(typing: Any, rows: Any, in1: Any, in2: Any, number: Any, other: Any, which: Any) -> tuple[Any, Any]:
        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
            arrays = zip(signature.args[:3], values[:3], strict=True)
            memory = [Memory(builder, context.make_array(t)(context, builder, v).data) for t, v in arrays]
            for i, stage in enumerate(stages):
                with builder.if_then(builder.icmp_signed("==", values[5], ir.Constant(values[5].type, i))):
                    stage(builder, memory, values[3], values[4])
            return context.get_dummy_value()

        return types.void(rows, in1, in2, types.intp, types.intp, types.intp), generate

    return intrinsic(typed)


def _largest(metrics: Sequence[Vector]) -> Vector:
    metrics = list(metrics)
    while len(metrics) > 1:
        metrics = [a.maximum(b) for a, b in zip(metrics[::2], metrics[1::2], strict=True)]
    return metrics[0]


def _sum(parts: list[Vector]) -> Vector:
    while len(parts) > 1:
        parts = [a + b for a, b in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]


def _relative(best: Best, largest: Vector, scaled: Vector) -> Vector:
    """What these metrics add to a sum relative to a larger one."""
    power = exp2((best[0] - largest) * scaled)
    return power if best[1] is None else power * best[1]


def _all(those: Sequence[Best], scaled: Vector | None) -> Best:
    """Several put together; without sums, where `scaled` is None."""
    if len(those) == 1:
        return those[0]
    largest = _largest([m for m, _ in those])
    return largest, None if scaled is None else _sum([_relative(b, largest, scaled) for b in those])


def _load(builder: ir.IRBuilder, memory: list[Memory], start: ir.Value, _: ir.Value) -> None:
    """16 symbols and their weights."""
    rows, symbols, weights = memory
    first, second = (symbols.load(symbols.step(start, 8, plus), F32) for plus in (0, _ROW))
    for row, lane in ((_RE, 0), (_IM, 1)):
        x = first.shuffle(second, range(lane, 2 * LANES, 2))
        rows.store(row * _ROW, x.maximum(-FARTHEST).minimum(FARTHEST) * 2.0)
    weight = weights.load(weights.step(start, 4), F32)
    rows.store(_WEIGHT * _ROW, weight)
    rows.store(_SCALED * _ROW, (weight * _LOG2_E).minimum(_LARGEST))


def _metric(builder: ir.IRBuilder, memory: list[Memory], symbol: list[Vector], label: ir.Value) -> Vector:
    """2 Re(x conj(p)) - |p|^2 = |x|^2 - |x - p|^2, larger is nearer."""
    points, numbers = memory[1], []
    for i in range(POINT):
        at = builder.gep(points.data, [points.step(label, 4 * POINT, 4 * i)])
        number = builder.load(builder.bitcast(at, ir.FloatType().as_pointer()), align=4)
        first = builder.insert_element(ir.Constant(F32, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
        numbers.append(Vector(builder, first).shuffle(Vector(builder, first), [0] * LANES))
    return symbol[0] * numbers[0] + symbol[1] * numbers[1] - numbers[2]


def _stage(
    builder: ir.IRBuilder,
    memory: list[Memory],
    high: ir.Value,
    llrs: ir.Value,
    *,
    bits: int,
    first: bool,
    last: bool,
    exact: bool,
) -> None:
    """LLRs of the lowest bits of labels of which the others have `high` values, into rows from number `llrs`.

    The first stage looks at the points, the others at the rows of the one before. Each but the last leaves rows.
    """
    rows = memory[0]
    symbol = [rows.load(row * _ROW, F32) for row in (_RE, _IM)]
    weight = rows.load(_WEIGHT * _ROW, F32)
    scaled = rows.load(_SCALED * _ROW, F32) if exact else None
    columns = range(1 << bits)

    def entry(number: ir.Value, plus: int) -> ir.Value:
        return rows.step(number, 2 * _ROW, (TABLE + plus) * _ROW)

    def those(number: ir.Value) -> list[Best]:
        labels = [builder.add(builder.mul(number, _constant(1 << bits)), _constant(i)) for i in columns]
        if first:
            return [(_metric(builder, memory, symbol, label), None) for label in labels]
        sums = [rows.load(entry(label, 1), F32) if exact else None for label in labels]
        return [(rows.load(entry(label, 0), F32), s) for label, s in zip(labels, sums, strict=True)]

    def variables(number: float) -> list[ir.Value]:
        made = [cgutils.alloca_once(builder, F32) for _ in columns]
        for variable in made:
            builder.store(ir.Constant(F32, [number] * LANES), variable)
        return made

    def value(variable: ir.Value) -> Vector:
        return Vector(builder, builder.load(variable))

    def keep_row(number: ir.Value, found: list[Best]) -> None:
        row = _all(found, scaled)
        rows.store(entry(number, 0), row[0])
        if row[1] is not None:
            rows.store(entry(number, 1), row[1])

    best: list[Best]
    if last:
        best = those(_constant(0))
    else:
        largest = variables(-float("inf"))
        with cgutils.for_range(builder, high) as loop:
            found = those(loop.index)
            for variable, (metric, _) in zip(largest, found, strict=True):
                builder.store(value(variable).maximum(metric).value, variable)
            if scaled is None:
                keep_row(loop.index, found)
        best = [(value(variable), None) for variable in largest]
        if scaled is not None:
            sums = variables(0.0)
            with cgutils.for_range(builder, high) as loop:
                found = those(loop.index)
                for variable, part, (column, _) in zip(sums, found, best, strict=True):
                    builder.store((value(variable) + _relative(part, column, scaled)).value, variable)
                keep_row(loop.index, found)
            best = [(column, value(variable)) for (column, _), variable in zip(best, sums, strict=True)]
    for j in range(bits):
        zero, one = (_all([best[i] for i in columns if i >> j & 1 == bit], scaled) for bit in (0, 1))
        llr = (zero[0] - one[0]) * weight
        if zero[1] is not None and one[1] is not None:
            llr = llr + ln(zero[1] / one[1])
        rows.store(rows.step(llrs, _ROW, j * _ROW), llr.minimum(LLR_MAX).maximum(-LLR_MAX))


def _nearest(builder: ir.IRBuilder, memory: list[Memory], high: ir.Value, _: ir.Value, *, bits: int) -> None:
    """The labels of the nearest points, into the row of the first LLR; 0 where the weight is 0."""
    rows = memory[0]
    symbol = [rows.load(row * _ROW, F32) for row in (_RE, _IM)]
    largest, label = cgutils.alloca_once(builder, F32), cgutils.alloca_once(builder, U32)
    builder.store(ir.Constant(F32, [-float("inf")] * LANES), largest)
    builder.store(ir.Constant(U32, [0] * LANES), label)
    with cgutils.for_range(builder, high) as loop:
        start = builder.mul(loop.index, _constant(1 << bits))
        found = [
            (
                _metric(builder, memory, symbol, builder.add(start, _constant(i))),
                Vector(builder, ir.Constant(U32, [i] * LANES)),
            )
            for i in range(1 << bits)
        ]
        while len(found) > 1:
            pairs = zip(found[::2], found[1::2], strict=True)
            found = [_nearer(left, right) for left, right in pairs]
        lanes = builder.insert_element(
            ir.Constant(U32, ir.Undefined), builder.trunc(start, ir.IntType(32)), ir.Constant(ir.IntType(32), 0)
        )
        begin = Vector(builder, lanes).shuffle(Vector(builder, lanes), [0] * LANES)
        before = Vector(builder, builder.load(largest)), Vector(builder, builder.load(label))
        metric, nearest = _nearer(before, (found[0][0], found[0][1] + begin))
        builder.store(metric.value, largest)
        builder.store(nearest.value, label)
    usable = rows.load(_WEIGHT * _ROW, F32).compare(">", 0.0)
    rows.store(LLRS * _ROW, usable.where(Vector(builder, builder.load(label)), 0))


def _store(builder: ir.IRBuilder, memory: list[Memory], start: ir.Value, _: ir.Value, *, bits: int, hard: bool) -> None:
    """The LLRs of 16 symbols, or the bits of their labels, in the order of the bits."""
    rows, out, _weights = memory
    if hard:
        label = rows.load(LLRS * _ROW, U32)
        places = [((label >> (bits - 1 - j)) & 1).to("trunc", U8) for j in range(bits)]
    else:
        places = [rows.load((LLRS + bits - 1 - j) * _ROW, F32) for j in range(bits)]
    size = 1 if hard else 4
    for i in range(bits):
        source = [divmod(at, bits) for at in range(LANES * i, LANES * (i + 1))]
        vector = places[0]
        for j, place in enumerate(places):
            vector = vector.shuffle(place, [LANES + t if k == j else lane for lane, (t, k) in enumerate(source)])
        out.store(out.step(start, size * bits, size * LANES * i), vector)


def _nearer(left: tuple[Vector, Vector], right: tuple[Vector, Vector]) -> tuple[Vector, Vector]:
    """The better one of two metrics with their labels; of equal ones the left."""
    better = right[0].compare(">", left[0])
    return better.where(right[0], left[0]), better.where(right[1], left[1])


load_symbols = _intrinsic(_load)
_METHODS = [
    [
        *[partial(_stage, bits=STEP, first=first, last=False, exact=exact) for first in (False, True)],
        *[
            partial(_stage, bits=bits, first=first, last=True, exact=exact)
            for bits in (1, 2, 3)
            for first in (False, True)
        ],
    ]
    for exact in (False, True)
]
max_log_stage, exact_stage = (_intrinsic(*stages) for stages in _METHODS)
_ALL_BITS = range(1, MOST_POINTS.bit_length())
store_llrs, store_bits = (
    _intrinsic(*[partial(_store, bits=bits, hard=hard) for bits in _ALL_BITS]) for hard in (False, True)
)
nearest_stage = _intrinsic(*[partial(_nearest, bits=bits) for bits in (1, 2, 3)])
