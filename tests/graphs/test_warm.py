import numpy as np
import pytest

from lgvsc_flow.blocks.channel import RicianChannel
from lgvsc_flow.blocks.ntscc import NtsccEncoder
from lgvsc_flow.blocks.phy import Scrambler, UserPointsDemodulator
from lgvsc_flow.blocks.phy.ldpc.code import CODE_RATES, LENGTHS, wifi_code
from lgvsc_flow.blocks.phy.ldpc.nr_code import nr_code
from lgvsc_flow.graphs import warm


def test_each_step_has_a_name_and_blocks_of_a_modem_are_not_tried_again():
    names = [name for name, _ in warm.steps()]
    assert len(names) > 60
    assert "example of Scrambler" in names
    assert "example of QamModulator" not in names
    assert "example of NtsccEncoder" not in names


def test_the_codes_have_all_degrees_that_there_are():
    known = {frozenset(np.diff(code.starts).tolist()) for code in warm._codes()}
    codes = [wifi_code(n, rate) for n in LENGTHS for rate in CODE_RATES]
    codes += [nr_code(graph, 8, rows) for graph, last in ((1, 46), (2, 42)) for rows in range(4, last + 1)]
    for code in codes:
        assert frozenset(np.diff(code.starts).tolist()) in known


def test_blocks_with_kernels_are_told_from_others():
    assert warm._kernels_near(RicianChannel)
    assert warm._kernels_near(Scrambler)
    assert not warm._kernels_near(NtsccEncoder)


@pytest.mark.parametrize("name", ["modem: recorded channels", "modem: hard decisions", "example of BurstPad"])
def test_a_step_runs(name):
    dict(warm.steps())[name]()


def test_an_example_that_fails_is_passed_over(monkeypatch):
    asked = []

    class Graph:
        blocks = ()

        def run(self, **_):
            asked.append(True)
            raise warm.FlowError("no file")

    monkeypatch.setattr(warm, "example_graph", lambda kind: Graph())
    warm._example(UserPointsDemodulator)
    assert asked
