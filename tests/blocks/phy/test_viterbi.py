import hashlib
import os
import platform
import subprocess
import sys

import numpy as np
import pytest

from lgvsc_flow.blocks.phy.convolutional import convolutional_code, decode, encode
from lgvsc_flow.blocks.phy.viterbi import Q_MAX, TRUNCATED, decode_words


def digest():
    """What the decoder makes of noise: of all three ends, odd and even lengths, ties included."""
    rng = np.random.default_rng(1)
    found = []
    for termination in ("zero", "truncated", "tail-biting"):
        for k in (40, 333):
            code = convolutional_code(k, "3/4", termination)
            found.append(decode(rng.integers(-3, 4, 20 * code.n).astype(np.float32), code))
            found.append(decode(rng.normal(size=20 * code.n).astype(np.float32), code))
    return hashlib.sha256(np.concatenate(found)).hexdigest()


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names of x86 processors")
@pytest.mark.parametrize(("cpu", "features"), [("haswell", "+avx2,+bmi,+bmi2,+fma,+popcnt"), ("generic", "")])
def test_every_vector_width_decodes_alike(cpu, features, tmp_path):
    """AVX2 and plain SSE2 beside what this processor has: the same bits."""
    code = f"import sys; sys.path.insert(0, {os.path.dirname(__file__)!r}); import test_viterbi as t; print(t.digest())"
    numba = {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": features, "NUMBA_CACHE_DIR": str(tmp_path)}
    environment = {**os.environ, **numba}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest()


def test_quantisation_is_finer_than_a_512th_of_the_largest():
    """Two bits that disagree by a little more than the finest step are decided rightly, if one other LLR is large."""
    code = convolutional_code(1, "1/2", "truncated")
    assert encode(np.array([1], np.uint8), code).tolist() == [1, 1]
    for largest in (1.0, 1.7, 60.0):
        step = largest / (Q_MAX // 2)
        for sign in (1, -1):
            llrs = np.array([largest, -largest + sign * step], np.float32)
            assert decode(llrs, code).tolist() == [int(sign < 0)]


def test_decode_words_takes_any_puncturing():
    """The places of the bits sent may be any: here only every code bit of the first generator."""
    rng = np.random.default_rng(2)
    bits = rng.integers(0, 2, 50, dtype=np.uint8)
    full = convolutional_code(50, "1/2", "truncated")
    sent = np.flatnonzero(np.arange(100) % 2 == 0).astype(np.int32)
    llrs = 1 - 2 * encode(bits, full)[sent].astype(np.float32)
    found = decode_words(llrs, sent, 50, 50, TRUNCATED, 64.0, 1)
    assert np.array_equal(found, bits)
