"""Objects where the truth is open are neither right nor wrong."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from starpoly.cli.main import main
from starpoly.evaluation.ignored import without_ignored
from starpoly.evaluation.scored import match_scored_labels

#: Two objects, and a region to the right in which nobody drew any.
TRUE = np.int16([[1, 1, 0, 0, -1, -1], [1, 1, 0, 2, -1, -1], [0, 0, 0, 2, -1, -1]])
#: Both, one that reaches into the region, and two within it.
PRED = np.int32([[5, 5, 7, 7, 7, 9], [5, 5, 0, 6, 9, 9], [0, 0, 0, 6, 8, 8]])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint32, np.int64])
def test_objects_mostly_in_the_region_are_left_out(dtype):
    true, pred = without_ignored(TRUE, PRED.astype(dtype))
    np.testing.assert_array_equal(true, np.maximum(TRUE, 0))
    np.testing.assert_array_equal(pred, [[5, 5, 7, 7, 0, 0], [5, 5, 0, 6, 0, 0], [0, 0, 0, 6, 0, 0]])
    assert (pred.dtype, true.dtype) == (dtype, TRUE.dtype)


def test_a_prediction_without_background():
    _, pred = without_ignored(np.int8([[1, -1], [1, -1]]), np.uint8([[4, 9], [4, 9]]))
    np.testing.assert_array_equal(pred, [[4, 0], [4, 0]])


def test_nothing_to_ignore_changes_nothing():
    true, pred = np.maximum(TRUE, 0), PRED
    assert without_ignored(true, pred) == (true, pred)


def test_thresholds_are_tuned_without_them():
    labels = np.select([PRED == 5, PRED == 6, PRED == 7, PRED == 9], [1, 2, 3, 4], 0)
    labels[1, 4] = 2  # of an object with two pixels beside
    matches = match_scored_labels(labels, np.float32([0.9, 0.8, 0.7, 0.6]), TRUE)
    np.testing.assert_array_equal(matches.scores, np.float32([0.9, 0.8, 0.7]))
    np.testing.assert_array_equal(matches.ious, [1, 1, 0])
    assert matches.n_true == 2


def test_files(tmp_path, capsys):
    for folder, labels in (("true", TRUE), ("pred", PRED)):
        (tmp_path / folder).mkdir()
        tifffile.imwrite(tmp_path / folder / "a.tif", labels)
    assert main(["evaluate", str(tmp_path / "pred"), str(tmp_path / "true"), "--iou", "0.5"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[-3:] == ["2", "1", "0"]  # TP, FP, FN
