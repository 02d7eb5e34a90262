"""The challenge's score: its quirks one by one, and the slow twin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starpoly.errors import DataError
from starpoly.evaluation import neurips
from starpoly.evaluation.neurips import border_labels, neurips_score
from starpoly.evaluation.report import Sample, evaluate

import reference


def one_object(rows, columns, shape=(12, 12)):
    labels = np.zeros(shape, np.uint16)
    labels[rows, columns] = 5
    return labels


def counts(true, pred, thresh=0.5):
    (score,) = neurips_score(true, pred, (thresh,))
    return score.tp, score.n_true, score.n_pred


@pytest.mark.parametrize(
    ("rows", "columns", "stays"),
    [
        (slice(2, 10), slice(2, 10), True),
        (slice(1, 6), slice(4, 8), False),
        (slice(2, 6), slice(4, 8), True),
        (slice(6, 10), slice(4, 8), True),
        (slice(6, 11), slice(4, 8), False),
        (slice(4, 8), slice(1, 6), False),
        (slice(4, 8), slice(2, 6), True),
        (slice(4, 8), slice(6, 10), True),
        (slice(4, 8), slice(6, 11), False),
    ],
)
def test_an_object_that_starts_at_row_1_goes_and_one_at_row_2_stays(rows, columns, stays):
    labels = one_object(rows, columns)
    assert counts(labels, labels) == ((1, 1, 1) if stays else (0, 0, 0))


def test_truth_and_prediction_lose_border_objects_each_on_its_own():
    inner, cut = one_object(slice(2, 8), slice(3, 8)), one_object(slice(1, 8), slice(3, 8))
    assert counts(inner, cut) == (0, 1, 0)
    assert counts(cut, inner) == (0, 0, 1)


def test_all_parts_of_an_object_go():
    labels = one_object(slice(5, 7), slice(5, 7))
    labels[0, 0] = 5
    assert counts(labels, labels) == (0, 0, 0)


@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (3, 9), (4, 9), (9, 4)])
def test_images_that_are_all_border(shape):
    assert counts(np.ones(shape, int), np.ones(shape, int)) == (0, 0, 0)
    assert border_labels(np.ones(shape, int)).tolist() == [1]


def test_threshold_is_inclusive():
    true = one_object(slice(3, 7), slice(3, 7))
    half = one_object(slice(3, 5), slice(3, 7))
    assert counts(true, half) == (1, 1, 1)
    less = half.copy()
    less[3, 3] = 0
    assert counts(true, less) == (0, 1, 1)


def test_nothing_to_find_and_nothing_found_scores_0():
    (score,) = neurips_score(np.zeros((9, 9), int), np.zeros((9, 9), int))
    assert (score.f1, score.precision, score.recall) == (0.0, 0.0, 0.0)


def test_missing_prediction_misses_everything():
    (score,) = neurips_score(one_object(slice(3, 7), slice(3, 7)), None)
    assert (score.f1, score.fn, score.n_true, score.n_pred) == (0.0, 1, 1, 0)


def test_only_images_are_scored():
    with pytest.raises(DataError, match="axes"):
        neurips_score(np.zeros((3, 3, 3), int), np.zeros((3, 3, 3), int))
    with pytest.raises(DataError, match="same shape"):
        neurips_score(np.zeros((3, 3), int), np.zeros((3, 4), int))
    with pytest.raises(DataError, match="ids from 0"):
        neurips_score(-np.ones((9, 9), int), None)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**32),
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.integers(5, 9),
    st.sampled_from([0, 200, 10**9]),
)
def test_equals_the_slow_twin_with_and_without_windows(seed, shape, window, large):
    rng = np.random.default_rng(seed)
    true = np.zeros(shape, np.int32)
    for label in range(1, 12):
        y, x = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        true[y : y + rng.integers(1, 5), x : x + rng.integers(1, 5)] = label * 3
    pred = np.where(rng.random(shape) < 0.9, np.roll(true, rng.integers(0, 2), 0), rng.integers(0, 3, shape))
    before = neurips.LARGE_IMAGE, neurips.WINDOW
    neurips.LARGE_IMAGE, neurips.WINDOW = large, window
    try:
        for thresh in (0.5, 0.7):
            assert counts(true, pred, thresh) == reference.challenge_counts(true, pred, thresh, large, window)
    finally:
        neurips.LARGE_IMAGE, neurips.WINDOW = before


def test_windows_of_a_large_image():
    labels = np.zeros((5000, 5000), np.uint8)
    labels[100:110, 100:110] = 1  # well inside the first window
    labels[1995:2005, 500:510] = 2  # over a seam: gone in both windows
    labels[2001:2011, 800:810] = 3  # touches the second row of its window: gone
    labels[2002:2012, 900:910] = 4  # starts in the third: stays
    labels[4990:5000, 4000:4010] = 5  # touches the column where a window starts: gone
    labels[4990:5000, 4700:4710] = 6  # at the image's border, which the padding has moved away: stays
    labels[3990:4010, 3000:3010] = 8  # over another seam
    labels[300:310, [600, 2600]] = 7  # two parts in two windows are two objects
    assert counts(labels, labels) == (5, 5, 5)
    below = labels[:4999]  # 24 995 000 values: one image
    assert counts(below, below) == (6, 6, 6)


def test_f1_is_of_the_sums_over_windows(monkeypatch):
    monkeypatch.setattr(neurips, "LARGE_IMAGE", 0)
    monkeypatch.setattr(neurips, "WINDOW", 10)
    true = np.zeros((10, 30), int)
    true[3:6, [3, 13, 23]] = 1
    pred = true * (np.arange(30) < 10)
    (score,) = neurips_score(true, pred)
    assert (score.precision, score.recall, score.f1) == (1.0, 1 / 3, pytest.approx(0.5))


def test_the_numbers_of_the_protocol():
    assert (neurips.BORDER, neurips.LARGE_IMAGE, neurips.WINDOW) == (2, 25_000_000, 2000)


def test_objects_are_counted_and_not_ids():
    labels = one_object(slice(3, 5), slice(3, 5))
    labels[6:9, 6:9] = 60_000
    labels[0, :] = 1000  # goes, and leaves a gap
    assert counts(labels, labels) == (2, 2, 2)
    assert counts(labels, (labels % 999).astype(np.int32)) == (2, 2, 2)


def test_ids_of_truth_and_prediction_are_of_types_of_their_own():
    true = one_object(slice(3, 7), slice(3, 7)).astype(np.uint8)
    pred = np.where(true, 70_000, 0).astype(np.uint32)
    pred[8:10, 3:7] = 70_000 - 65_536
    assert counts(true, pred) == (1, 1, 2)


def test_one_true_object_matches_one_of_its_halves():
    true, halves = one_object(slice(3, 7), slice(3, 9)), one_object(slice(3, 7), slice(3, 6))
    halves[3:7, 6:9] = 6  # both reach an IoU of exactly 0.5
    (score,) = neurips_score(true, halves)
    assert (score.tp, score.fp, score.fn) == (1, 1, 0)
    assert score.f1 == pytest.approx(2 / 3)
    assert counts(halves, true) == (1, 2, 1)


def test_as_many_pairs_as_possible_come_before_the_best_pair():
    # T and U are 10 and 7 pixels long; P covers T's end and U's beginning, Q the rest of T
    true, pred = np.zeros((5, 30), int), np.zeros((5, 30), int)
    true[2, 3:13], true[2, 13:20] = 1, 2
    pred[2, 3:7], pred[2, 7:17] = 1, 2
    # IoU: T-Q 4/10, T-P 6/14 (the best pair), U-P 4/13; taking T-P would leave U and Q without a partner
    assert counts(true, pred, 0.3) == (2, 2, 2)
    assert counts(true, pred, 0.42) == (1, 2, 2)


def test_among_as_many_pairs_the_larger_overlaps_are_taken():
    true, pred = np.zeros((5, 30), int), np.zeros((5, 30), int)
    true[2, 3:15] = 1
    pred[2, 3:8], pred[2, 8:15] = 1, 2
    (score,) = neurips_score(true, pred, (0.4,))
    assert score.tp == 1
    assert score.mean_matched_score == pytest.approx(7 / 12)


@pytest.mark.parametrize("found", [False, True])
def test_f1_is_0_where_nothing_matches(found):
    true = one_object(slice(3, 6), slice(3, 6))
    pred = one_object(slice(7, 10), slice(7, 10)) if found else np.zeros_like(true)
    for a, b in ((true, pred), (pred, true)):
        (score,) = neurips_score(a, b)
        assert (score.tp, score.f1, score.precision, score.recall) == (0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("shape", "stays"),
    [((20, 20), False), ((20, 19), True), ((19, 20), False), ((19, 19), True), ((10, 20), False)],
)
def test_windows_are_padded_to_whole_ones_and_no_further(monkeypatch, shape, stays):
    monkeypatch.setattr(neurips, "LARGE_IMAGE", 0)
    monkeypatch.setattr(neurips, "WINDOW", 10)
    labels = np.zeros(shape, np.uint8)
    labels[3:6, -4:-1] = 1  # a pixel from the border, which padding by one moves to two
    assert counts(labels, labels) == ((1, 1, 1) if stays else (0, 0, 0))


@pytest.mark.parametrize(("large", "stays"), [(143, False), (144, False), (145, True)])
def test_windows_begin_with_the_image_of_just_that_many_values(monkeypatch, large, stays):
    monkeypatch.setattr(neurips, "LARGE_IMAGE", large)
    monkeypatch.setattr(neurips, "WINDOW", 6)
    labels = one_object(slice(3, 9), slice(3, 9))  # of 144 values; the object lies on a seam
    assert counts(labels, labels) == ((1, 1, 1) if stays else (0, 0, 0))


def test_mean_and_median_are_of_images_and_a_missing_prediction_counts_0():
    nine = np.zeros((30, 30), np.uint8)
    for k in range(9):
        nine[3 + 8 * (k // 3) :, 3 + 8 * (k % 3) :][:4, :4] = k + 1
    one = one_object(slice(3, 7), slice(3, 7))
    samples = [
        Sample("found", one, one),
        Sample("a third of nine", nine, np.where(nine <= 3, nine, 0)),
        Sample("wrong", one, one[::-1, ::-1]),
        Sample("missing", one, None),
    ]
    report = evaluate(samples, (0.5,), "neurips")
    assert [row.f1 for row in report.scope("image")] == [1.0, 0.5, 0.0, 0.0]
    assert (report.scope("mean")[0].f1, report.scope("median")[0].f1) == (0.375, 0.25)
    assert report.scope("pooled")[0].f1 == pytest.approx(2 * 4 / (12 + 5))
