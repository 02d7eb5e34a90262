"""Precision, recall and reliability by score, against plain counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starpoly.errors import DataError
from starpoly.evaluation.scored import ScoredMatches, precision_recall, reliability

FOUND = st.lists(st.tuples(st.integers(0, 20).map(lambda k: k / 20), st.floats(0, 1)), min_size=1, max_size=30)


def as_matches(found, n_missed=0):
    scores, ious = np.array(found, float).reshape(-1, 2).T
    n_true = int((ious >= 0.5).sum()) + n_missed
    return ScoredMatches(scores.astype(np.float32), ious, n_true)


@given(FOUND, st.integers(1, 5))
def test_precision_and_recall_are_those_of_counting(found, n_missed):
    matches = as_matches(found, n_missed)
    curve = precision_recall(matches)
    assert list(curve.scores) == sorted(set(matches.scores.astype(float)), reverse=True)
    for score, precision, recall in zip(curve.scores, curve.precision, curve.recall, strict=True):
        above = matches.scores >= score
        right = (matches.ious >= 0.5) & above
        assert precision == right.sum() / above.sum()
        assert recall == right.sum() / matches.n_true


@given(FOUND, st.integers(1, 12))
def test_reliability_is_that_of_counting(found, n_bins):
    matches = as_matches(found)
    table = reliability(matches, n_bins=n_bins)
    assert table.counts.sum() == len(found)
    distance = 0.0
    for k in range(n_bins):
        last = k == n_bins - 1
        scores = matches.scores.astype(float)
        inside = (np.floor(scores * n_bins) == k) | (last & (scores == 1))
        assert table.counts[k] == inside.sum()
        if inside.any():
            assert table.right[k] == pytest.approx((matches.ious[inside] >= 0.5).mean())
            distance += abs(scores[inside].mean() - (matches.ious[inside] >= 0.5).mean()) * inside.sum()
        else:
            assert np.isnan(table.right[k])
    assert table.error == pytest.approx(distance / len(found))


def test_what_makes_no_sense_is_refused():
    with pytest.raises(DataError, match=r"from 0\.5"):
        precision_recall(as_matches([(0.5, 0.9)]), iou=0.4)
    with pytest.raises(DataError, match="at least one bin"):
        reliability(as_matches([(0.5, 0.9)]), n_bins=0)
