from contextlib import suppress

import pytest
from hypothesis import given, settings, strategies as st

from lgvsc_flow.shapes import ShapeError, evaluate, names, solve


def lookup(**values):
    return lambda name: values.get(name)


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("n", {"n": 7}, 7),
        ("n // b", {"n": 12, "b": 4}, 3),
        ("n * 2 + 3", {"n": 5}, 13),
        ("blocks * (k - 24)", {"blocks": 3, "k": 100}, 228),
        ("n // b", {"n": 12}, None),
        ("*", {}, None),
    ],
)
def test_evaluate(text, values, expected):
    assert evaluate(text, lookup(**values)) == expected


def test_a_remainder_is_an_error():
    with pytest.raises(ShapeError, match=r"10 // 4 leaves a remainder"):
        evaluate("n // b", lookup(n=10, b=4))


@pytest.mark.parametrize("text", ["n +", "n $ 2", "(n", "n n"])
def test_malformed_shapes_are_refused(text):
    with pytest.raises(ValueError, match="shape"):
        evaluate(text, lookup(n=1))


def test_solve_finds_the_one_unknown():
    assert solve("blocks * n", 1944, lookup(n=648)) == ("blocks", 3)
    assert solve("n", 5, lookup()) == ("n", 5)
    assert solve("n", 5, lookup(n=5)) is None
    assert solve("a * b", 5, lookup()) is None
    with pytest.raises(ShapeError, match="647 does not divide into whole blocks of n=648"):
        solve("blocks * n", 647, lookup(n=648))


def test_names():
    assert names("blocks * (k - 24) // m") == {"blocks", "k", "m"}


@pytest.mark.parametrize(
    "text", ["n * * 2", "+ n", "-n", "()", "2n", "n )", "n + (", "n\n", "n.k", "n ** 2", "9" * 19, ""]
)
def test_malformed_shapes_are_refused_whatever_is_known(text):
    text = f"{text}$" if text.endswith("\n") else text
    for known in ({}, {"n": 4}):
        with pytest.raises(ValueError, match="shape"):
            evaluate(text, lookup(**known))


def test_shapes_are_bounded():
    deep = "(" * 16 + "n" + ")" * 16
    assert evaluate(deep, lookup(n=3)) == 3
    with pytest.raises(ValueError, match="a shape has at most 16 parentheses within each other"):
        evaluate(f"({deep})", lookup(n=3))
    with pytest.raises(ValueError, match="a shape has at most 256 characters, got 100000"):
        evaluate("(" * 100_000, lookup())
    assert evaluate("+".join(["n"] * 128), lookup(n=3)) == 384


def test_solve_inverts_every_operation():
    assert solve("blocks * (k - 24)", 152, lookup(k=100)) == ("blocks", 2)
    assert solve("n + 24", 30, lookup()) == ("n", 6)
    assert solve("30 - n", 6, lookup()) == ("n", 24)
    assert solve("n // 3", 6, lookup()) == ("n", 18)
    assert solve("30 // n", 6, lookup()) is None
    assert solve("n * n", 16, lookup()) is None
    assert solve("n * k", 16, lookup(k=0)) is None
    with pytest.raises(ShapeError, match=r"^n would be -4 in n \+ 24$"):
        solve("n + 24", 20, lookup())
    with pytest.raises(ShapeError, match=r"^150 does not divide into whole blocks of \(k - 24\)=76$"):
        solve("blocks * (k - 24)", 150, lookup(k=100))
    with pytest.raises(ShapeError, match=r"^5 // 0 divides by zero$"):
        evaluate("5 // n", lookup(n=0))


quick = settings(max_examples=300, deadline=None, derandomize=True, database=None)
leaves = st.sampled_from(["n", "k", "blocks", "0", "1", "7", "24"])
expressions = st.recursive(
    leaves,
    lambda inner: st.tuples(inner, st.sampled_from(["+", "-", "*", "//"]), inner).map(lambda t: f"({' '.join(t)})"),
)


@quick
@given(st.text(max_size=300) | st.text("nk07+-*/() _", max_size=300), st.none() | st.integers(0, 10**6))
def test_any_text_is_read_or_refused(text, value):
    for ask in (lambda: evaluate(text, lambda n: value), lambda: solve(text, 12, lambda n: value), lambda: names(text)):
        with suppress(ValueError):
            ask()


@quick
@given(expressions, st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
def test_values_are_those_of_python(text, n, k, blocks):
    values = {"n": n, "k": k, "blocks": blocks}
    try:
        got = evaluate(text, values.get)
    except ValueError:
        return
    tree = compile(text, "", "eval")
    assert got == eval(tree, {"__builtins__": {}}, values)  # the text is this test's own


@quick
@given(expressions, st.integers(1, 99), st.integers(1, 99), st.integers(1, 99))
def test_solve_finds_what_evaluate_was_given(text, n, k, blocks):
    values = {"n": n, "k": k, "blocks": blocks}
    try:
        size = evaluate(text, values.get)
    except ValueError:
        return
    found = solve(text, size, {**values, "n": None}.get)
    assert found in (None, ("n", n))
