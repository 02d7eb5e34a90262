"""The score of the NeurIPS 2022 cell segmentation challenge (Ma et al., Nature Methods 2024)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .assignment import assign
from .label_overlaps import Overlaps, check_labels, overlaps
from .metrics import Matching

#: Objects with a pixel in this many first or last rows or columns do not count.
BORDER = 2
#: Images with at least this many values are scored window by window.
LARGE_IMAGE = 25_000_000
#: Side of a window, in pixels.
WINDOW = 2000


def neurips_score(
    y_true: NDArray[Any], y_pred: NDArray[Any] | None, thresholds: tuple[float, ...] = (0.5,)
) -> tuple[Matching, ...]:
    """Score one image as the challenge's organisers do.

    Objects with a pixel in the first two or last two rows or columns are left out, in truth and prediction each on
    its own. The rest is matched one to one, IoU >= threshold. An image of 25 million pixels or more is padded with
    background to a multiple of 2000 in each direction and cut into windows of 2000 x 2000, each handled like an image;
    their counts are added up.

    Parameters
    ----------
    y_true : (height, width) integer array
        True label image; ids need not be consecutive.
    y_pred : (height, width) integer array or None
        Predicted label image. None: there is no prediction, so everything is missed and the score is 0.
    thresholds : tuple of float
        IoU from which on a pair can match; the challenge ranks by 0.5.

    Returns
    -------
    tuple of Matching
        One per threshold; counts of the objects that count, of a large image summed over its windows. F1 is 0 where
        nothing matches, also if there is nothing to find and nothing is found.

    Raises
    ------
    DataError
        For arrays that are not two-dimensional label images, or of different shapes.

    Notes
    -----
    The organisers' script casts the prediction's ids to the type of the true label image when the image is large, and
    rounds each F1 to four digits; here ids never wrap and nothing is rounded.
    """
    if y_pred is None:
        y_pred = np.broadcast_to(np.zeros((), np.uint8), np.shape(y_true))
    check_labels(y_true, y_pred)
    if y_true.ndim != 2:
        raise DataError(f"expected label images with axes (y, x), got shape {y_true.shape}")
    tables = [_inner_overlaps(*window) for window in _windows(y_true, y_pred)]
    return tuple(_score(tables, thresh) for thresh in thresholds)


def _windows(
    y_true: NDArray[Any], y_pred: NDArray[Any]
) -> Iterator[tuple[NDArray[Any], NDArray[Any], tuple[int, int]]]:
    """The parts that are scored on their own, each with the shape that it has after padding.

    Padding adds background only, so the pixels themselves are not padded here.
    """
    if y_true.size < LARGE_IMAGE:
        yield y_true, y_pred, y_true.shape
        return
    for y in range(0, y_true.shape[0], WINDOW):
        for x in range(0, y_true.shape[1], WINDOW):
            part = slice(y, y + WINDOW), slice(x, x + WINDOW)
            yield y_true[part], y_pred[part], (WINDOW, WINDOW)


def _inner_overlaps(y_true: NDArray[Any], y_pred: NDArray[Any], shape: tuple[int, int]) -> Overlaps:
    """Overlaps of the objects that keep away from the border. (Relabelling them would change nothing.)"""
    return overlaps(y_true, y_pred).without(border_labels(y_true, shape), border_labels(y_pred, shape))


def border_labels(labels: NDArray[Any], shape: tuple[int, int] | None = None) -> NDArray[Any]:
    """Ids with a pixel in the first two or last two rows or columns, ascending; 0 may be among them.

    Parameters
    ----------
    labels : (height, width) integer array
        Label image.
    shape : (int, int), optional
        Shape with background added at the bottom and at the right; the last rows and columns are counted there.
    """
    height, width = labels.shape if shape is None else shape
    bottom, right = max(height - BORDER, 0), max(width - BORDER, 0)
    frame = labels[:BORDER], labels[bottom:], labels[:, :BORDER], labels[:, right:]
    return np.unique(np.concatenate([part.ravel() for part in frame]))


def _score(tables: list[Overlaps], thresh: float) -> Matching:
    tp, matched_score = 0, 0.0
    for table in tables:
        scores = table.scores("iou")
        matched = assign(table.true_index, table.pred_index, scores, thresh)
        tp += len(matched)
        matched_score += float(scores[matched].sum())
    n_true, n_pred = sum(table.n_true for table in tables), sum(table.n_pred for table in tables)
    return Matching.from_counts("iou", thresh, tp, n_true, n_pred, matched_score)
