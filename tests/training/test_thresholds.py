"""Thresholds: the best cut through scored matches, found by trying each the slow way."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from starpoly.evaluation.scored import ScoredMatches, match_scored
from starpoly.polygons import StarPolygons
from starpoly.training.thresholds import best_probability

TAUS = (0.5, 0.7)


def precision_at(matches: ScoredMatches, threshold: float) -> float:
    """Mean average precision of the objects above a threshold, counted anew."""
    kept = matches.scores > threshold
    values = []
    for tau in TAUS:
        tp = int((matches.ious[kept] >= tau).sum())
        values.append(tp / (kept.sum() + matches.n_true - tp))
    return float(np.mean(values))


@given(
    st.lists(st.tuples(st.integers(2, 9), st.integers(0, 10)), min_size=1, max_size=30),
    st.integers(0, 5),
)
def test_no_threshold_does_better(objects, missed):
    scores = np.array([score / 10 for score, _ in objects], np.float32)
    ious = np.array([iou / 10 for _, iou in objects])
    matches = ScoredMatches(scores, ious, int((ious >= 0.5).sum()) + missed + 1)
    threshold, value = best_probability(matches, TAUS)
    assert abs(precision_at(matches, threshold) - value) < 1e-12
    for other in np.arange(0.15, 0.95, 0.1):
        assert precision_at(matches, other) <= value + 1e-12


def test_match_scored_finds_each_polygons_best_true_object():
    y_true = np.zeros((40, 40), np.int64)
    y_true[5:16, 5:16] = 4
    square = np.tile([5.4, 5.4 * np.sqrt(2)], 4)
    polygons = StarPolygons([[10, 10], [30, 30]], [square, square], [0.9, 0.4])
    matches = match_scored(polygons, y_true)
    assert matches.n_true == 1
    assert matches.ious[0] > 0.95
    assert matches.ious[1] == 0
