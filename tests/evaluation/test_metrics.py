"""StarDist's scores: hand-made cases, laws, and StarDist itself."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starpoly.errors import DataError, StarpolyWarning
from starpoly.evaluation.metrics import Matching, average_precision, matching, matching_dataset, pool

import reference

THRESHOLDS = (0.1, 0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 1.0)
COMPARED = tuple(name for name in Matching.__dataclass_fields__ if name != "criterion")


def draw(*rows):
    """Label image from digits; a dot is background."""
    return np.array([[0 if c == "." else int(c) for c in row] for row in rows])


TWO_CELLS = draw("11..22", "11..22")


def noise(seed, top=8):
    """Two random label images, unlike or alike."""
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 14, 2)
    true, pred = (rng.integers(0, rng.integers(1, top) + 1, shape) for _ in range(2))
    scale = np.ones((rng.integers(1, 4), rng.integers(1, 4)), int)
    true, pred = np.kron(true, scale), np.kron(pred, scale)
    return true, np.where(rng.random(true.shape) < rng.choice([0, 0.5, 0.8, 0.95]), true, pred)


def cells(seed, n=120, size=160, move=2):
    """Overlapping discs and the same discs moved, resized, sometimes lost or merged: what predictions look like."""
    rng = np.random.default_rng(seed)
    true, pred = np.zeros((2, size, size), np.int32)
    y, x = np.mgrid[:size, :size]
    for label in range(1, n + 1):
        centre, radius = rng.uniform(0, size, 2), rng.uniform(3, 9)
        true[(y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2] = label
        if rng.random() < 0.9:
            centre, radius = centre + rng.normal(0, move, 2), radius * rng.uniform(0.7, 1.3)
            other = label if rng.random() < 0.9 else max(1, label - 1)
            pred[(y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2] = 1000 * other
    return true, pred


def test_perfect():
    result = matching(TWO_CELLS, TWO_CELLS * 7)
    assert result == Matching("iou", 0.5, 0, 2, 0, 1.0, 1.0, 1.0, 1.0, 2, 2, 1.0, 1.0, 1.0)


def test_counts_and_ratios():
    pred = draw("11..33", "1..444")  # IoU 3/4 with the first; 2/4 and 2/5 with the second
    result = matching(TWO_CELLS, pred)
    assert (result.tp, result.fp, result.fn, result.n_true, result.n_pred) == (2, 1, 0, 2, 3)
    assert (result.precision, result.recall, result.accuracy) == (2 / 3, 1.0, 2 / 3)
    assert result.f1 == pytest.approx(4 / 5)
    assert result.mean_matched_score == result.mean_true_score == pytest.approx((0.75 + 0.5) / 2)
    assert result.panoptic_quality == pytest.approx((0.75 + 0.5) / 2.5)
    assert matching(TWO_CELLS, pred, 0.51).tp == 1


@pytest.mark.parametrize(("n_true", "n_pred"), [(0, 0), (0, 2), (2, 0)])
def test_empty_images_score_nothing(n_true, n_pred):
    result = matching(TWO_CELLS * (n_true > 0), TWO_CELLS * (n_pred > 0))
    assert (result.n_true, result.n_pred, result.tp, result.fn, result.fp) == (n_true, n_pred, 0, n_true, n_pred)
    assert {result.precision, result.f1, result.accuracy, result.panoptic_quality, result.mean_true_score} == {0.0}


def test_image_without_pixels():
    assert matching(np.zeros((0, 5), int), np.zeros((0, 5), int)).n_true == 0


def test_several_thresholds_give_a_tuple():
    results = matching(TWO_CELLS, TWO_CELLS, np.array([0.5, 0.9]))
    assert results == (matching(TWO_CELLS, TWO_CELLS, 0.5), matching(TWO_CELLS, TWO_CELLS, 0.9))
    assert [type(result.thresh) for result in results] == [float, float]
    assert matching(TWO_CELLS, TWO_CELLS, []) == ()


def test_dtypes_need_not_agree():
    assert matching(TWO_CELLS.astype(np.uint8), TWO_CELLS.astype(np.int64) * 2**40) == matching(TWO_CELLS, TWO_CELLS)


def test_scores_are_plain_numbers():
    result = matching(TWO_CELLS, draw("11..33", "1..444"))
    assert json.loads(json.dumps(result.to_dict())) == result.to_dict()
    assert {type(value) for value in result.to_dict().values()} == {str, int, float}


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), st.sampled_from(["iou", "iot", "iop"]))
def test_counts_equal_the_dense_reference(seed, criterion):
    true, pred = noise(seed)
    scores = reference.score_matrix(true, pred, criterion)
    for result in matching(true, pred, THRESHOLDS, criterion):
        assert result.tp == len(reference.hungarian(scores, result.thresh))
        assert (result.n_true, result.n_pred) == scores.shape


@pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")  # noise is no label image
@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32))
def test_transposing_mirroring_and_relabelling_change_nothing(seed):
    true, pred = noise(seed)
    new_ids = np.random.default_rng(seed).permutation(50)[:20] + 1
    new_ids[0] = 0
    expected = matching(true, pred, THRESHOLDS[2:])
    for change in (np.transpose, np.flipud, np.rot90, lambda image: new_ids[image]):
        for result, other in zip(matching(change(true), change(pred), THRESHOLDS[2:]), expected, strict=True):
            assert result.to_dict() == pytest.approx(other.to_dict(), abs=1e-6)


def test_swapping_truth_and_prediction_swaps_precision_and_recall():
    true, pred = cells(0)
    for result, swapped in zip(matching(true, pred, THRESHOLDS), matching(pred, true, THRESHOLDS), strict=True):
        assert (result.tp, result.precision, result.fp) == (swapped.tp, swapped.recall, swapped.fn)


@pytest.mark.parametrize("thresh", [-0.1, 1.1, float("nan"), [0.5, float("inf")]])
def test_thresholds_out_of_range_are_refused(thresh):
    with pytest.raises(DataError, match="thresh: expected numbers from 0 to 1"):
        matching(TWO_CELLS, TWO_CELLS, thresh)


def test_data_sets_are_pooled_over_objects_or_images():
    empty = np.zeros_like(TWO_CELLS)
    trues, preds = [TWO_CELLS, TWO_CELLS], [TWO_CELLS, empty]
    pooled = matching_dataset(trues, iter(preds))
    assert (pooled.tp, pooled.fn, pooled.n_true, pooled.precision, pooled.recall) == (2, 2, 4, 1.0, 0.5)
    assert not pooled.by_image
    averaged = matching_dataset(trues, preds, [0.5], by_image=True)[0]
    assert (averaged.tp, averaged.precision, averaged.recall, averaged.by_image) == (2, 0.5, 0.5, True)
    assert average_precision(trues, preds) == 0.5
    assert average_precision(trues, preds, (0.5, 0.9)) == (0.5, 0.5)


def test_a_plain_array_is_one_image():
    true, pred = cells(0)
    single = matching(true, pred, (0.5, 0.7))
    assert average_precision(true, pred, (0.5, 0.7)) == tuple(result.accuracy for result in single)
    assert matching_dataset(true, [pred]).tp == single[0].tp
    assert matching_dataset(np.stack([true, true]), np.stack([pred, pred])).tp == 2 * single[0].tp


def test_data_sets_that_do_not_pair_are_refused():
    with pytest.raises(DataError, match="as many true as predicted"):
        matching_dataset([TWO_CELLS], [TWO_CELLS, TWO_CELLS])
    with pytest.raises(DataError, match="at least one pair"):
        matching_dataset([], [])
    with pytest.raises(DataError, match="same shape"):
        matching_dataset([TWO_CELLS], [TWO_CELLS.T])
    with pytest.raises(DataError, match="same threshold"):
        pool(matching(TWO_CELLS, TWO_CELLS, [0.5, 0.6]))


# --- StarDist 0.9.2 on the same images ---


@pytest.fixture(scope="module")
def stardist():
    return pytest.importorskip("stardist.matching", reason="needs the extra 'peer' (stardist)")


def same(ours, theirs):
    for name in COMPARED:
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=0, abs=1e-12), name


@pytest.mark.parametrize("criterion", ["iou", "iot", "iop"])
@pytest.mark.parametrize("seed", range(4))
def test_equal_to_stardist_on_cells(stardist, seed, criterion):
    true, pred = cells(seed, move=(1, 2, 4, 8)[seed])
    theirs = stardist.matching(true, pred, THRESHOLDS, criterion)
    for ours, other in zip(matching(true, pred, THRESHOLDS, criterion), theirs, strict=True):
        same(ours, other)


def test_equal_to_stardist_at_threshold_zero(stardist):
    true, pred = cells(5, n=30)
    ours, theirs = matching(true, pred, 0), stardist.matching(true, pred, 0)
    for name in COMPARED:  # where pairs without a shared pixel stand in its sum decides the last bit
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=1e-6)


@pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")  # noise is no label image
@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32))
def test_equal_to_stardist_on_noise(stardist, seed):
    """From an IoU of 0.5 on; below it, noise of few pixels has several optima that differ in their scores."""
    true, pred = noise(seed)
    theirs = stardist.matching(true, pred, THRESHOLDS[2:])
    for ours, other in zip(matching(true, pred, THRESHOLDS[2:]), theirs, strict=True):
        same(ours, other)


@pytest.mark.parametrize("by_image", [False, True])
def test_equal_to_stardist_on_data_sets(stardist, by_image):
    images = [cells(seed, n=40) for seed in range(3)] + [(TWO_CELLS, TWO_CELLS * 0), (TWO_CELLS * 0, TWO_CELLS)]
    trues, preds = zip(*images, strict=True)
    theirs = stardist.matching_dataset(trues, preds, THRESHOLDS, by_image=by_image, show_progress=False)
    for ours, other in zip(matching_dataset(trues, preds, THRESHOLDS, by_image=by_image), theirs, strict=True):
        same(ours, other)
        assert ours.by_image == other.by_image


def test_what_is_no_label_image_is_said_where_nothing_matches():
    labels = np.zeros((64, 64), np.int32)
    labels[5:15, 5:15], labels[30:45, 30:45], labels[50:60, 5:20] = 1, 2, 3
    with pytest.warns(StarpolyWarning, match="y_pred: expected one id per object, got the single id 255"):
        matching(labels, (labels > 0).astype(np.uint8) * 255)
    photograph = np.random.default_rng(0).integers(0, 255, labels.shape)
    with pytest.warns(StarpolyWarning, match="y_true: expected a label image, got .* is this the image itself"):
        matching(photograph, labels)
    with pytest.raises(
        DataError, match=r"y_true: expected a label image of integers as an array, got list; .*numpy\.asarray"
    ):
        matching(labels.tolist(), labels)
