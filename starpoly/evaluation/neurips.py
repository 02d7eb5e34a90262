"""Score of the NeurIPS 2022 cell segmentation challenge (Ma et al., Nature Methods 2024)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .assignment import assign
from .label_overlaps import Overlaps, check_labels, overlaps
from .metrics import Matching

#: Border width in rows and columns. Objects with a pixel there are excluded.
BORDER = 2
#: Number of values from which on an image is scored window by window.
LARGE_IMAGE = 25_000_000
#: Side of a window, in pixels.
WINDOW = 2000


def neurips_score(
    y_true: NDArray[Any], y_pred: NDArray[Any] | None, thresholds: tuple[float, ...] = (0.5,)
) -> tuple[Matching, ...]:
    """Score one image by the challenge's rules.

    Objects with a pixel in the first or last two rows or columns are excluded, separately in truth and prediction. The
    rest is matched one to one, IoU >= threshold. Images of 25 million pixels or more are padded with background to
    multiples of 2000 and cut into windows of 2000 x 2000. Each window is scored like an image; counts are summed.

    Parameters
    ----------
    y_true : (height, width) integer array
        True label image; ids need not be consecutive.
    y_pred : (height, width) integer array or None
        Predicted label image. None: no prediction, so all objects are missed and the score is 0.
    thresholds : tuple of float
        Smallest IoU of a match. The challenge ranks by 0.5.

    Returns
    -------
    tuple of Matching
        One per threshold, with counts summed over windows. F1 is 0 without matches, even if truth and prediction are
        both empty.

    Raises
    ------
    DataError
        If an array is no two-dimensional label image, or the shapes differ.

    Notes
    -----
    For large images, the organisers' script casts predicted ids to the dtype of the true labels, and it rounds each F1
    to four digits. Here ids never wrap and nothing is rounded.
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
    """The windows to score, each with its padded shape.

    Padding only adds background, so the pixels are not padded here.
    """
    if y_true.size < LARGE_IMAGE:
        yield y_true, y_pred, y_true.shape
        return
    for y in range(0, y_true.shape[0], WINDOW):
        for x in range(0, y_true.shape[1], WINDOW):
            part = slice(y, y + WINDOW), slice(x, x + WINDOW)
            yield y_true[part], y_pred[part], (WINDOW, WINDOW)


def _inner_overlaps(y_true: NDArray[Any], y_pred: NDArray[Any], shape: tuple[int, int]) -> Overlaps:
    """Overlaps of the objects away from the border. (Relabelling would not change them.)"""
    return overlaps(y_true, y_pred).without(border_labels(y_true, shape), border_labels(y_pred, shape))


def border_labels(labels: NDArray[Any], shape: tuple[int, int] | None = None) -> NDArray[Any]:
    """Ids with a pixel in the first two or last two rows or columns, ascending; 0 may be among them.

    Parameters
    ----------
    labels : (height, width) integer array
        Label image.
    shape : (int, int), optional
        Shape after padding at the bottom and right. It determines the last rows and columns.
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
