"""Several antennas over flat fading: spatial multiplexing and its linear equalizers."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from lgvsc_flow import Block, In, Out, setting
from lgvsc_flow.blocks.channel.awgn import add_noise, noise_variance
from lgvsc_flow.blocks.given import burst_of
from lgvsc_flow.blocks.random_kernels import NoiseStream
from lgvsc_flow.errors import SettingError
from lgvsc_flow.items import Received, Symbols
from lgvsc_flow.kernels import kernel

__all__ = ["MimoChannel", "MimoEqualizer", "MimoReceived", "separate"]


@dataclass(frozen=True, eq=False)
class MimoReceived(Received):
    """What several antennas receive: y = H x + n for each use of the channel.

    `symbols` is complex64 [uses * rx], antenna by antenna within a use; `gain` holds the matrices H, complex64
    [rows, rx, tx], row i // hold for use i; `noise_variance` is that of each antenna, a scalar.
    """

    hold: int


@kernel
def _inverse(a: np.ndarray, inverse: np.ndarray) -> bool:
    """Invert a Hermitian, positive definite matrix (destroyed) by Gauss-Jordan; False where it is singular."""
    k = a.shape[0]
    inverse[:] = 0
    for i in range(k):
        inverse[i, i] = 1
    largest = 0.0
    for i in range(k):
        largest = max(largest, a[i, i].real)
    for i in range(k):
        pivot = a[i, i].real
        if not pivot > 1e-12 * largest:
            return False
        for j in range(k):
            a[i, j] /= pivot
            inverse[i, j] /= pivot
        for row in range(k):
            if row != i:
                factor = a[row, i]
                for j in range(k):
                    a[row, j] -= factor * a[i, j]
                    inverse[row, j] -= factor * inverse[i, j]
    return True


@kernel
def _separate(
    y: np.ndarray, h: np.ndarray, hold: int, noise: float, mmse: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows, rx, tx = h.shape
    uses = y.size // rx
    symbols = np.zeros(uses * tx, np.complex64)
    gain = np.ones(uses * tx, np.complex64)
    variance = np.full(uses * tx, np.float32(np.inf), np.float32)
    gram, inverse = np.empty((tx, tx), np.complex128), np.empty((tx, tx), np.complex128)
    weights = np.empty((tx, rx), np.complex64)
    for row in range(rows):
        for i in range(tx):
            for j in range(tx):
                total = complex(noise if mmse and i == j else 0.0)
                for r in range(rx):
                    total += np.conj(complex(h[row, r, i])) * complex(h[row, r, j])
                gram[i, j] = total
        if not _inverse(gram, inverse):
            continue
        for i in range(tx):
            for r in range(rx):
                total = 0j
                for j in range(tx):
                    total += inverse[i, j] * np.conj(complex(h[row, r, j]))
                weights[i, r] = total
        for use in range(row * hold, min((row + 1) * hold, uses)):
            for i in range(tx):
                total = 0j
                for r in range(rx):
                    total += weights[i, r] * y[use * rx + r]
                spread = noise * inverse[i, i].real
                if np.isfinite(total.real) and np.isfinite(total.imag) and np.isfinite(spread) and noise >= 0:
                    bias = 1 - spread if mmse else 1.0
                    symbols[use * tx + i] = total
                    gain[use * tx + i] = bias
                    variance[use * tx + i] = bias * (1 - bias) if mmse else spread
    return symbols, gain, variance


def separate(received: MimoReceived, method: str = "zf") -> Received:
    """Linear estimates of the streams' symbols, stream by stream within a use of the channel.

    "zf": (H^H H)^-1 H^H y, gain 1, noise variance N0 [(H^H H)^-1]_kk.
    "mmse": (H^H H + N0 I)^-1 H^H y, for symbols of unit power; gain g = 1 - N0 [(H^H H + N0 I)^-1]_kk, and g (1 - g)
    is the variance of noise and other streams together.

    Where H^H H is singular ("zf"), a value is NaN or infinite, or the noise variance negative, symbols are erasures:
    0 with infinite noise variance.

    Raises:
        ValueError: more streams than antennas with "zf", arrays of other dtypes, or sizes that do not fit; no such
            method.
    """
    if method not in ("zf", "mmse"):
        raise ValueError(f"method is zf or mmse, got {method!r}.")
    if not isinstance(received, MimoReceived) or not isinstance(received.hold, int | np.integer):
        raise ValueError(f"expected MimoReceived with a whole number `hold`, got {type(received).__name__}.")
    y, h, noise = burst_of(received.symbols, Symbols), np.asarray(received.gain), np.asarray(received.noise_variance)
    if h.ndim != 3 or h.dtype.kind not in "fc" or min(h.shape[1:]) < 1 or noise.dtype.kind not in "fiu":
        raise ValueError(
            f"gain is complex64 [rows, rx, tx] and noise_variance float32, got {h.dtype} {list(h.shape)} and "
            f"{noise.dtype}. Take what MimoChannel sends."
        )
    rows, rx, tx = h.shape
    uses = received.symbols.size // rx
    if method == "zf" and tx > rx:
        raise ValueError(f"zero forcing separates at most as many streams as antennas, not {tx} from {rx}.")
    if received.symbols.size % rx or received.hold < 1 or rows * received.hold < uses:
        raise ValueError(
            f"{received.symbols.size} symbols do not fit {rows} matrices of {rx}x{tx} for {received.hold}."
        )
    if noise.size != 1:
        raise ValueError(f"noise_variance has {noise.size} values; it is one for all antennas.")
    with np.errstate(over="ignore", invalid="ignore"):
        h = np.require(h, np.complex64, ["C", "A", "W"])
    return Received(*_separate(y, h, int(received.hold), float(noise.item()), method == "mmse"))


class MimoChannel(Block):
    """y = H x + n, `transmitters` streams of symbols at once over flat block Rayleigh fading to `receivers` antennas.

    A burst is sent `transmitters` symbols at a time, one from each antenna. Normalisation: all antennas together send
    the power 1, H_ij ~ CN(0, 1 / transmitters), independent; `esn0_db` is the average over the fading of the signal
    over the noise at *each* receiving antenna, N0 = 10^(-esn0_db / 10). H is constant over `coherence` uses; each
    burst begins a new block. The receiver is given H.

    Ref: D. Tse and P. Viswanath, Fundamentals of Wireless Communication, 2005, section 7.1.
    """

    symbols = In(Symbols, "uses * transmitters", finite=True)
    received = Out(MimoReceived, "uses * receivers", response="of several antennas", antennas="{antennas}")

    esn0_db: float = setting(
        10.0, ge=-100, le=100, unit="dB", doc="average signal over noise at each antenna", live=True
    )
    transmitters: int = setting(2, ge=1, le=16, unit="antennas")
    receivers: int = setting(2, ge=1, le=16, unit="antennas")
    coherence: int = setting(64, ge=1, unit="uses", doc="length of a fading block")
    symbol_count: int = dataclasses.field(default=0, init=False)

    @property
    def antennas(self) -> str:
        return f"{self.transmitters}x{self.receivers}"

    def start(self) -> None:
        self.symbol_count = 0
        self._gains, self._noise = NoiseStream(self.rng), NoiseStream(self.rng)

    def work(self, symbols: np.ndarray) -> MimoReceived:
        symbols, tx, rx = burst_of(symbols, Symbols), self.transmitters, self.receivers
        if symbols.size % tx:
            raise ValueError(f"a burst must hold whole uses of transmitters={tx} symbols.")
        uses = symbols.size // tx
        rows = -(-uses // self.coherence)
        h = self._gains.add(np.zeros(rows * rx * tx, np.complex64), 1 / tx).reshape(rows, rx, tx)
        x = np.zeros((rows * self.coherence, tx), np.complex64)
        x[:uses] = symbols.reshape(uses, tx)
        sent = x.reshape(rows, self.coherence, tx)
        clean = sent[:, :, None, 0] * h[:, None, :, 0]
        for stream in range(1, tx):
            clean = clean + sent[:, :, None, stream] * h[:, None, :, stream]
        self.symbol_count += symbols.size
        variance = noise_variance(self.esn0_db)
        noisy = add_noise(clean.reshape(-1)[: uses * rx], float(variance), self._noise)
        return MimoReceived(noisy, h, np.array(variance), self.coherence)


class MimoEqualizer(Block):
    """Separate the streams of a `MimoChannel`: zero forcing ("zf") or linear minimum mean square error ("mmse").

    What comes out is what a one-antenna channel would have sent: a demapper takes it as it is.

    Ref: D. Tse and P. Viswanath, Fundamentals of Wireless Communication, 2005, section 8.3.
    """

    received = In(MimoReceived, "uses * receivers", response="of several antennas", antennas="{antennas}")
    equalized = Out(Received, "uses * transmitters", response="flat")

    method: str = setting("mmse", choices=("zf", "mmse"))
    transmitters: int = setting(2, ge=1, le=16, unit="antennas")
    receivers: int = setting(2, ge=1, le=16, unit="antennas")

    def validate(self) -> None:
        if self.method == "zf" and self.transmitters > self.receivers:
            raise SettingError(
                f"{self.label}: method='zf' separates at most as many streams as antennas, not "
                f"transmitters={self.transmitters} with receivers={self.receivers}. Take 'mmse', or more receivers."
            )

    @property
    def antennas(self) -> str:
        return f"{self.transmitters}x{self.receivers}"

    def work(self, received: MimoReceived) -> Received:
        return separate(received, self.method)
