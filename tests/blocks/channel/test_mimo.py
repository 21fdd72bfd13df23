import numpy as np
import pytest
from scipy import stats
from scipy.special import comb

from lgvsc_flow import Graph
from lgvsc_flow.blocks.channel import MimoChannel, MimoEqualizer
from lgvsc_flow.blocks.channel.mimo import MimoReceived, separate
from lgvsc_flow.blocks.metrics import BerMeter
from lgvsc_flow.blocks.phy import HardDecision, QamDemodulator, QamModulator, RandomBits
from lgvsc_flow.errors import BlockError, SettingError, WiringError
from lgvsc_flow.testing import run_block


def qpsk(n, seed=0):
    bits = np.random.default_rng(seed).integers(0, 2, (n, 2))
    return ((1 - 2 * bits) @ [1, 1j] / np.sqrt(2)).astype(np.complex64)


def rayleigh_ber(snr, branches):
    """QPSK with maximum ratio combining of independent Rayleigh branches of this Es/N0 each (Proakis, 13.4-15)."""
    mu = np.sqrt(snr / 2 / (1 + snr / 2))
    low, high = (1 - mu) / 2, (1 + mu) / 2
    return low**branches * sum(comb(branches - 1 + k, k) * high**k for k in range(branches))


def modem(method, *, transmitters=2, receivers=2, esn0_db=12.0, count=40):
    source, meter = RandomBits(n=24_000, count=count), BerMeter()
    sizes = {"transmitters": transmitters, "receivers": receivers}
    graph = Graph("MIMO", seed=6)
    graph.connect(
        source,
        QamModulator(order=4),
        MimoChannel(esn0_db=esn0_db, coherence=1, **sizes),
        MimoEqualizer(method=method, **sizes),
        QamDemodulator(order=4),
        HardDecision(),
        meter.received,
    )
    graph.connect(source, meter.sent)
    return graph


@pytest.mark.parametrize(("transmitters", "receivers"), [(1, 1), (2, 2), (2, 3), (3, 4)])
def test_zero_forcing_is_theory(transmitters, receivers):
    """Zero forcing leaves each stream receivers - transmitters + 1 independent Rayleigh branches (Winters 1994). 99 %,
    with the uses of the channel as trials, whose error rates lie between 0 and 1."""
    graph = modem("zf", transmitters=transmitters, receivers=receivers)
    graph.run()
    meter = graph.find(BerMeter)
    theory = rayleigh_ber(10**1.2 / transmitters, receivers - transmitters + 1)
    uses = meter.bits / 2 / transmitters
    assert abs(meter.ber - theory) < 2.58 * np.sqrt(theory * (1 - theory) / uses)


def test_mmse_is_better_than_zero_forcing():
    """The same channels and noise; the gap is many times the spread."""
    found = {}
    for method in ("zf", "mmse"):
        graph = modem(method, esn0_db=8.0)
        graph.run()
        found[method] = graph.find(BerMeter).ber
    assert found["mmse"] < 0.9 * found["zf"]


def test_mmse_has_the_error_rate_of_its_filter():
    """The error rate of a stream behind w = h^H (H H^H + N0)^-1 given H and the other symbol, averaged over 200,000
    channels drawn here. 99 % of both together, with the uses of the channel as trials."""
    esn0_db, draws = 8.0, 200_000
    graph = modem("mmse", esn0_db=esn0_db)
    graph.run()
    meter = graph.find(BerMeter)
    rng, n0 = np.random.default_rng(11), 10 ** (-esn0_db / 10)
    h = (rng.normal(size=(draws, 2, 2)) + 1j * rng.normal(size=(draws, 2, 2))) / 2  # E|h|^2 = 1 / 2 of two antennas
    conjugate = h.conj().transpose(0, 2, 1)
    w = (conjugate @ np.linalg.inv(h @ conjugate + n0 * np.eye(2)))[:, 0]
    own, other = np.moveaxis(np.einsum("nr,nrt->nt", w, h), 1, 0)
    deviation = np.sqrt(n0 / 2 * np.sum(np.abs(w) ** 2, axis=1))
    points = np.array([1 + 1j, 1 - 1j, -1 + 1j, -1 - 1j]) / np.sqrt(2)
    heard = own.real[:, None] / np.sqrt(2) + (other[:, None] * points).real
    rates = stats.norm.sf(heard / deviation[:, None]).mean(axis=1)
    expected, uses = rates.mean(), meter.bits / 4
    spread = np.hypot(np.sqrt(expected * (1 - expected) / uses), rates.std() / np.sqrt(draws))
    assert abs(meter.ber - expected) < 2.58 * spread
    assert spread < 0.01 * expected


@pytest.mark.parametrize("method", ["zf", "mmse"])
@pytest.mark.parametrize(("tx", "rx"), [(2, 2), (3, 5), (1, 4)])
def test_against_dense_algebra(method, tx, rx):
    channel = MimoChannel(transmitters=tx, receivers=rx, coherence=5, esn0_db=6.0)
    x = qpsk(tx * 33)
    (received,) = run_block(channel, [x], seed=3)
    out = separate(received, method)
    n0 = float(received.noise_variance)
    for use in range(33):
        h, y = received.gain[use // 5].astype(complex), received.symbols[use * rx : use * rx + rx]
        inverse = np.linalg.inv(h.conj().T @ h + (n0 * np.eye(tx) if method == "mmse" else 0))
        at = slice(use * tx, use * tx + tx)
        weights = inverse @ h.conj().T
        assert np.allclose(out.symbols[at], weights @ y, atol=1e-4)
        effective = weights @ h
        assert np.allclose(out.gain[at], np.diag(effective), atol=1e-4)
        left = np.sum(np.abs(effective - np.diag(np.diag(effective))) ** 2, axis=1)
        noise = n0 * np.sum(np.abs(weights) ** 2, axis=1)
        assert np.allclose(out.noise_variance[at], left + noise, rtol=2e-3)


def test_the_channel_is_normalised_and_its_state_true():
    """Mean power at each antenna 1, entries CN(0, 1/2) (Kolmogorov-Smirnov), noise of the stated variance: 99.9 %."""
    x = qpsk(40_000)
    channel = MimoChannel(esn0_db=3.0, coherence=4)
    (received,) = run_block(channel, [x], seed=1)
    h = received.gain
    assert h.shape == (5000, 2, 2)
    assert channel.symbol_count == 40_000
    power = np.sum(np.abs(h) ** 2, axis=2).astype(float)
    assert abs(power.mean() - 1) < 3.29 * power.std() / np.sqrt(power.size)
    for part in (h[:, 0, 1].real, h[:, 1, 1].imag):
        assert stats.kstest(part * 2, "norm").pvalue > 1e-3
    clean = np.einsum("urt,ut->ur", np.repeat(h, 4, axis=0), x.reshape(-1, 2))
    noise = received.symbols - clean.reshape(-1)
    assert abs(np.mean(np.abs(noise) ** 2) / 10**-0.3 - 1) < 3.29 / np.sqrt(noise.size)


def test_what_cannot_be_separated_is_erased():
    h = np.array([[[1, 1], [1, 1]], [[1, 0], [0, 1]]], np.complex64)
    y = np.array([1, 1, 2, np.nan], np.complex64)
    out = separate(MimoReceived(y, h, np.array(0.1, np.float32), 1), "zf")
    assert np.isinf(out.noise_variance).all()
    assert (out.symbols == 0).all()
    assert separate(MimoReceived(y[:0], h[:0], np.array(0.1, np.float32), 1), "zf").symbols.size == 0


def test_errors():
    with pytest.raises(SettingError, match=r"not transmitters=3 with receivers=2. Take 'mmse', or more receivers"):
        MimoEqualizer(method="zf", transmitters=3, receivers=2)
    with pytest.raises(BlockError, match=r"got Symbols\[3\]; a burst must hold whole uses of transmitters=2 symbols"):
        run_block(MimoChannel(), [qpsk(3)])
    each = MimoReceived(qpsk(4), np.ones((2, 2, 2), np.complex64), np.ones(4, np.float32), 1)
    with pytest.raises(ValueError, match="noise_variance has 4 values; it is one for all antennas"):
        separate(each)
    few = MimoReceived(qpsk(6), np.ones((1, 2, 2), np.complex64), np.array(1, np.float32), 2)
    with pytest.raises(ValueError, match="6 symbols do not fit 1 matrices of 2x2 for 2"):
        separate(few)
    graph = modem("zf")
    graph["MimoEqualizer"].receivers = 4
    with pytest.raises(WiringError, match=r"antennas is 2x2 .* MimoEqualizer takes 2x4"):
        graph.check()
