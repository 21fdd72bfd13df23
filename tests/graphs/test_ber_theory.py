"""Closed forms against other derivations, numerical integration, a peer's approximation; simulation: test_ber.py."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import iv
from scipy.stats import norm

from lgvsc_flow.graphs.ber_theory import awgn_ber, fading_ber, rician_mgf, theory
from lgvsc_flow.graphs.channels import channel


def by_decisions(order, esn0_db):
    """The same from scratch: every amplitude, every decision, the bits in which their labels differ."""
    levels = int(np.sqrt(order))
    position = np.arange(levels)
    gray = position ^ position >> 1
    amplitude = (2 * position - levels + 1) / np.sqrt(2 * (order - 1) / 3)
    edges = np.r_[-np.inf, (amplitude[1:] + amplitude[:-1]) / 2, np.inf]
    below = norm.cdf((edges[None, :] - amplitude[:, None]) * np.sqrt(2 * 10 ** (esn0_db / 10)))
    wrong = np.array([[int(a ^ b).bit_count() for b in gray] for a in gray])
    return (np.diff(below, axis=1) * wrong).sum() / levels / np.log2(levels)


@pytest.mark.parametrize("order", [4, 16, 64, 256, 1024])
@pytest.mark.parametrize("esn0_db", [-10.0, 0.0, 10.0, 20.0])
def test_awgn_is_the_sum_over_all_decisions(order, esn0_db):
    assert awgn_ber(order, esn0_db) == pytest.approx(by_decisions(order, esn0_db), rel=1e-9)


@pytest.mark.parametrize("order", [4, 16, 64, 256])
def test_awgn_against_scikit_dsp_comm(order):
    """Its form counts neighbours alone, each wrong symbol as one bit: right where errors are rare, 1 % below 1e-3."""
    qam_bep_thy = pytest.importorskip("sk_dsp_comm.digitalcom").qam_bep_thy
    for esn0_db in np.arange(0, 40, 0.5):
        ours, peer = awgn_ber(order, esn0_db), float(qam_bep_thy(esn0_db, order, eb_n0_mode=False))
        if 1e-12 < ours < 1e-3:
            assert ours == pytest.approx(peer, rel=0.01)


@pytest.mark.parametrize("order", [4, 16, 256])
@pytest.mark.parametrize("k", [0.0, 4.0, 100.0])
def test_fading_is_the_average_over_its_gains(order, k):
    """The density of |h|^2 of Rician fading, noncentral chi-square, integrated numerically."""
    esn0_db = 14.0

    def density(g):
        x = 2 * np.sqrt(k * (1 + k) * g)
        return (1 + k) * np.exp(-k - (1 + k) * g) * iv(0, x)

    def integrand(g):
        return density(g) * by_decisions(order, esn0_db + 10 * np.log10(g))

    expected = quad(integrand, 1e-12, 8 if k else 40, limit=400, epsabs=1e-12)[0]
    assert fading_ber(order, rician_mgf(esn0_db, k)) == pytest.approx(expected, rel=1e-5)


def test_qpsk_over_rayleigh_is_the_textbook_form():
    for esn0_db in (0.0, 10.0, 30.0):
        g = 10 ** (esn0_db / 10) / 2
        expected = (1 - np.sqrt(g / (1 + g))) / 2
        assert fading_ber(4, rician_mgf(esn0_db, 0.0)) == pytest.approx(expected, rel=1e-9)


def test_which_channels_have_a_closed_form():
    for name in ("awgn", "rayleigh", "rician:k_db=3", "jakes", "tdl-a", "tdl-d", "gilbert-elliott", "mimo:method=zf"):
        form = theory(16, channel(name))
        assert form is not None, name
        assert 0 < form(10.0) < form(0.0) < 0.5, name
    for name in (
        "mimo",
        "awgn+iq",
        "tdl-a:receiver=ls",
        "tdl-a:doppler_hz=50",
        "tdl-a:delay_spread_s=1e-6",
        "gilbert-elliott:receiver=genie",
        "rayleigh:receiver=genie,coherence=1000",
    ):
        assert theory(16, channel(name)) is None, name
    whole = theory(16, channel("rayleigh:receiver=genie,coherence=2192"))  # two OFDM symbols
    assert whole(10.0) == theory(16, channel("rayleigh"))(10.0)
    assert theory(4, channel("rician:k_db=60"))(8.0) == pytest.approx(awgn_ber(4, 8.0), rel=1e-3)
