"""No kernel touches what lies beside its arrays; see `guard`, and `guard_cases` for the list of kernels."""

from pathlib import Path

import guard
import pytest
from guard_cases import CASES

WRONG = """
import ctypes, sys
import numpy as np
from guard import Case, run_all

def given(n):
    return [np.ones(n, np.float32)]

def reads_behind(x):
    return len(ctypes.string_at(x.ctypes.data, x.nbytes + 1))

def reads_before(x):
    return len(ctypes.string_at(x.ctypes.data - 1, x.nbytes))

def writes_before(x):
    if x.base is not None:  # not where that would be the heap
        ctypes.memset(x.ctypes.data - 1, 7, 1)

def writes_to_it(x):
    x[:1] = 5

def uses_what_memory_held(x):
    return np.empty(4000 + x.size, np.uint8)

def refuses(x):
    raise ValueError("never mind")

good = Case("good", given, np.sum, (3, 16))
kernels = reads_behind, reads_before, writes_before, writes_to_it, uses_what_memory_held, refuses
cases = [good, *(Case(k.__name__, given, k, (6, 16)) for k in kernels), good]
run_all(cases, int(sys.argv[1]))
"""


def test_no_kernel_goes_beyond_its_arrays():
    """Every size to 200 and around powers of two, every alignment, at the end and at the beginning of a page."""
    found = guard.run_in_child(Path(guard.__file__).with_name("guard_cases.py"), len(CASES))
    problems = [f"{CASES[number].name}: {wrong}" for number, wrong in found.items() if wrong]
    assert not problems, f"{len(problems)} of {len(CASES)}:\n" + "\n".join(problems)


@pytest.fixture(scope="module")
def wrong(tmp_path_factory):
    script = tmp_path_factory.mktemp("guard") / "wrong.py"
    script.write_text(WRONG)
    return guard.run_in_child(script, 8)


def test_what_kernels_do_wrong_is_found(wrong):
    for number in (1, 2):
        assert "the process died (-11)" in wrong[number]
        assert "Segmentation fault" in wrong[number]
    assert "wrote beside argument 0" in wrong[3]
    assert "wrote to argument 0" in wrong[4]
    assert "depends on what memory held before" in wrong[5]
    assert "never mind" in wrong[6]


def test_the_others_are_run_all_the_same(wrong):
    assert wrong[0] == wrong[7] == ""
