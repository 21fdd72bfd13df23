"""Random valid graphs for the property tests of the runtime.

A graph grows block by block. Of every open output the type, the size, the number of items and the traits are known
beforehand, worked out here and not by the runtime, so that what is joined fits.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from chain import Group, Invert, Soft, Source, Split, Third

from lgvsc_flow import Block, Graph, In, Out, setting
from lgvsc_flow.items import Bits, ItemType, Llrs, Payload
from lgvsc_flow.ports import BoundPort

COUNTS = (0, 6, 12, 12, 12, 24)


class Noise(Block):
    """Flip bits at random."""

    bits = In(Bits, "n")
    noisy = Out(Bits, "n")

    def work(self, bits):
        return bits ^ self.rng.integers(0, 2, bits.size, dtype=np.uint8)


class Xor(Block):
    """Two streams into one."""

    a = In(Bits, "n")
    b = In(Bits, "n")
    mixed = Out(Bits, "n")

    def work(self, a, b):
        return a ^ b


class Concat(Block):
    """Two bursts into one."""

    a = In(Bits, "n")
    b = In(Bits, "m")
    both = Out(Bits, "n + m")

    def work(self, a, b):
        return np.concatenate((a, b))


class Hard(Block):
    """LLRs to bits."""

    llrs = In(Llrs, "n", finite=True)
    bits = Out(Bits, "n")

    def work(self, llrs):
        return (llrs < 0).astype(np.uint8)


class Pack(Block):
    """Bits into a record."""

    bits = In(Bits, "n")
    payload = Out(Payload, "n")

    def start(self):
        self.count = -1

    def work(self, bits):
        self.count += 1
        return Payload(self.count, "bits", bits.tobytes())


class Unpack(Block):
    """A record into bits."""

    payload = In(Payload, "n")
    bits = Out(Bits, "n")

    def work(self, payload):
        return np.frombuffer(payload.data, np.uint8)


class Twice(Block):
    """Every burst, and its inverse."""

    bits = In(Bits, "n")
    out = Out(Bits, "n", rate="2")

    def work(self, bits):
        yield bits
        yield 1 - bits


class Staircase(Block):
    """Burst number i, i modulo 3 times: also none."""

    bits = In(Bits, "n")
    out = Out(Bits, "n", rate="many")

    def start(self):
        self.calls = 0

    def work(self, bits):
        for _ in range(self.calls % 3):
            yield bits
        self.calls += 1


class Together(Block):
    """Work on several bursts at once."""

    bits = In(Bits, "n")
    out = Out(Bits, "n")
    batch_size: int = setting(4, ge=1)

    def work_batch(self, bits):
        return list(np.roll(np.stack(bits), 1, axis=1))


class Tint(Block):
    """Set a trait."""

    bits = In(Bits, "n")
    out = Out(Bits, "n", colour="{colour}")
    colour: str = "red"

    def work(self, bits):
        return bits


class Digest(Block):
    """A sink that measures."""

    bits = In(Bits)

    def start(self):
        self.ones = self.weighed = 0

    def work(self, bits):
        self.ones += int(bits.sum())
        self.weighed += int(bits.sum()) * self.ones


@dataclass(frozen=True)
class End:
    """An output that more may be wired to, and what it sends."""

    port: BoundPort
    kind: ItemType
    size: int
    count: int
    colour: str = ""


@dataclass
class Component:
    """Blocks that are added to a graph, and their outputs."""

    graph: Graph
    rng: np.random.Generator
    ends: list[End] = field(default_factory=list)

    def __post_init__(self):
        self.before = set(self.graph.blocks)

    def pick(self, kind=Bits, least=0):
        """An output of a type that sends at least so many items."""
        fitting = [e for e in self.ends if e.kind is kind and e.count >= least]
        return fitting[self.rng.integers(len(fitting))]

    def source(self, count=None):
        size = int(self.rng.choice([4, 6, 8, 16]))
        count = int(self.rng.choice(COUNTS)) if count is None else count
        return self._sends(Source(n=size, count=count).bits, End(None, Bits, size, count))

    def chain(self, end, block, **changes):
        """Wire a block with one input and one output behind an output."""
        self.graph.connect(end.port, block)
        if isinstance(block, Graph):
            return self._sends(next(p for p in block.ports.values() if isinstance(p.port, Out)), end, **changes)
        return self._sends(BoundPort(block, block.outputs()[0]), end, **changes)

    def join(self, one, other, block, **changes):
        """Wire a block with two inputs behind two outputs."""
        self.graph.connect(one.port, block.a)
        self.graph.connect(other.port, block.b)
        changes = {"colour": one.colour or other.colour, **changes}
        return self._sends(BoundPort(block, block.outputs()[0]), one, **changes)

    def _sends(self, port, end, **changes):
        self.graph.add(port.block)
        end = replace(end, port=port, **changes)
        self.ends.append(end)
        return end

    def grow(self):
        """One step: a block, a diamond or a composite more."""
        end, rng = self.pick(), self.rng
        match rng.integers(16):
            case 0:
                self.chain(end, Invert())
            case 1 | 2:
                self.chain(end, Noise())
            case 3:
                self.chain(end, Group(size=int(rng.integers(1, 30))))
            case 4:
                self.chain(end, Staircase(), count=sum(i % 3 for i in range(end.count)))
            case 5:
                if end.count % 3 == 0:
                    self.chain(end, Third(), count=end.count // 3)
            case 6:
                if end.count <= 48:
                    self.chain(end, Twice(), count=end.count * 2)
            case 7:
                self.chain(self.chain(end, Soft(), kind=Llrs), Hard(), kind=Bits)
            case 8:
                self.chain(self.chain(end, Pack(), kind=Payload), Unpack(), kind=Bits)
            case 9:
                self.chain(end, Together(batch_size=int(rng.integers(1, 6))))
            case 10:
                colour = str(rng.choice(["red", "blue"]))
                self.chain(end, Tint(colour=colour), colour=colour)
            case 11:
                if end.size % 2 == 0:
                    split = Split()
                    self.graph.connect(end.port, split)
                    for port in (split.first, split.second):
                        self._sends(port, end, size=end.size // 2)
            case 12:
                self.chain(end, composite(rng, int(rng.integers(3))))
            case 13:
                self.diamond(end)
            case _:
                self.meet(end)

    def diamond(self, end):
        """Two branches of different length and delay that meet again."""
        if not end.count:
            return
        left = self.chain(self.chain(end, Noise()), Invert())
        right = self.chain(end, Group(size=int(self.rng.integers(1, 20))))
        if self.rng.integers(2) and end.count % 3 == 0:
            left, right = (self.chain(e, Third(), count=end.count // 3) for e in (left, right))
        self.join(left, right, Xor())

    def meet(self, end):
        """Another output with as many items; streams without any tell nothing of their balance."""
        fitting = [
            e
            for e in self.ends
            if e.kind is Bits and e.count == end.count > 0 and (e.colour == end.colour or not (e.colour and end.colour))
        ]
        if not fitting:
            return
        other = fitting[self.rng.integers(len(fitting))]
        if other.size == end.size:
            self.join(end, other, Xor())
        elif other.size + end.size <= 256:
            self.join(end, other, Concat(), size=end.size + other.size)


def composite(rng, depth):
    """A composite with an inner diamond, and composites within."""
    graph = Graph("part")
    first, xor, delay = Invert(), Xor(), Group(size=1 + int(rng.integers(8)))
    graph.connect(first, delay, xor.a)
    graph.connect(first, Noise(), xor.b)
    last = xor
    if depth:
        inner = composite(rng, depth - 1)
        graph.connect(last, inner)
        last = inner
    return graph.open(bits=first.bits, out=xor.mixed if last is xor else last.out)


def component(graph, rng, steps=12):
    """Grow a component in a graph: several sources, some steps, some sinks."""
    part = Component(graph, rng)
    for number in range(int(rng.integers(1, 4))):
        part.source(12 if number == 0 else None)
    for _ in range(int(rng.integers(2, steps + 1))):
        part.grow()
    for _ in range(int(rng.integers(1, 3))):
        graph.connect(part.pick().port, Digest())
    return part


def random_graph(seed, steps=12):
    """A valid graph, and its outputs."""
    rng = np.random.default_rng(seed)
    graph = Graph(f"random {seed}", seed=seed)
    return graph, component(graph, rng, steps)
