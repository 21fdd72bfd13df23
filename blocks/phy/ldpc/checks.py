"""The passes of the int8 decoder over totals and messages, as Numba intrinsics made of vector code.

Two layouts share the arithmetic, so that a codeword decodes to the same bits in either and at every vector width:
- across: one codeword per byte of the vector; row r of the parity-check matrix is one straight-line piece of code.
- along: one codeword, the vector runs along the z rows of a circulant. Every touch of a column reads it rotated from
  one of its two buffers and writes it in the order of the rows to the other; the rotation is never undone.

Arrays are given as they lie in memory; the caller answers for all sizes. `width` is in bytes; `degrees` has bit d set
for every check degree d of the code: each has its own straight-line code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from lgvsc_flow.blocks.phy.ldpc.simd import F32, I1, I32, I64, Code, switch

__all__ = [
    "STAMP",
    "layers_across",
    "layers_along",
    "magnitudes",
    "parity_along",
    "quantise",
    "signs_across",
    "turn_across",
    "words_across",
]

FEW = 10  # inputs of a check that stay in registers with all that is made of them
LEAST_MAX = 49  # becomes 40: messages that size hold saturated totals up, and a right word stays right
# Numba's cache on disk sees changes of the kernels' own files only: what these two generate is told by a digest.
STAMP = crc32(b"".join((Path(__file__).parent / name).read_bytes() for name in ("checks.py", "simd.py")))


def _generated(function: Callable[..., Any]) -> Any:
    return intrinsic(prefer_literal=True)(function)


def _pointers(context: Any, builder: Any, signature: Any, arguments: Sequence[Any]) -> list[Any]:
    """Data pointers for arrays; other arguments as they are."""
    return [
        context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
        for kind, value in zip(signature.args, arguments, strict=True)
    ]


def _literal(kind: Any) -> int:
    if not isinstance(kind, types.IntegerLiteral):
        raise TypeError("the vector width and the set of degrees are compile-time constants")
    return kind.literal_value


def _set(mask: int) -> list[int]:
    return [degree for degree in range(mask.bit_length()) if mask >> degree & 1]


def _check(code: Code, inputs: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """One check per lane by normalised min-sum on totals less messages: new totals and new messages of its edges."""
    b = code.builder
    odd = inputs[0]
    for value in inputs[1:]:
        odd = b.xor(odd, value)
    scaled = _sizes_of_few(code, inputs) if len(inputs) <= FEW else _sizes_of_many(code, inputs)
    found, new = [], []
    for value, size in zip(inputs, scaled, strict=True):
        message = b.select(code.negative(b.xor(odd, value)), b.sub(code.splat(0), size), size)
        new.append(message)
        found.append(code.add(value, message))
    return found, new


def _scaled(code: Code, size: Any) -> Any:
    """13/16 of unsigned bytes, as two means: of the size and its quarter, and of the size and that."""
    quarter = code.builder.lshr(size, code.splat(2))
    return code.average(size, code.average(size, quarter))


def _sizes_of_few(code: Code, inputs: Sequence[Any]) -> Iterator[Any]:
    """Sizes of the messages: the least of the other inputs, found by halves; all in registers."""
    sizes = [code.call("abs", value) for value in inputs]  # unsigned: 128 is meant as such
    return (_scaled(code, size) for size in _least_of_the_others(code, sizes, code.splat(LEAST_MAX)))


def _sizes_of_many(code: Code, inputs: Sequence[Any]) -> Iterator[Any]:
    """The same from the two least of all, with only the inputs in registers."""
    least, second = code.splat(255), code.splat(255)
    for value in inputs:
        size = code.call("abs", value)
        second = code.umin(second, code.umax(least, size))
        least = code.umin(least, size)
    low, high = (_scaled(code, code.umin(size, code.splat(LEAST_MAX))) for size in (least, second))
    for value in inputs:
        size = code.call("abs", code.afresh(value))
        yield code.builder.select(code.builder.icmp_unsigned("==", size, least), high, low)


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


def _each(code: Code, count: Any, degree: int, check: Callable[[Any], tuple[Any, ...]]) -> None:
    """Update `count` checks: `check` gives addresses of totals, of messages, and of new totals where they differ.

    Where registers allow it, two at a time: a processor sees too few instructions ahead to overlap them by itself.
    """
    b = code.builder

    def update(first: Any, some: int) -> None:
        checks = [check(b.add(first, code.number(j))) for j in range(some)]
        inputs = [[code.sub(code.load(p), code.load(q)) for p, q in zip(*each[:2], strict=True)] for each in checks]
        for (old, slots, *other), values in zip(checks, inputs, strict=True):
            found, new = _check(code, values)
            for slot, place, message, value in zip(slots, *(other or [old]), new, found, strict=True):
                code.store(message, slot)
                code.store(value, place)

    done = code.number(0)
    if code.width == 64 and degree <= FEW:
        pairs = b.udiv(count, code.number(2))
        with code.loop(pairs) as i:
            update(b.mul(i, code.number(2)), 2)
        done = b.mul(pairs, code.number(2))
    with code.loop(count, done) as i:
        update(i, 1)


def _length(context: Any, builder: Any, signature: Any, arguments: Any, which: int) -> Any:
    """Elements of a one-dimensional array argument."""
    return builder.extract_value(context.make_array(signature.args[which])(context, builder, arguments[which]).shape, 0)


@contextmanager
def _blocks(code: Code, count: Any) -> Iterator[Any]:
    """A loop over blocks of 16 elements; the last one overlaps the one before where 16 does not divide `count`."""
    b = code.builder
    last = b.sub(count, code.number(16))
    with code.loop(b.udiv(b.add(count, code.number(15)), code.number(16))) as block:
        at = b.mul(block, code.number(16))
        start = b.select(b.icmp_signed("<", last, at), last, at)
        yield start


@_generated
def layers_across(
    typing: Any, total: Any, messages: Any, table: Any, degrees: Any, z: Any, mask: Any, width: Any, stamp: Any
) -> Any:
    """One iteration: total int8 [n, width], messages int8 [edges * z, width] ordered by base row, row, edge.

    `table` int32 [edges * z], in the order of the messages, has the byte offset into `total`; `degrees` int32 [rows].
    """
    lanes, degree_set = _literal(width), _set(_literal(mask))

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = Code(builder, lanes)
        total, messages, table, degrees, z, *_ = _pointers(context, builder, signature, arguments)
        edge = cgutils.alloca_once_value(builder, code.number(0))

        def body(degree: int) -> None:
            start = builder.load(edge)

            def check(row: Any) -> tuple[Any, Any]:
                first = builder.add(start, builder.mul(row, code.number(degree)))
                offsets = code.at(table, first, I32)
                ours = code.at(messages, builder.mul(first, code.number(lanes)))
                places = [code.at(total, code.word(offsets, code.number(e))) for e in range(degree)]
                return places, [code.at(ours, code.number(e * lanes)) for e in range(degree)]

            _each(code, z, degree, check)
            builder.store(builder.add(start, builder.mul(z, code.number(degree))), edge)

        with code.loop(_length(context, builder, signature, arguments, 3)) as row:
            switch(code, code.word(degrees, row), degree_set, body)
        return context.get_dummy_value()

    return types.void(total, messages, table, degrees, types.int64, mask, width, stamp), generate


@_generated
def layers_along(
    typing: Any, columns: Any, messages: Any, table: Any, degrees: Any, z: Any, mask: Any, width: Any, stamp: Any
) -> Any:
    """One iteration on one codeword: `columns` int8 are the buffers, messages int8 [edges, z rounded up to width].

    `table` int32 [edges, 3]: the offset of the buffer that is read, by how much it is rotated, the offset of the buffer
    that is written. A buffer has z bytes rounded up to whole vectors and one vector more, for its beginning once again.
    """
    lanes, degree_set = _literal(width), _set(_literal(mask))

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = Code(builder, lanes)
        columns, messages, table, degrees, z, *_ = _pointers(context, builder, signature, arguments)
        edge = cgutils.alloca_once_value(builder, code.number(0))
        vectors = builder.udiv(builder.add(z, code.number(lanes - 1)), code.number(lanes))
        stride = builder.mul(vectors, code.number(lanes))

        def body(degree: int) -> None:
            start = builder.load(edge)
            entries = code.at(table, builder.mul(start, code.number(3)), I32)
            entry = [[code.word(entries, code.number(3 * e + i)) for i in range(3)] for e in range(degree)]
            sources = [code.at(columns, source) for source, _, _ in entry]
            targets = [code.at(columns, target) for _, _, target in entry]
            ours = code.at(messages, builder.mul(start, stride))
            slots = [code.at(ours, builder.mul(stride, code.number(e))) for e in range(degree)]

            def check(vector: Any) -> tuple[Any, Any, Any]:
                at = builder.mul(vector, code.number(lanes))
                places = []
                for source, (_, turn, _) in zip(sources, entry, strict=True):
                    place = builder.add(at, turn)
                    wraps = builder.icmp_unsigned(">=", place, z)
                    places.append(code.at(source, builder.select(wraps, builder.sub(place, z), place)))
                return places, [code.at(slot, at) for slot in slots], [code.at(target, at) for target in targets]

            _each(code, vectors, degree, check)
            for target in targets:
                code.store(code.load(target), code.at(target, z))
            builder.store(builder.add(start, code.number(degree)), edge)

        with code.loop(_length(context, builder, signature, arguments, 3)) as row:
            switch(code, code.word(degrees, row), degree_set, body)
        return context.get_dummy_value()

    return types.void(columns, messages, table, degrees, types.int64, mask, width, stamp), generate


@_generated
def parity_along(typing: Any, columns: Any, table: Any, first: Any, degree: Any, z: Any, width: Any, stamp: Any) -> Any:
    """Whether the checks of a base row hold: its `degree` entries of `table` begin at `first`; a total <= 0 is a 1."""
    lanes = _literal(width)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = Code(builder, lanes)
        columns, table, first, degree, z, *_ = _pointers(context, builder, signature, arguments)
        vectors = builder.udiv(builder.add(z, code.number(lanes - 1)), code.number(lanes))
        failed = cgutils.alloca_once_value(builder, ir.Constant(ir.IntType(lanes), 0))
        odd = cgutils.alloca_once_value(builder, code.splat(0))
        entries = code.at(table, builder.mul(first, code.number(3)), I32)
        with code.loop(vectors) as vector:
            at = builder.mul(vector, code.number(lanes))
            builder.store(code.splat(0), odd)
            with code.loop(degree) as e:
                entry = builder.mul(e, code.number(3))
                place = builder.add(at, code.word(entries, builder.add(entry, code.number(1))))
                wraps = builder.icmp_unsigned(">=", place, z)
                place = builder.select(wraps, builder.sub(place, z), place)
                value = code.load(code.at(code.at(columns, code.word(entries, entry)), place))
                builder.store(builder.xor(builder.load(odd), code.sub(value, code.splat(1))), odd)
            broken = code.mask(code.negative(builder.load(odd)))
            # The last vector may have lanes behind z.
            left = builder.sub(z, at)
            whole = builder.icmp_signed(">=", left, code.number(lanes))
            excess = builder.select(whole, code.number(0), builder.sub(code.number(lanes), left))
            keep = ir.Constant(ir.IntType(lanes), -1)
            keep = builder.lshr(keep, code.resize(excess, lanes))
            builder.store(builder.or_(builder.load(failed), builder.and_(broken, keep)), failed)
        return builder.icmp_unsigned("==", builder.load(failed), ir.Constant(ir.IntType(lanes), 0))

    return types.boolean(columns, table, types.int64, types.int64, types.int64, width, stamp), generate


@_generated
def magnitudes(typing: Any, llrs: Any, first: Any, count: Any) -> Any:
    """Of float32 `llrs` [first, first + count), count 16 to 2**17: how many are neither 0, infinite nor NaN, times
    2**40, plus the sum of the upper 19 bits of their patterns without sign; the last count % 16 are left out."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = Code(builder, 64)
        llrs, first, count = _pointers(context, builder, signature, arguments)
        source, kind = code.at(llrs, first, F32), ir.VectorType(I32, 16)
        total, some = (cgutils.alloca_once_value(builder, ir.Constant(kind, [0] * 16)) for _ in range(2))

        def constant(value: int) -> ir.Constant:
            return ir.Constant(kind, [value] * 16)

        with code.loop(builder.udiv(count, code.number(16))) as block:
            at = builder.mul(block, code.number(16))
            pattern = builder.and_(code.load(code.at(source, at, F32), kind, 4), constant(0x7FFFFFFF))
            known = builder.icmp_unsigned("<", builder.sub(pattern, constant(1)), constant(0x7F7FFFFF))
            part = builder.select(known, builder.lshr(pattern, constant(12)), constant(0))
            builder.store(builder.add(builder.load(total), part), total)
            builder.store(builder.add(builder.load(some), builder.zext(known, kind)), some)
        wide = ir.VectorType(I64, 16)
        both = builder.add(
            builder.zext(builder.load(total), wide),
            builder.shl(builder.zext(builder.load(some), wide), ir.Constant(wide, [40] * 16)),
        )
        reduce_type = ir.FunctionType(I64, (wide,))
        return builder.call(
            cgutils.get_or_insert_function(builder.module, reduce_type, "llvm.vector.reduce.add.v16i64"), (both,)
        )

    return types.int64(llrs, types.int64, types.int64), generate


@_generated
def quantise(typing: Any, llrs: Any, first: Any, scale: Any, out: Any, to: Any, count: Any) -> Any:
    """`count` (at least 16) float32 `llrs` from `first` on, times `scale`, to int8 `out` from `to` on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = Code(builder, 16)
        llrs, first, scale, out, to, count = _pointers(context, builder, signature, arguments)
        source, target = code.at(llrs, first, F32), code.at(out, to)
        with _blocks(code, count) as at:
            code.store(code.quantised(code.at(source, at, F32), scale), code.at(target, at))
        return context.get_dummy_value()

    return types.void(llrs, types.int64, types.float32, out, types.int64, types.int64), generate


@_generated
def turn_across(typing: Any, rows: Any, total: Any, count: Any, width: Any, stamp: Any) -> Any:
    """int8 [width, count], count at least 16, to int8 [count, width]."""
    lanes = _literal(width)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = Code(builder, lanes)
        rows, total, count, *_ = _pointers(context, builder, signature, arguments)
        part = ir.VectorType(ir.IntType(8), 16)
        with _blocks(code, count) as at:
            lines = [code.at(code.at(rows, builder.mul(count, code.number(lane))), at) for lane in range(lanes)]
            mixed = [code.join([code.load(line, part) for line in lines[row::16]]) for row in range(16)]
            start = code.at(total, builder.mul(at, code.number(lanes)))
            for i, row in enumerate(code.transpose16(mixed)):
                code.store(row, code.at(start, code.number(i * lanes)))
        return context.get_dummy_value()

    return types.void(rows, total, types.int64, width, stamp), generate


@_generated
def signs_across(typing: Any, total: Any, signs: Any, count: Any, width: Any, stamp: Any) -> Any:
    """signs uint64 [count]: bit i set where total [count, width] is <= 0 in lane i."""
    lanes = _literal(width)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = Code(builder, lanes)
        total, signs, count, *_ = _pointers(context, builder, signature, arguments)
        with code.loop(count) as i:
            value = code.load(code.at(total, builder.mul(i, code.number(lanes))))
            found = code.mask(builder.icmp_signed("<=", value, code.splat(0)))
            code.store(builder.zext(found, I64) if lanes < 64 else found, code.at(signs, i, I64), 8)
        return context.get_dummy_value()

    return types.void(total, signs, types.int64, width, stamp), generate


@_generated
def words_across(typing: Any, signs: Any, words: Any, firsts: Any, count: Any, width: Any, stamp: Any) -> Any:
    """The way back for bits: bit i of signs uint64 [count] to words[firsts[i]] on, uint8 0 or 1."""
    lanes = _literal(width)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = Code(builder, lanes)
        signs, words, firsts, count, *_ = _pointers(context, builder, signature, arguments)
        flags = ir.VectorType(I1, lanes)
        with _blocks(code, count) as at:
            rows = []
            for i in range(16):
                packed = code.load(code.at(signs, builder.add(at, code.number(i)), I64), I64, 8)
                packed = builder.trunc(packed, ir.IntType(lanes)) if lanes < 64 else packed
                rows.append(builder.zext(builder.bitcast(packed, flags), code.bytes))
            for row, mixed in enumerate(code.transpose16(rows)):
                for lane in range(row, lanes, 16):
                    first = code.load(code.at(firsts, code.number(lane), I64), I64, 8)
                    part = code.shuffle(mixed, mixed, range(lane - row, lane - row + 16))
                    code.store(part, code.at(words, builder.add(first, at)))
        return context.get_dummy_value()

    return types.void(signs, words, firsts, types.int64, width, stamp), generate
