"""What a block sends is compared with what its ports declare."""

import numpy as np
import pytest
from chain import Invert

from lgvsc_flow import Block, Graph, In, Out, setting
from lgvsc_flow.errors import BlockError
from lgvsc_flow.items import Bits, Llrs, Received, Symbols
from lgvsc_flow.testing import run_block


class Repeat(Block):
    """Send each bit `times` times, or one fewer."""

    bits = In(Bits, "words * k")
    repeated = Out(Bits, "words * k * times")

    k: int = 4
    times: int = setting(3, ge=1, live=True)
    short: int = 0

    def work(self, bits):
        return np.repeat(bits, self.times)[self.short :]


class Join(Block):
    """Two inputs, two outputs."""

    a = In(Bits, "n")
    b = In(Bits, "m")
    joined = Out(Bits, "n + m")
    first = Out(Bits, "n")
    wrong: bool = False

    def work(self, a, b):
        return np.concatenate([a, b]), b if self.wrong else a


class Burst(Block):
    """A source that says 8 and sends `n`."""

    bits = Out(Bits, "8")
    n: int = 8

    def work(self):
        yield np.zeros(self.n, np.uint8)


class Noise(Block):
    """Symbols with a gain; NaN where `nan` says."""

    symbols = In(Symbols, "n")
    received = Out(Received, "n", finite=True)
    nan: str = ""

    def work(self, symbols):
        parts = {"symbols": symbols.copy(), "gain": np.ones(4, np.complex64), "noise_variance": np.float32(0.1)}
        if self.nan:
            parts[self.nan] = np.asarray(parts[self.nan] * np.nan)
        return Received(**parts)


def bursts(*sizes):
    return [np.zeros(s, np.uint8) for s in sizes]


def test_sizes_follow_the_shape_burst_by_burst():
    assert [b.size for b in run_block(Repeat(), bursts(4, 8, 0, 40))] == [12, 24, 0, 120]
    with pytest.raises(BlockError) as caught:
        run_block(Repeat(short=1), bursts(8))
    assert str(caught.value) == (
        "Repeat, item 0: its output repeated sent 23 elements, its shape 'words * k * times' says 24."
    )


def test_several_ports():
    joined = run_block(Join(), bursts(2, 3), bursts(4, 5))
    assert [b.size for b in joined["joined"]] == [6, 8]
    with pytest.raises(BlockError, match=r"^Join, item 0: its output first sent 4 elements, its shape 'n' says 2\.$"):
        run_block(Join(wrong=True), bursts(2), bursts(4))


def test_sources():
    assert len(run_block(Burst())) == 1
    with pytest.raises(BlockError, match=r"^Burst, item 0: its output bits sent 7 elements, its shape '8' says 8\.$"):
        run_block(Burst(n=7))


def test_sizes_are_worked_out_anew_when_a_setting_changes():
    class Ask(Block):
        """Change the block behind after two bursts."""

        bits = In(Bits)

        def start(self):
            self.calls = 0

        def work(self, bits):
            self.calls += 1
            if self.calls == 2:
                repeat.set(times=5)

    class Bursts(Block):
        """Six bursts."""

        bits = Out(Bits, "8")

        def work(self):
            yield from bursts(*[8] * 6)

    repeat, source = Repeat(), Bursts()
    graph = Graph()
    graph.connect(source, repeat, Ask())
    probe = graph.probe(repeat.repeated)
    run = graph.run(engine="inline", capacity=1)
    sizes = [b.size for b in probe.items]
    changed = run.changes[0].item
    assert sizes == [24] * changed + [40] * (6 - changed)
    assert 0 < changed < 6


@pytest.mark.parametrize(("nan", "bad"), [("symbols", 8), ("gain", 4), ("noise_variance", 1)])
def test_a_finite_port_looks_into_every_part_of_a_record(nan, bad):
    assert len(run_block(Noise(), [np.ones(8, np.complex64)])) == 1
    with pytest.raises(BlockError) as caught:
        run_block(Noise(nan=nan), [np.ones(8, np.complex64)])
    assert str(caught.value) == (
        f"Noise, item 0: its output received sent {bad} NaN or infinite values in 8 elements; "
        "received takes finite ones only."
    )


def test_an_input_may_forbid_them_too():
    class Soft(Block):
        """LLRs, one of them infinite."""

        bits = In(Bits, "n")
        llrs = Out(Llrs, "n")

        def work(self, bits):
            llrs = np.ones(bits.size, np.float32)
            llrs[0] = np.inf
            return llrs

    class Strict(Block):
        """Takes finite LLRs."""

        llrs = In(Llrs, "n", finite=True)

        def work(self, llrs):
            pass

    graph = Graph()
    graph.connect(Burst(), Invert(), Soft(), Strict())
    with pytest.raises(BlockError) as caught:
        graph.run()
    assert str(caught.value) == (
        "Soft, item 0: its output llrs sent 1 NaN or infinite values in 8 elements; "
        "Soft.llrs -> Strict.llrs takes finite ones only."
    )


def test_an_input_that_does_not_fit_is_blamed_and_not_the_output():
    class Four(Block):
        """Takes four at a time."""

        bits = In(Bits, "n")
        out = Out(Bits, "n")
        n: int = 4

        def work(self, bits):
            return bits

    class Sink(Block):
        """Takes equal bursts."""

        a = In(Bits, "n")
        b = In(Bits, "n")

        def work(self, a, b):
            pass

    with pytest.raises(BlockError) as caught:
        run_block(Four(), bursts(4, 3))
    assert str(caught.value) == "Four, item 1: it was given on bits: bursts of 3 elements, Four takes 4 (n)."
    with pytest.raises(
        BlockError, match=r"^Sink, item 0: it was given on b: bursts of 3 elements, Sink takes 4 \(n\)\.$"
    ):
        run_block(Sink(), bursts(4), bursts(3))


def test_names_that_need_another_input_wait_for_it():
    class Ratio(Block):
        """n from n * m and m."""

        a = In(Bits, "n * m")
        b = In(Bits, "m")
        out = Out(Bits, "n")
        wrong: int = 0

        def work(self, a, b):
            return a[: a.size // b.size + self.wrong]

    assert [b.size for b in run_block(Ratio(), bursts(12), bursts(3))] == [4]
    with pytest.raises(BlockError, match=r"sent 5 elements, its shape 'n' says 4\.$"):
        run_block(Ratio(wrong=1), bursts(12), bursts(3))


def test_a_counter_of_the_block_is_no_size():
    class Counts(Block):
        """Keeps a number that happens to be called n."""

        bits = In(Bits, "n")
        out = Out(Bits, "n")

        def start(self):
            self.n = 0

        def work(self, bits):
            self.n += 1
            return bits

    assert len(run_block(Counts(), bursts(4, 8, 3))) == 3


@pytest.mark.parametrize("engine", ["inline", "threads"])
def test_a_rate_that_is_not_kept_is_told_at_the_end(engine):
    class Liar(Block):
        """Says four, sends one."""

        bits = In(Bits, "n")
        out = Out(Bits, "n", rate="4")

        def work(self, bits):
            yield bits

    class Ten(Block):
        """Ten bursts."""

        bits = Out(Bits, "8")

        def work(self):
            yield from bursts(*[8] * 10)

    graph = Graph()
    graph.connect(Ten(), Liar(), Invert())
    with pytest.raises(
        BlockError, match=r"Liar, item 10: its output out says rate '4', but it sent 10 items for 10 calls"
    ):
        graph.run(engine=engine)
