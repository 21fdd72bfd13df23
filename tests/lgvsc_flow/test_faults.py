"""Faults injected into a graph that also writes a video: each ends soon, with its error, no thread and no file left."""

import os
import signal
import threading
import time

import numpy as np
import pytest

from lgvsc_flow import Block, Graph, In, Out, setting
from lgvsc_flow.blocks.video import TestScene, VideoWriter
from lgvsc_flow.errors import BlockError, SettingError
from lgvsc_flow.items import Symbols

LIMIT_S = 2.0
ENGINES = ["inline", "threads"]


class Tone(Block):
    """An endless stream of symbols; fails where it is told to."""

    symbols = Out(Symbols, "n")

    n: int = 64
    fault: str = ""

    def start(self):
        if self.fault == "start":
            raise OSError("no carrier")

    def work(self):
        for number in range(1000):
            if self.fault == "source" and number == 5:
                raise OSError("the carrier broke off")
            if self.fault != "endless" and number > 100:
                return
            yield np.ones(self.n, np.complex64)
        while True:
            time.sleep(0.001)
            yield np.ones(self.n, np.complex64)


class Gain(Block):
    """Scale symbols, or do it wrongly."""

    symbols = In(Symbols, "n")
    scaled = Out(Symbols, "n", finite=True)

    factor: float = setting(1.0, gt=0, le=10, live=True)
    fault: str = ""

    def start(self):
        self.calls = 0

    def work(self, symbols):
        self.calls += 1
        if self.calls < 6:
            return symbols * np.float32(self.factor)
        match self.fault:
            case "middle":
                raise ValueError("out of range")
            case "shape":
                return symbols[1:]
            case "dtype":
                return symbols.astype(np.complex128)
            case "nan":
                return symbols * np.float32(np.nan)
            case "setting":
                self.set(factor=-1)
        return symbols * np.float32(self.factor)


class Meter(Block):
    """Take symbols, or refuse."""

    symbols = In(Symbols, "n")

    fault: str = ""

    def start(self):
        self.calls = 0

    def work(self, symbols):
        self.calls += 1
        if self.fault == "sink" and self.calls > 5:
            raise ValueError("the needle is bent")
        while self.fault == "hangs" and self.calls > 5:
            time.sleep(0.01)

    def finish(self):
        if self.fault == "finish":
            raise ValueError("nothing to average")


FAULTS = {
    "source": "Tone, item 5: the carrier broke off (from OSError)",
    "middle": "Gain, item 5: got Symbols[64]; out of range (from ValueError)",
    "sink": "Meter, item 5: got Symbols[64]; the needle is bent (from ValueError)",
    "start": "Tone: no carrier (from OSError)",
    "finish": "Meter, item 101: nothing to average (from ValueError, in finish)",
    "shape": "Gain, item 5: its output scaled sent 63 elements, its shape 'n' says 64.",
    "dtype": "Gain, item 5: its output scaled sent a wrong item: Symbols is one-dimensional complex64, "
    "got complex128 of shape (64,).",
    "nan": "Gain, item 5: its output scaled sent 64 NaN or infinite values in 64 elements; scaled takes finite ones "
    "only.",
    "setting": "Gain, item 5: got Symbols[64]; Gain.factor must be > 0, got -1",
    "hangs": "Meter, item 5: it has been at work for",
}


def faulty(fault, tmp_path):
    graph = Graph("faulty")
    graph.connect(Tone(fault=fault), Gain(fault=fault), Meter(fault=fault))
    graph.connect(TestScene(height=16, width=16, count=1_000_000), VideoWriter(path=tmp_path / "video.mp4"))
    return graph


@pytest.fixture
def clean(tmp_path):
    """Nothing is left behind, and it did not take long."""
    before, began = set(threading.enumerate()), time.monotonic()
    yield tmp_path
    assert time.monotonic() - began < LIMIT_S
    assert set(threading.enumerate()) <= before
    assert os.listdir(tmp_path) == []


@pytest.fixture
def ctrl_c():
    """Press Ctrl-C a little later; a shell may have started the tests in the background, where it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
    yield timer.start
    timer.join()
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("fault", FAULTS)
def test_fault(fault, engine, clean):
    graph = faulty(fault, clean)
    if fault == "hangs":
        graph = Graph("hangs")
        graph.connect(Tone(), Gain(), Meter(fault=fault))
    with pytest.raises(BlockError) as caught:
        graph.run(engine=engine, stall_s=0.3 if fault == "hangs" else None)
    assert str(caught.value).startswith(FAULTS[fault])
    assert not any(b.running for b in graph.blocks)


def test_a_hanging_sink_is_told_with_what_to_do(clean):
    graph = Graph("hangs")
    graph.connect(Tone(), Gain(), Meter(fault="hangs"))
    with pytest.raises(
        BlockError, match=r"at work for 0\.\d+ s and no block has finished .* run with a longer stall_s"
    ):
        graph.run(stall_s=0.3)


def test_a_sink_that_hangs_outside_python_is_left_and_named():
    class Deaf(Meter):
        """Waits for what never comes."""

        def work(self, symbols):
            release.wait()

    release = threading.Event()
    graph = Graph("deaf")
    graph.connect(Tone(), Deaf())
    began = time.monotonic()
    with pytest.raises(BlockError, match=r"^Deaf, item 0: it has been at work") as caught:
        graph.run(stall_s=0.2)
    assert time.monotonic() - began < LIMIT_S
    assert caught.value.__notes__ == ["still at work, outside Python and in threads of their own: Deaf"]
    release.set()


@pytest.mark.parametrize("engine", ENGINES)
def test_ctrl_c(engine, clean, ctrl_c):
    graph = faulty("endless", clean)
    ctrl_c()
    with pytest.raises(KeyboardInterrupt):
        graph.run(engine=engine)
    assert not any(b.running for b in graph.blocks)


def test_ctrl_c_while_waiting_for_a_graph_in_the_background(clean, ctrl_c):
    running = faulty("endless", clean).start()
    ctrl_c()
    with pytest.raises(KeyboardInterrupt):
        running.wait()
    assert running.done


def test_a_stop_that_is_interrupted_still_stops_the_others():
    stopped = []

    class Bad(Meter):
        """Ctrl-C while its file is closed."""

        def stop(self):
            raise KeyboardInterrupt

    class Good(Tone):
        """Remembers its stop."""

        def stop(self):
            stopped.append(True)

    graph = Graph("stops")
    graph.connect(Good(), Bad())
    with pytest.raises(KeyboardInterrupt):
        graph.run()
    assert stopped == [True]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_change_out_of_range_from_outside_is_refused_and_the_run_goes_on(engine):
    gain, seen = Gain(), []

    def ask():
        with pytest.raises(SettingError, match=r"^Gain.factor must be <= 10, got 11$"):
            gain.set(factor=11)
        seen.append(gain.factor)
        return False

    graph = Graph("goes on")
    graph.connect(Tone(), gain, Meter())
    run = graph.run(engine=engine, until=ask)
    assert run["Meter"].items == 101
    assert set(seen) == {1.0}
    assert run.changes == []


@pytest.mark.parametrize("engine", ENGINES)
def test_an_until_that_fails_ends_the_run(engine, clean):
    def until():
        raise ZeroDivisionError("mean of nothing")

    with pytest.raises(ZeroDivisionError, match="mean of nothing"):
        faulty("endless", clean).run(engine=engine, until=until)
