"""The passes of the int8 decoder over totals and messages, as Numba intrinsics made of vector code.

Two layouts share the arithmetic, so that a codeword decodes to the same bits in either and at every vector width:
- across: one codeword per byte of the vector; row r of the parity-check matrix is one straight-line piece of code.
- along: one codeword, the vector runs along the z rows of a circulant. Every touch of a column reads it rotated from one
  of its two buffers and writes it in the order of the rows to the other; the rotation is never undone.

Arrays are given as they lie in memory; the caller answers for all sizes. `width` is in bytes; `degrees` has bit d set
for every check degree d of the code: each has its own straight-line code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from lgvsc_flow.blocks.phy.ldpc.simd import F32, I1, I8, I32, I64, Code, switch

__all__ = ["layers_across", "layers_along", "load_across", "parity_along", "quantise", "signs_across", "words_across"]

LEAST_MAX = 84  # gives messages up to 63


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


def _check(code: Code, totals: Sequence[Any], messages: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """One check per lane by normalised min-sum: new totals and new messages of its edges."""
    b = code.builder
    inputs = [code.sub(total, message) for total, message in zip(totals, messages, strict=True)]
    sizes = [code.call("abs", value) for value in inputs]  # unsigned: 128 is meant as such
    odd = inputs[0]
    for value in inputs[1:]:
        odd = b.xor(odd, value)
    found, new = [], []
    for value, other in zip(inputs, _least_of_the_others(code, sizes, code.splat(LEAST_MAX)), strict=True):
        size = code.average(other, code.average(other, code.splat(0)))
        message = b.select(code.negative(b.xor(odd, value)), b.sub(code.splat(0), size), size)
        new.append(message)
        found.append(code.add(value, message))
    return found, new


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


def _length(context: Any, builder: Any, signature: Any, arguments: Any, which: int) -> Any:
    """Elements of a one-dimensional array argument."""
    return builder.extract_value(context.make_array(signature.args[which])(context, builder, arguments[which]).shape, 0)


@contextmanager
def _blocks(code: Code, count: Any) -> Iterator[Any]:
    """A loop over blocks of 16 elements; the last one overlaps the one before where 16 does not divide `count`."""
    b = code.builder
    last = b.sub(count, code.int(16))
    with code.loop(b.udiv(b.add(count, code.int(15)), code.int(16))) as block:
        at = b.mul(block, code.int(16))
        yield b.select(b.icmp_signed("<", last, at), last, at)


@intrinsic(prefer_literal=True)
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
        edge = cgutils.alloca_once_value(builder, code.int(0))

        def body(degree: int) -> None:
            start = builder.load(edge)
            with code.loop(z) as r:
                first = builder.add(start, builder.mul(r, code.int(degree)))
                offsets = code.at(table, first, I32)
                ours = code.at(messages, builder.mul(first, code.int(lanes)))
                places = [code.at(total, code.word(offsets, code.int(e))) for e in range(degree)]
                slots = [code.at(ours, code.int(e * lanes)) for e in range(degree)]
                found, new = _check(code, [code.load(p) for p in places], [code.load(p) for p in slots])
                for place, slot, value, message in zip(places, slots, found, new, strict=True):
                    code.store(message, slot)
                    code.store(value, place)
            builder.store(builder.add(start, builder.mul(z, code.int(degree))), edge)

        with code.loop(_length(context, builder, signature, arguments, 3)) as row:
            switch(code, code.word(degrees, row), degree_set, body)
        return context.get_dummy_value()

    return types.void(total, messages, table, degrees, types.int64, mask, width, stamp), generate


@intrinsic(prefer_literal=True)
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
        edge = cgutils.alloca_once_value(builder, code.int(0))
        vectors = builder.udiv(builder.add(z, code.int(lanes - 1)), code.int(lanes))
        stride = builder.mul(vectors, code.int(lanes))

        def body(degree: int) -> None:
            start = builder.load(edge)
            entries = code.at(table, builder.mul(start, code.int(3)), I32)
            entry = [[code.word(entries, code.int(3 * e + i)) for i in range(3)] for e in range(degree)]
            sources = [code.at(columns, source) for source, _, _ in entry]
            targets = [code.at(columns, target) for _, _, target in entry]
            ours = code.at(messages, builder.mul(start, stride))
            slots = [code.at(ours, builder.mul(stride, code.int(e))) for e in range(degree)]
            with code.loop(vectors) as vector:
                at = builder.mul(vector, code.int(lanes))
                totals = []
                for source, (_, turn, _) in zip(sources, entry, strict=True):
                    place = builder.add(at, turn)
                    wraps = builder.icmp_unsigned(">=", place, z)
                    place = builder.select(wraps, builder.sub(place, z), place)
                    totals.append(code.load(code.at(source, place)))
                found, new = _check(code, totals, [code.load(code.at(slot, at)) for slot in slots])
                for target, slot, value, message in zip(targets, slots, found, new, strict=True):
                    code.store(message, code.at(slot, at))
                    code.store(value, code.at(target, at))
            for target in targets:
                code.store(code.load(target), code.at(target, z))
            builder.store(builder.add(start, code.int(degree)), edge)

        with code.loop(_length(context, builder, signature, arguments, 3)) as row:
            switch(code, code.word(degrees, row), degree_set, body)
        return context.get_dummy_value()

    return types.void(columns, messages, table, degrees, types.int64, mask, width, stamp), generate


@intrinsic(prefer_literal=True)
def parity_along(typing: Any, columns: Any, table: Any, first: Any, degree: Any, z: Any, width: Any, stamp: Any) -> Any:
    """Whether the checks of one base row hold: its `degree` entries of `table` begin at `first`; a total <= 0 is a 1."""
    lanes = _literal(width)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = Code(builder, lanes)
        columns, table, first, degree, z, *_ = _pointers(context, builder, signature, arguments)
        vectors = builder.udiv(builder.add(z, code.int(lanes - 1)), code.int(lanes))
        failed = cgutils.alloca_once_value(builder, ir.Constant(ir.IntType(lanes), 0))
        odd = cgutils.alloca_once_value(builder, code.splat(0))
        entries = code.at(table, builder.mul(first, code.int(3)), I32)
        with code.loop(vectors) as vector:
            at = builder.mul(vector, code.int(lanes))
            builder.store(code.splat(0), odd)
            with code.loop(degree) as e:
                entry = builder.mul(e, code.int(3))
                place = builder.add(at, code.word(entries, builder.add(entry, code.int(1))))
                wraps = builder.icmp_unsigned(">=", place, z)
                place = builder.select(wraps, builder.sub(place, z), place)
                value = code.load(code.at(code.at(columns, code.word(entries, entry)), place))
                builder.store(builder.xor(builder.load(odd), code.sub(value, code.splat(1))), odd)
            broken = code.mask(code.negative(builder.load(odd)))
            # The last vector may have lanes behind z.
            left = builder.sub(z, at)
            whole = builder.icmp_signed(">=", left, code.int(lanes))
            excess = builder.select(whole, code.int(0), builder.sub(code.int(lanes), left))
            keep = ir.Constant(ir.IntType(lanes), -1)
            keep = builder.lshr(keep, code.resize(excess, lanes))
            builder.store(builder.or_(builder.load(failed), builder.and_(broken, keep)), failed)
        return builder.icmp_unsigned("==", builder.load(failed), ir.Constant(ir.IntType(lanes), 0))

    return types.boolean(columns, table, types.int64, types.int64, types.int64, width, stamp), generate


@intrinsic
def quantise(typing: Any, llrs: Any, first: Any, scale: Any, out: Any, count: Any) -> Any:
    """float32 `llrs` from `first` times `scale` as int8 to `out` [count], count at least 16; see `Code.quantised`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = Code(builder, 16)
        llrs, first, scale, out, count = _pointers(context, builder, signature, arguments)
        source = code.at(llrs, first, F32)
        with _blocks(code, count) as at:
            code.store(code.quantised(code.at(source, at, F32), scale), code.at(out, at))
        return context.get_dummy_value()

    return types.void(llrs, types.int64, types.float32, out, types.int64), generate


@intrinsic(prefer_literal=True)
def load_across(
    typing: Any, llrs: Any, firsts: Any, scales: Any, total: Any, count: Any, width: Any, stamp: Any
) -> Any:
    """Codewords into the lanes of total int8 [count, width]: lane i from llrs[firsts[i]] on, times scales[i].

    `firsts` int64 [width], `scales` float32 [width]; count at least 16.
    """
    lanes = _literal(width)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = Code(builder, lanes)
        llrs, firsts, scales, total, count, *_ = _pointers(context, builder, signature, arguments)
        with _blocks(code, count) as at:
            rows = []
            for row in range(16):
                parts = []
                for lane in range(row, lanes, 16):
                    first = code.load(code.at(firsts, code.int(lane), I64), I64, 8)
                    scale = code.load(code.at(scales, code.int(lane), F32), F32, 4)
                    parts.append(code.quantised(code.at(llrs, builder.add(first, at), F32), scale))
                rows.append(code.join(parts))
            start = code.at(total, builder.mul(at, code.int(lanes)))
            for i, row in enumerate(code.transpose16(rows)):
                code.store(row, code.at(start, code.int(i * lanes)))
        return context.get_dummy_value()

    return types.void(llrs, firsts, scales, total, types.int64, width, stamp), generate


@intrinsic(prefer_literal=True)
def signs_across(typing: Any, total: Any, signs: Any, count: Any, width: Any, stamp: Any) -> Any:
    """signs uint64 [count]: bit i set where total [count, width] is <= 0 in lane i."""
    lanes = _literal(width)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = Code(builder, lanes)
        total, signs, count, *_ = _pointers(context, builder, signature, arguments)
        with code.loop(count) as i:
            value = code.load(code.at(total, builder.mul(i, code.int(lanes))))
            found = code.mask(builder.icmp_signed("<=", value, code.splat(0)))
            code.store(builder.zext(found, I64) if lanes < 64 else found, code.at(signs, i, I64), 8)
        return context.get_dummy_value()

    return types.void(total, signs, types.int64, width, stamp), generate


@intrinsic(prefer_literal=True)
def words_across(typing: Any, signs: Any, words: Any, firsts: Any, count: Any, width: Any, stamp: Any) -> Any:
    """The inverse of `load_across` for bits: bit i of signs uint64 [count] to words[firsts[i]] on, uint8 0 or 1."""
    lanes = _literal(width)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = Code(builder, lanes)
        signs, words, firsts, count, *_ = _pointers(context, builder, signature, arguments)
        flags = ir.VectorType(I1, lanes)
        with _blocks(code, count) as at:
            rows = []
            for i in range(16):
                packed = code.load(code.at(signs, builder.add(at, code.int(i)), I64), I64, 8)
                packed = builder.trunc(packed, ir.IntType(lanes)) if lanes < 64 else packed
                rows.append(builder.zext(builder.bitcast(packed, flags), code.bytes))
            for row, mixed in enumerate(code.transpose16(rows)):
                for lane in range(row, lanes, 16):
                    first = code.load(code.at(firsts, code.int(lane), I64), I64, 8)
                    part = code.shuffle(mixed, mixed, range(lane - row, lane - row + 16))
                    code.store(part, code.at(words, builder.add(first, at)))
        return context.get_dummy_value()

    return types.void(signs, words, firsts, types.int64, width, stamp), generate
