"""Label images that look like something else: a foreground mask, a class map, a photograph."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Share of an object's pixels in its second largest piece, from which on the object is in several pieces.
_SECOND_PIECE = 0.1
#: Share of objects in several pieces, from which on the ids are no objects.
_SCATTERED = 0.05
#: An image taken for labels: so many ids, of so few pixels each (in the median).
_MANY_IDS, _FEW_PIXELS = 200, 3


def doubt_labels(labels: NDArray) -> str:
    """What speaks against an image being labels of objects; empty if nothing does.

    Parameters
    ----------
    labels : (Y, X) integer array
        Background and ignored pixels are 0 or less.

    Returns
    -------
    str
        For a message, with the remedy.
    """
    ids, areas, largest, second = _pieces(labels)
    n = len(ids)
    if not n:
        return ""
    if n >= _MANY_IDS and np.median(largest) <= _FEW_PIXELS and (labels > 0).mean() > 0.5:
        return (
            f"expected a label image, got {n} ids of which half have at most {int(np.median(largest))} connected pixels; "
            "is this the image itself?"
        )
    scattered = int((second > _SECOND_PIECE * areas).sum())
    if n == 1 and scattered:
        return (
            f"expected one id per object, got the single id {ids[0]} in several pieces: a foreground mask; "
            "label its connected components first (scipy.ndimage.label)"
        )
    if scattered > (0 if n <= 3 else max(1, _SCATTERED * n)):
        return (
            f"{scattered} of {n} objects are in several pieces; expected one id per object "
            "(label connected components first if this is a foreground mask)"
        )
    return ""


def _pieces(labels: NDArray) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """The ids, and for each its pixels, those of its largest piece and those of the second largest (0 if there is one)."""
    from skimage.measure import label

    ids, flat = np.unique(np.maximum(labels, 0), return_inverse=True)
    number = flat.reshape(labels.shape) + int(ids[0] > 0)  # 0 is background, whether there is any or not
    ids = ids[ids > 0]
    pieces = label(number, connectivity=2)
    sizes = np.bincount(pieces.ravel())[1:]
    owner = np.zeros(len(sizes) + 1, np.int64)
    owner[pieces] = number
    order = np.lexsort((-sizes, owner[1:]))
    starts = np.searchsorted(owner[1:][order], np.arange(1, len(ids) + 1))
    counts = np.bincount(owner[1:], minlength=len(ids) + 1)[1:]
    areas = np.bincount(number.ravel(), minlength=len(ids) + 1)[1:]
    largest = sizes[order[starts]]
    second = np.where(counts > 1, sizes[order[np.minimum(starts + 1, len(order) - 1)]], 0)
    return ids, areas, largest, second
