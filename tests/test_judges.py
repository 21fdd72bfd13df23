"""The measure of judges: its labelled pairs, and its figures against hand computations."""

from collections import Counter
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from lgvsc_flow.blocks.semantic import Description, FunctionJudge


@pytest.fixture
def judges(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    return import_module("judges")


def test_at_least_sixty_pairs_of_each_kind_with_known_labels(judges):
    captions, frames = judges.read_rows("caption_pairs.tsv"), judges.read_rows("frame_pairs.tsv")
    for rows, kind in ((captions, "captions"), (frames, "frames")):
        labels = Counter(r[0] for r in rows)
        assert set(labels) == set(judges.LABELS[kind])
        assert min(labels.values()) >= 20
        assert len(rows) == len(set(map(tuple, rows))) >= 60
    assert all(int(a) < int(b) for _, _, a, b, _ in frames)


def test_the_area_counts_ties_half(judges):
    same, other = np.array([0.1, 0.4, 0.4]), np.array([0.4, 0.9])
    # Of six pairs of scores other > same in four and equal in two.
    assert judges.auc(same, other) == pytest.approx((4 + 2 / 2) / 6)
    low, high = judges.interval(same, other)
    assert 0 <= low <= judges.auc(same, other) <= high <= 1


def test_the_calibration_error_is_zero_where_shares_are_as_said(judges):
    p = np.repeat([0.0, 0.5, 1.0], 4)
    is_same = np.array([0, 0, 0, 0, 1, 0, 1, 0, 1, 1, 1, 1], dtype=float)
    assert judges.calibration_error(p, is_same, bins=3) == 0
    assert judges.calibration_error(1 - p, is_same, bins=3) == pytest.approx(2 / 3)


def test_a_judge_is_measured_against_each_label_and_all(judges):
    pairs = [judges.Pair(label, Description("a"), Description(label)) for label in ("same", "action", "different") * 2]
    answers = {"same": (0.8, 0.1), "action": (0.6, 0.3), "different": (0.1, 0.3)}
    judge = FunctionJudge(lambda keyframe, candidate, focus: answers[candidate])
    rows = {r.against: r for r in judges.measure("mine", judge, "captions", pairs)}
    assert [(r.auc, r.false_splits, r.misses) for r in rows.values()] == [(1, 0, 1), (1, 0, 1), (1, 0, 1)]
    assert rows["different"].low_mass == 0.5
    assert rows["all"].mean_mass == pytest.approx((0.9 + 0.9 + 0.4) / 3)
    assert judges.table(list(rows.values())).count("| mine |") == 3
