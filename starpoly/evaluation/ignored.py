"""Pixels that masks leave open, with a negative number: what is found there is neither right nor wrong."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def is_ignored(y_true: NDArray, y_pred: NDArray, n: int) -> NDArray[np.bool_]:
    """Which predicted objects have more than half of their pixels where the truth is negative.

    Parameters
    ----------
    y_true : (height, width) integer array
        0 background, > 0 objects, < 0 ignored.
    y_pred : (height, width) integer array
        0 background, ids 1..n.
    n : int

    Returns
    -------
    (n + 1,) bool
        By id; that of the background is False.
    """
    flat = np.ravel(y_pred).astype(np.intp)
    within = np.bincount(flat[np.ravel(y_true) < 0], minlength=n + 1)
    ignored = 2 * within > np.bincount(flat, minlength=n + 1)
    ignored[0] = False
    return ignored


def without_ignored(y_true: NDArray, y_pred: NDArray) -> tuple[NDArray, NDArray]:
    """Both label images without what is ignored: such objects are gone, and so are the other objects' pixels there.

    Parameters
    ----------
    y_true : (height, width) integer array
        0 background, > 0 objects, < 0 ignored.
    y_pred : (height, width) integer array
        0 background, > 0 objects.

    Returns
    -------
    y_true, y_pred : (height, width) integer arrays
        The same objects if nothing is ignored.
    """
    open_pixels = y_true < 0
    if not open_pixels.any():
        return y_true, y_pred
    ids, numbers = np.unique(y_pred, return_inverse=True)
    numbers = numbers.reshape(y_pred.shape) + int(ids[0] != 0)
    gone = open_pixels | is_ignored(y_true, numbers, len(ids))[numbers]
    return np.where(open_pixels, 0, y_true), np.where(gone, 0, y_pred)
