"""The passes of the int8 decoder over totals and messages, as Numba intrinsics made of vector code.

Frames are interleaved: row r of a circulant of frame f lies at r * F + f, so that vectors run along the rows of all F
frames at once, and a rotation by s rows is one by s * F bytes. Every touch of a column reads it rotated from one of its
two buffers and writes it in the order of the rows to the other; the rotation is never undone. A buffer has the
`span` = z * F bytes of its column rounded up to whole vectors, and one vector more for its beginning once again.

Arrays are given as they lie in memory; the caller answers for all sizes. `width` is in bytes; `degrees` has bit d set
for every check degree d of the code: each has its own straight-line code.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from lgvsc_flow.blocks.phy.ldpc.simd import I1, I8, I32, I64, Code, switch

__all__ = ["LEAST_MAX", "STAMP", "layers", "parity"]

FEW = 10  # inputs of a check whose sizes stay in registers too
GROUP = 4  # about as many of more inputs are handled at a time
LEAST_MAX = 49  # inputs count as that large at most: messages hold saturated totals up, and a right word stays right
# Numba's cache on disk sees changes of the kernels' own files only: what these generate is told by a digest.
STAMP = crc32(
    b"".join((Path(__file__).parent / name).read_bytes() for name in ("across.py", "checks.py", "moves.py", "simd.py"))
)

State = list[Any]
Put = Callable[[int, Any, Any], None]


def generated(function: Callable[..., Any]) -> Any:
    return intrinsic(prefer_literal=True)(function)


def pointers(context: Any, builder: Any, signature: Any, arguments: Sequence[Any]) -> list[Any]:
    """Data pointers for arrays; other arguments as they are."""
    return [
        context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
        for kind, value in zip(signature.args, arguments, strict=True)
    ]


def literal(kind: Any) -> int:
    if not isinstance(kind, types.IntegerLiteral):
        raise TypeError("the vector width, the set of degrees and the factor are compile-time constants")
    return kind.literal_value


def _set(mask: int) -> list[int]:
    return [degree for degree in range(mask.bit_length()) if mask >> degree & 1]


def _groups(degree: int) -> list[range]:
    """Inputs that are handled together."""
    count = 1 if degree <= FEW else -(-degree // GROUP)
    cuts = [degree * i // count for i in range(count + 1)]
    return [range(first, last) for first, last in itertools.pairwise(cuts)]


def _head(code: Code, degree: int, load: Callable[[int], Any], state: State) -> Iterator[None]:
    """The first half of a check, step by step: its inputs, their signs, and sizes; of groups the least size only."""
    b = code.builder
    inputs, sizes, odd = [], [], None
    for group in _groups(degree):
        ours = []
        for i in group:
            value = load(i)
            inputs.append(value)
            odd = value if odd is None else b.xor(odd, value)
            ours.append(code.call("abs", value))  # unsigned: 128 is meant as such
            yield
        sizes.extend(ours if degree <= FEW else [_least(code, ours)])
    state[:] = [*inputs, odd, *sizes]


def _tail(code: Code, degree: int, factor: int, state: State, put: Put) -> Iterator[None]:
    """The second half, step by step: `put` is given each edge's new message and total."""
    b = code.builder
    inputs, odd, sizes = state[:degree], state[degree], state[degree + 1 :]
    zero, limit = code.afresh(code.splat(0)), code.splat(LEAST_MAX)
    outside = [limit] if degree <= FEW else _least_of_the_others(code, sizes, limit)
    for group, beyond in zip(_groups(degree), outside, strict=True):
        ours = sizes if degree <= FEW else [code.call("abs", code.afresh(inputs[i])) for i in group]
        for i, size in zip(group, _least_of_the_others(code, ours, beyond), strict=True):
            scaled = _scaled(code, size, factor, zero)
            negative = b.icmp_signed("<", b.xor(odd, inputs[i]), code.splat(0))
            message = b.select(negative, b.sub(code.splat(0), scaled), scaled)
            put(i, message, code.add(inputs[i], message))
            yield


def _scaled(code: Code, size: Any, factor: int, zero: Any) -> Any:
    """factor/32 of sizes, rounded down, but 1 stays 1, for else it would not go far into what was erased.

    Less the rest, which is rounded up, by a mean with the size or with nothing for each of its binary places.
    """
    even = code.builder.and_(size, code.splat(254))
    places = [(32 - factor) >> place & 1 for place in range(5)]
    rest = zero
    for place in places[places.index(1) :]:
        rest = code.average(even if place else zero, rest)
    return code.builder.sub(size, rest)


def _least_of_the_others(code: Code, sizes: Sequence[Any], outside: Any) -> list[Any]:
    """For each of the values the least of all others and of `outside`, by halves."""
    if len(sizes) == 1:
        return [outside]
    middle = len(sizes) // 2
    halves = sizes[:middle], sizes[middle:]
    left, right = (code.umin(outside, _least(code, half)) for half in halves)
    return _least_of_the_others(code, halves[0], right) + _least_of_the_others(code, halves[1], left)


def _least(code: Code, sizes: Sequence[Any]) -> Any:
    if len(sizes) == 1:
        return sizes[0]
    middle = len(sizes) // 2
    return code.umin(_least(code, sizes[:middle]), _least(code, sizes[middle:]))


def _in_turns(*steps: Iterator[None]) -> None:
    """Write the code of several parts by turns: a processor sees too few instructions ahead to overlap them itself."""
    waiting = list(steps)
    while waiting:
        waiting = [part for part in waiting if next(part, waiting) is None]


@generated
def layers(
    typing: Any,
    columns: Any,
    old: Any,
    again: Any,
    messages: Any,
    sources: Any,
    targets: Any,
    degrees: Any,
    span: Any,
    mask: Any,
    factor: Any,
    width: Any,
    stamp: Any,
) -> Any:
    """One iteration: `columns` int8 are the buffers, messages int8 ordered by base row, vector, edge.

    `sources` int32, in the same order, has the byte that a vector of totals is read from, `targets` int32 [edges] the
    buffers that are written, `degrees` int32 [base rows]. `old` are the messages where `again` is 1; where it is 0, in
    the first iteration, int8 [edges, width].
    """
    lanes, degree_set, parts = literal(width), _set(literal(mask)), literal(factor)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = Code(builder, lanes)
        values = pointers(context, builder, signature, arguments)
        columns, old, again, messages, sources, targets, degrees, span = values[:8]
        rows = builder.extract_value(context.make_array(signature.args[6])(context, builder, arguments[6]).shape, 0)
        vectors = builder.udiv(builder.add(span, code.number(lanes - 1)), code.number(lanes))
        last = builder.sub(vectors, code.number(1))
        edge = cgutils.alloca_once_value(builder, code.number(0))

        def body(degree: int) -> None:
            start = builder.load(edge)
            first = builder.mul(start, vectors)
            ours, origins = code.at(messages, builder.mul(first, code.number(lanes))), code.at(sources, first, I32)
            before = builder.mul(builder.select(builder.trunc(again, I1), first, start), code.number(lanes))
            theirs = code.at(old, before)
            goals = [code.word(targets, builder.add(start, code.number(e))) for e in range(degree)]
            kept = 2 * degree + 1 if degree <= FEW else degree + 1 + len(_groups(degree))
            slots = [cgutils.alloca_once(builder, code.bytes) for _ in range(kept)]

            def load(vector: Any) -> Callable[[int], Any]:
                at = builder.mul(vector, code.number(degree))
                places = code.at(origins, at, I32)
                earlier = code.at(theirs, builder.mul(builder.mul(at, again), code.number(lanes)))

                def value(e: int) -> Any:
                    total = code.load(code.at(columns, code.word(places, code.number(e))))
                    return code.sub(total, code.load(code.at(earlier, code.number(e * lanes))))

                return value

            def put(vector: Any) -> Put:
                at = builder.mul(vector, code.number(degree * lanes))
                here, there = code.at(ours, at), code.at(columns, builder.mul(vector, code.number(lanes)))

                def store(e: int, message: Any, total: Any) -> None:
                    code.store(message, code.at(here, code.number(e * lanes)))
                    code.store(total, code.at(there, goals[e]))

                return store

            def keep(state: State) -> None:
                for value, slot in zip(state, slots, strict=True):
                    builder.store(value, slot)

            state: State = []
            _in_turns(_head(code, degree, load(code.number(0)), state))
            keep(state)
            with code.loop(last) as vector:
                done, ahead = [builder.load(slot) for slot in slots], builder.add(vector, code.number(1))
                coming: State = []
                _in_turns(_head(code, degree, load(ahead), coming), _tail(code, degree, parts, done, put(vector)))
                keep(coming)
            done = [builder.load(slot) for slot in slots]
            _in_turns(_tail(code, degree, parts, done, put(last)))
            for goal in goals:
                target = code.at(columns, goal)
                code.store(code.load(target), code.at(target, span))
            builder.store(builder.add(start, code.number(degree)), edge)

        with code.loop(rows) as row:
            switch(code, code.word(degrees, row), degree_set, body)
        return context.get_dummy_value()

    return (
        types.void(
            columns, old, types.int64, messages, sources, targets, degrees, types.int64, mask, factor, width, stamp
        ),
        generate,
    )


@generated
def parity(
    typing: Any, columns: Any, sources: Any, first: Any, degree: Any, span: Any, mask: Any, width: Any, stamp: Any
) -> Any:
    """The places, modulo 16, at which a check of one base row fails, as bits; a total <= 0 is a 1.

    `sources` as in `layers`, of the totals as they lie, from `first` on for this row.
    """
    lanes, degree_set = literal(width), _set(literal(mask))

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = Code(builder, lanes)
        columns, sources, first, degree, span, *_ = pointers(context, builder, signature, arguments)
        vectors = builder.udiv(builder.add(span, code.number(lanes - 1)), code.number(lanes))
        last = builder.sub(vectors, code.number(1))
        failed = cgutils.alloca_once(builder, code.bytes)
        builder.store(code.splat(0), failed)

        def body(some: int) -> None:
            def odd(vector: Any) -> Any:
                places = code.at(sources, builder.add(first, builder.mul(vector, code.number(some))), I32)
                found = code.splat(0)
                for e in range(some):
                    total = code.load(code.at(columns, code.word(places, code.number(e))))
                    found = builder.xor(found, code.sub(total, code.splat(1)))
                return found

            with code.loop(last) as vector:
                builder.store(builder.or_(builder.load(failed), odd(vector)), failed)
            # The last vector may have lanes behind the span.
            left = builder.trunc(builder.sub(span, builder.mul(last, code.number(lanes))), I8)
            inside = builder.icmp_signed("<", code.steps(), code.all_of(left))
            ours = builder.select(inside, odd(last), code.splat(0))
            builder.store(builder.or_(builder.load(failed), ours), failed)

        switch(code, degree, degree_set, body)
        found, part = builder.load(failed), lanes
        while part > 16:
            part //= 2
            low, high = (code.shuffle(found, found, range(at, at + part)) for at in (0, part))
            found = builder.or_(low, high)
        signs = builder.icmp_signed("<", found, ir.Constant(found.type, [0] * 16))
        return builder.zext(builder.bitcast(signs, ir.IntType(16)), I64)

    return types.int64(columns, sources, types.int64, types.int64, types.int64, mask, width, stamp), generate
