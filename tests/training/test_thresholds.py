"""Thresholds: the best cut through scored matches, found by trying each the slow way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starpoly.config import Thresholds
from starpoly.errors import ConfigError
from starpoly.evaluation.scored import ScoredMatches, match_scored
from starpoly.polygons import StarPolygons
from starpoly.training.data import array_pairs
from starpoly.training.thresholds import NothingFoundError, best_probability, tune

from support.examples import stars, with_discs
from support.painted import model_that_finds

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


@given(st.lists(st.tuples(st.integers(2, 9), st.integers(0, 10)), min_size=1, max_size=12), st.integers(1, 4))
def test_an_object_of_weight_n_counts_as_n_objects(objects, weight):
    scores = np.array([score / 10 for score, _ in objects], np.float32)
    ious = np.array([iou / 10 for _, iou in objects])
    once = ScoredMatches(scores, ious, len(scores) + 1)
    other = ScoredMatches(scores[::-1].copy(), ious, len(scores))
    weighted = ScoredMatches.concatenate([once.times(weight), other])
    repeated = ScoredMatches.concatenate([once] * weight + [other])
    assert best_probability(weighted, TAUS) == pytest.approx(best_probability(repeated, TAUS))


def test_match_scored_finds_each_polygons_best_true_object():
    y_true = np.zeros((40, 40), np.int64)
    y_true[5:16, 5:16] = 4
    square = np.tile([5.4, 5.4 * np.sqrt(2)], 4)
    polygons = StarPolygons([[10, 10], [30, 30]], [square, square], [0.9, 0.4])
    matches = match_scored(polygons, y_true)
    assert matches.n_true == 1
    assert matches.ious[0] > 0.95
    assert matches.ious[1] == 0


LABELS = with_discs((40, 50), (10, 10, 6), (25, 30, 6))
PAIRS = array_pairs([1.0 * LABELS], [LABELS])
#: One for each true object, and one beside them.
FOUND = stars((10, 10, 6), (25, 30, 6), (30, 10, 4), probabilities=[0.9, 0.8, 0.3])


def test_groups_count_alike_whatever_their_number_of_objects():
    """The rarer kind has but the object of the lowest score."""
    masks = [LABELS] * 4 + [with_discs((40, 50), (30, 10, 4))]
    common = array_pairs([1.0 * LABELS] * 5, masks)
    groups = [replace(pair, group="rare" if number == 4 else "common") for number, pair in enumerate(common)]
    pooled, alike = (
        tune(model_that_finds(FOUND), pairs, iou_threshs=(0.5,), progress=False) for pairs in (common, groups)
    )
    assert (pooled.thresholds.prob, alike.thresholds.prob) == (0.55, 0.225)


def test_thresholds_are_chosen_among_those_that_are_given():
    tuned = tune(model_that_finds(FOUND), PAIRS, nms_threshs=(0.35,), iou_threshs=(0.5,), progress=False)
    assert tuned.thresholds == Thresholds(prob=0.55, nms=0.35)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"nms_threshs": ()}, "nms_threshs: expected one or more"),
        ({"nms_threshs": (1.5,)}, "nms_threshs: .* from 0 to 1"),
        ({"iou_threshs": (0.3, 0.5)}, r"iou_threshs: .* from 0.5 to 1, got \[0.3, 0.5\]"),
    ],
)
def test_thresholds_out_of_range_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        tune(model_that_finds(FOUND), PAIRS, **settings)


def test_nothing_to_choose_by_is_said():
    with pytest.raises(NothingFoundError, match="objects that the model finds"):
        tune(model_that_finds(FOUND.take([])), PAIRS, progress=False)
    with pytest.raises(NothingFoundError, match="expected true objects"):
        tune(model_that_finds(FOUND), array_pairs([1.0 * LABELS], [0 * LABELS]), progress=False)
