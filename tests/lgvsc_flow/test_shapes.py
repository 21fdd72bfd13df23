import pytest

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
