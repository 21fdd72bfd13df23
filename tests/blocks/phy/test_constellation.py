import numpy as np
import pytest

from lgvsc_flow.blocks.phy.constellation import ORDERS, constellation
from lgvsc_flow.blocks.phy.qam import modulate


def labels(order):
    m = order.bit_length() - 1
    return (np.arange(order)[:, None] >> np.arange(m)[::-1] & 1).astype(np.uint8)


def standard_point(bits):
    """3GPP TS 38.211, clause 5.1, written out: the formulas of 5.1.3 to 5.1.7."""
    s = [1 - 2 * int(b) for b in bits]
    match len(bits):
        case 2:
            return (s[0] + 1j * s[1]) / np.sqrt(2)
        case 4:
            return (s[0] * (2 - s[2]) + 1j * s[1] * (2 - s[3])) / np.sqrt(10)
        case 6:
            return (s[0] * (4 - s[2] * (2 - s[4])) + 1j * s[1] * (4 - s[3] * (2 - s[5]))) / np.sqrt(42)
        case 8:
            i = s[0] * (8 - s[2] * (4 - s[4] * (2 - s[6])))
            q = s[1] * (8 - s[3] * (4 - s[5] * (2 - s[7])))
            return (i + 1j * q) / np.sqrt(170)
        case _:
            i = s[0] * (16 - s[2] * (8 - s[4] * (4 - s[6] * (2 - s[8]))))
            q = s[1] * (16 - s[3] * (8 - s[5] * (4 - s[7] * (2 - s[9]))))
            return (i + 1j * q) / np.sqrt(682)


@pytest.mark.parametrize("order", ORDERS)
def test_constellation_is_the_standards(order):
    points = constellation(order)
    assert np.allclose(points, [standard_point(b) for b in labels(order)], atol=1e-6)
    assert np.mean(np.abs(points.astype(complex)) ** 2) == pytest.approx(1, abs=1e-6)
    assert np.allclose(modulate(labels(order).ravel(), order), points)


@pytest.mark.parametrize("order", ORDERS)
def test_neighbours_differ_in_one_bit(order):
    points = constellation(order).astype(complex)
    distance = np.abs(points[:, None] - points)
    nearest = np.isclose(distance, distance[distance > 0].min(), rtol=1e-3)
    wrong = (labels(order)[:, None, :] != labels(order)[None, :, :]).sum(-1)
    assert (wrong[nearest] == 1).all()
