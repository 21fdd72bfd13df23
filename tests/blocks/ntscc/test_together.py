import pytest

pytest.importorskip("torch")

import torch

from lgvsc_flow.blocks.ntscc.together import stacked, together


def test_on_a_gpu_equal_shapes_pass_together_and_come_back_in_order():
    calls = []

    def double(a, b):
        calls.append(tuple(a.shape))
        return 2 * a + b

    arguments = [(torch.full((1, n), float(i)), torch.ones(1, n)) for i, n in enumerate((3, 2, 3, 3, 2))]
    results = stacked(double, arguments)
    assert calls == [(3, 3), (2, 2)]
    assert [tuple(r.shape) for r in results] == [(1, 3), (1, 2), (1, 3), (1, 3), (1, 2)]
    assert [float(r[0, 0]) for r in results] == [1, 3, 5, 7, 9]


def test_on_a_cpu_each_goes_alone():
    calls = []
    results = together(lambda a: calls.append(tuple(a.shape)) or -a, [(torch.ones(1, 3),), (torch.zeros(1, 3),)])
    assert calls == [(1, 3), (1, 3)]
    assert [float(r[0, 0]) for r in results] == [-1, 0]


def test_nothing():
    assert together(torch.neg, []) == []
