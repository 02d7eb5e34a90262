"""The sparse assignment against the Hungarian algorithm on the dense matrix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starpoly.evaluation import assignment
from starpoly.evaluation.assignment import assign

import reference


def sparse(scores):
    true, pred = np.nonzero(scores)
    return true, pred, scores[true, pred]


def matched_pairs(scores, thresh):
    true, pred, values = sparse(scores)
    chosen = assign(true, pred, values, thresh)
    return list(zip(true[chosen].tolist(), pred[chosen].tolist(), strict=True))


def random_scores(seed, shape, density):
    """Scores without ties: there is one optimum."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(shape) < density, rng.uniform(0.01, 1, shape), 0.0)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**32),
    st.tuples(st.integers(0, 9), st.integers(0, 9)),
    st.floats(0, 1),
    st.floats(0.01, 0.99),
    st.sampled_from([0, 1 << 20]),
)
def test_equals_the_dense_hungarian(seed, shape, density, thresh, dense_entries):
    scores = random_scores(seed, shape, density)
    before, assignment.DENSE_ENTRIES = assignment.DENSE_ENTRIES, dense_entries  # 0: always the sparse solver
    try:
        assert matched_pairs(scores, thresh) == reference.hungarian(scores, thresh)
    finally:
        assignment.DENSE_ENTRIES = before


@pytest.mark.parametrize("density", [0.005, 0.02, 0.1])
def test_equals_the_dense_hungarian_for_many_objects(density):
    scores = random_scores(3, (150, 130), density)
    for thresh in (0.2, 0.5, 0.8):
        assert matched_pairs(scores, thresh) == reference.hungarian(scores, thresh)


def test_more_matches_beat_a_higher_score():
    scores = np.array([[0.45, 0.40], [0.41, 0.0]])
    assert matched_pairs(scores, 0.4) == [(0, 1), (1, 0)]  # 0.81 with two matches; alone 0.45 would be the best pair
    assert matched_pairs(scores, 0.42) == [(0, 0)]


def test_pairs_below_the_threshold_break_ties():
    # either true object can have the one predicted object at 0.5; the other then gets what is left
    scores = np.array([[0.5, 0.3], [0.5, 0.1]])
    assert matched_pairs(scores, 0.5) == [(1, 0)]


def test_threshold_is_inclusive_and_compared_in_the_scores_precision():
    scores = np.array([[3 / 5]], np.float32)
    assert matched_pairs(scores, 6 * 0.1) == [(0, 0)]
    assert matched_pairs(scores.astype(float) * 0 + 3 / 5, 6 * 0.1) == []


def test_nothing_to_match():
    assert matched_pairs(np.zeros((3, 2)), 0.5) == []
    assert matched_pairs(np.full((3, 2), 0.2), 0.5) == []
