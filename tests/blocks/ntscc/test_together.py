import pytest

pytest.importorskip("torch")

import torch

from lgvsc_flow.blocks.ntscc.together import together


def test_equal_shapes_pass_together_and_come_back_in_order():
    calls = []

    def double(a, b):
        calls.append(tuple(a.shape))
        return 2 * a + b

    arguments = [(torch.full((1, n), float(i)), torch.ones(1, n)) for i, n in enumerate((3, 2, 3, 3, 2))]
    results = together(double, arguments)
    assert calls == [(3, 3), (2, 2)]
    assert [tuple(r.shape) for r in results] == [(1, 3), (1, 2), (1, 3), (1, 3), (1, 2)]
    assert [float(r[0, 0]) for r in results] == [1, 3, 5, 7, 9]


def test_nothing():
    assert together(torch.neg, []) == []
