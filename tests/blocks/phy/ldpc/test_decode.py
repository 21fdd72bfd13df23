import numpy as np
import pytest

from lgvsc_flow.blocks.phy import CrcCheck, LdpcDecoder
from lgvsc_flow.blocks.phy.ldpc.code import CODE_RATES, LENGTHS, LdpcCode, wifi_code
from lgvsc_flow.blocks.phy.ldpc.decode import _iterate, _load, decode
from lgvsc_flow.blocks.phy.ldpc.encode import encode
from lgvsc_flow.blocks.phy.ldpc.reference import sum_product
from lgvsc_flow.errors import BlockError
from lgvsc_flow.testing import run_block

CODES = [(n, rate) for n in LENGTHS for rate in CODE_RATES]
EASY_DB = {"1/2": 4.0, "2/3": 6.0, "3/4": 7.0, "5/6": 8.0}  # Es/N0 of QPSK at which no block is lost
Z99 = 2.326  # one-sided


def qpsk_llrs(code, frames, esn0_db, seed):
    """Codewords [frames, n] and their exact LLRs over AWGN, as QPSK: amplitude 1 per dimension, noise N0 of Es = 2."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, frames * code.k, dtype=np.uint8)
    words = encode(bits, code)
    variance = 10 ** (-esn0_db / 10)  # per dimension: Es = 2, so N0 = 2 * variance
    y = 1 - 2.0 * words + rng.normal(size=words.size) * np.sqrt(variance)
    return words.reshape(frames, code.n), (2 * y / variance).astype(np.float32)


@pytest.mark.parametrize(("n", "rate"), CODES)
@pytest.mark.parametrize("frames", [1, 17, 70])
def test_round_trip(n, rate, frames):
    code = wifi_code(n, rate)
    words, llrs = qpsk_llrs(code, frames, EASY_DB[rate] + 1, seed=frames)
    found = decode(llrs, code)
    assert np.array_equal(found.words, words)
    assert found.parity_ok.all()
    assert found.iterations.max() < 40
    (bits,) = run_block(LdpcDecoder(n=n, code_rate=rate), [llrs])
    assert np.array_equal(bits, words[:, : code.k].ravel())


@pytest.mark.parametrize(("esn0_db", "frames"), [(1.0, 400), (1.5, 1000)])
def test_within_03_db_of_sum_product(esn0_db, frames):
    """n=648 r=1/2: at 0.3 dB more, fewer blocks are lost than by flooding sum-product in double precision.

    One-sided test of two proportions, significant at 99 %.
    """
    code = wifi_code(648, "1/2")
    words, llrs = qpsk_llrs(code, frames, esn0_db, seed=1)
    theirs = (sum_product(llrs.reshape(frames, -1), code.parity_check(), 50) != words).any(axis=1).mean()
    words, llrs = qpsk_llrs(code, frames, esn0_db + 0.3, seed=2)
    ours = (decode(llrs, code).words != words).any(axis=1).mean()
    pooled = (theirs + ours) / 2
    assert theirs - ours > Z99 * np.sqrt(2 * pooled * (1 - pooled) / frames)


@pytest.mark.parametrize("rate", CODE_RATES[1:])
def test_other_rates_within_03_db_of_sum_product(rate):
    """As above, at one point of each curve; 99 %."""
    code, frames = wifi_code(648, rate), 400
    esn0_db = {"2/3": 3.0, "3/4": 4.1, "5/6": 5.3}[rate]
    words, llrs = qpsk_llrs(code, frames, esn0_db, seed=3)
    theirs = (sum_product(llrs.reshape(frames, -1), code.parity_check(), 50) != words).any(axis=1).mean()
    words, llrs = qpsk_llrs(code, frames, esn0_db + 0.3, seed=4)
    ours = (decode(llrs, code).words != words).any(axis=1).mean()
    pooled = (theirs + ours) / 2
    assert theirs - ours > Z99 * np.sqrt(2 * pooled * (1 - pooled) / frames)


def layered_min_sum(llrs, code, iterations, factor):
    """One frame in double precision, check by check, straight from the definition."""
    h = code.parity_check()
    total = llrs.astype(np.float64)
    messages = np.zeros(h.shape)
    for _ in range(iterations):
        if not (h @ (total <= 0) % 2).any():
            break
        for row in range(h.shape[0]):
            (at,) = np.nonzero(h[row])
            inputs = total[at] - messages[row, at]
            for i, bit in enumerate(at):
                others = np.delete(inputs, i)
                sign = -1 if (others < 0).sum() % 2 else 1
                messages[row, bit] = sign * factor * np.abs(others).min()
            total[at] = inputs + messages[row, at]
    return (total <= 0).astype(np.uint8)


@pytest.mark.parametrize(("n", "rate"), [(648, "1/2"), (648, "5/6"), (1296, "3/4")])
def test_kernel_against_the_definition(n, rate):
    """Bit for bit after so few iterations that rounding cannot matter, on frames that do not converge."""
    code = wifi_code(n, rate)
    _, llrs = qpsk_llrs(code, 3, EASY_DB[rate] - 4, seed=6)
    for iterations in (0, 1, 2):
        found = decode(llrs, code, max_iterations=iterations, factor=0.75).words
        expected = [layered_min_sum(frame, code, iterations, 0.75) for frame in llrs.reshape(3, -1)]
        assert np.array_equal(found, expected)


def test_a_right_word_is_never_spoilt_and_parity_is_reported():
    code = wifi_code(648, "1/2")
    _, llrs = qpsk_llrs(code, 200, 1.2, seed=8)
    h = code.parity_check().astype(np.float32)
    before = np.zeros(200, bool)
    for iterations in (1, 3, 5, 10, 20, 60):
        found = decode(llrs, code, max_iterations=iterations)
        valid = ~((found.words.astype(np.float32) @ h.T) % 2).any(axis=1)
        assert np.array_equal(valid, found.parity_ok)
        assert (found.parity_ok >= before).all()
        assert (found.iterations <= iterations).all()
        before = found.parity_ok
    assert 0.4 < before.mean() < 1


def test_the_scale_of_the_llrs_does_not_matter():
    code = wifi_code(648, "2/3")
    _, llrs = qpsk_llrs(code, 40, 3.0, seed=9)
    half = decode(llrs * np.float32(0.25), code)
    assert np.array_equal(decode(llrs, code).words, half.words)


@pytest.mark.parametrize("rate", CODE_RATES)
def test_nan_and_infinite_llrs(rate):
    """NaN is an erasure, infinity certainty."""
    code = wifi_code(648, rate)
    words, llrs = qpsk_llrs(code, 8, EASY_DB[rate] + 2, seed=10)
    rng = np.random.default_rng(0)
    llrs[rng.choice(llrs.size, 60, replace=False)] = np.nan
    sure = rng.choice(llrs.size, 60, replace=False)
    llrs[sure] = np.where(words.ravel()[sure], -np.inf, np.inf)
    assert np.array_equal(decode(llrs, code).words, words)


@pytest.mark.parametrize(("n", "rate"), [c for c in CODES if c != (648, "5/6")])
def test_nothing_received_is_no_codeword(n, rate):
    found = decode(np.zeros(2 * n, np.float32), wifi_code(n, rate))
    assert not found.parity_ok.any()
    assert found.words.all()


def test_empty_burst():
    (bits,) = run_block(LdpcDecoder(), [np.zeros(0, np.float32)])
    assert bits.size == 0


def test_message():
    with pytest.raises(BlockError) as error:
        run_block(LdpcDecoder(n=648, code_rate="1/2"), [np.zeros(648, np.float32), np.zeros(647, np.float32)])
    assert str(error.value) == (
        "LdpcDecoder, item 1: got Llrs[647]; a burst must hold whole codewords of n=648. (from ValueError)"
    )


@pytest.mark.parametrize(("n", "rate"), CODES)
def test_a_word_that_was_erased_does_not_pass_its_crc(n, rate):
    """All-zero information bits would: their CRC24A is zero too."""
    code = wifi_code(n, rate)
    bits = run_block(LdpcDecoder(n=n, code_rate=rate), [np.zeros(n, np.float32)])
    (checked,) = run_block(CrcCheck(block_bits=code.k - 24), bits)
    assert checked.ok.tolist() == [False]


def test_totals_stay_finite_whatever_the_code_and_the_number_of_iterations():
    """Where all columns have three checks and one bit cannot be right, totals double with every pass."""
    rng, z = np.random.default_rng(0), 31
    base = np.full((12, 24), -1, np.int16)
    for column in base.T:
        column[rng.choice(12, 3, replace=False)] = rng.integers(0, z, 3)
    code = LdpcCode("regular", z, base)
    llrs = np.full((16, code.n), 1e4, np.float32)
    for frame, row in enumerate(llrs):
        row[rng.choice(code.n, frame, replace=False)] = -1e4
    total, messages = np.empty((code.n, 16), np.float32), np.zeros((code.columns.size * z, 16), np.float32)
    _load(llrs.ravel(), 0, code.n, total)
    for _ in range(300):
        _iterate(total, messages, z, code.starts, code.columns, code.shifts, np.float32(1))
    assert 1e20 < np.abs(total).max() < 1e22  # without a bound they would have left float32
    assert (total > 0).all()


def test_arguments_out_of_range():
    code = wifi_code(648, "1/2")
    for wrong in ({"max_iterations": -1}, {"factor": 0}, {"factor": 1.1}, {"factor": float("nan")}):
        with pytest.raises(ValueError, match="max_iterations is 0 or more and factor within 0 and 1; got"):
            decode(np.zeros(648, np.float32), code, **wrong)
