"""Small blocks for the tests of the runtime."""

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.items import Bits, Llrs


class Source(Block):
    """Random bursts."""

    bits = Out(Bits, "n")
    n: int = setting(64, ge=1)
    count: int = 20

    def work(self):
        for _ in range(self.count):
            yield self.rng.integers(0, 2, self.n, dtype=np.uint8)


class Invert(Block):
    """Flip every bit."""

    bits = In(Bits, "n")
    flipped = Out(Bits, "n")

    def work(self, bits):
        return 1 - bits


class Group(Block):
    """Hold bursts back and send them `size` at a time."""

    bits = In(Bits, "n")
    grouped = Out(Bits, "n", rate="many")
    size: int = 40

    def start(self):
        self.held = []

    def work(self, bits):
        self.held.append(bits)
        if len(self.held) == self.size:
            yield from self.held
            self.held = []

    def finish(self):
        yield from self.held


class DropLast(Block):
    """Lose the last burst, as no block should."""

    bits = In(Bits, "n")
    kept = Out(Bits, "n", rate="many")

    def start(self):
        self.held = None

    def work(self, bits):
        if self.held is not None:
            yield self.held
        self.held = bits


class Split(Block):
    """Two outputs."""

    bits = In(Bits, "n")
    first = Out(Bits, "n // 2")
    second = Out(Bits, "n // 2")

    def work(self, bits):
        return bits[: bits.size // 2], bits[bits.size // 2 :]


class Compare(Block):
    """Count differing bits and keep what arrived on `a`."""

    a = In(Bits, "n")
    b = In(Bits, "n")

    def start(self):
        self.seen, self.differing = [], 0

    def work(self, a, b):
        self.seen.append(a)
        self.differing += int((a != b).sum())


class Fail(Block):
    """Refuse burst number `at`."""

    bits = In(Bits, "n")
    out = Out(Bits, "n")
    at: int = 3

    def start(self):
        self.calls = 0

    def work(self, bits):
        self.calls += 1
        if self.calls > self.at:
            raise ValueError("a burst must be kinder.")
        return bits


class Soft(Block):
    """Bits to LLRs."""

    bits = In(Bits, "n")
    llrs = Out(Llrs, "n")

    def work(self, bits):
        return (1 - 2 * bits.astype(np.float32)).astype(np.float32)


class Third(Block):
    """Send every third burst."""

    bits = In(Bits, "n")
    kept = Out(Bits, "n", rate="1/3")

    def start(self):
        self.calls = 0

    def work(self, bits):
        self.calls += 1
        if self.calls % 3 == 0:
            yield bits
