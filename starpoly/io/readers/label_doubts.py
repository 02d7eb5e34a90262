"""Label images that look like something else: a foreground mask, a class map, a photograph."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...errors import warn

#: Share of an object's pixels outside its largest piece, above which the object is in several pieces.
_ELSEWHERE = 0.1
#: The same where there is one object only: what a mask of one large clump and a few small objects has.
_ELSEWHERE_OF_ONE = 0.02
#: Share of objects in several pieces, from which on the ids are no objects.
_SCATTERED = 0.05
#: An image taken for labels: so many ids, of so few pixels each (in the median).
_MANY_IDS, _FEW_PIXELS = 200, 3
#: Share of each border that a background covers, and the side of images, in pixels, in which one object may do so, too.
_LEAST_BORDER, _LEAST_SIDE = 0.25, 64


def warn_of_doubts(labels: NDArray, name: object) -> None:
    """Warn if :func:`doubt_labels` finds something; ``name`` is that of the image.

    Warns
    -----
    StarpolyWarning
    """
    if doubt := doubt_labels(labels):
        warn(f"{name}: {doubt}", stacklevel=3)


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
    ids, areas, largest = _pieces(labels)
    n = len(ids)
    if not n:
        return ""
    if n >= _MANY_IDS and np.median(largest) <= _FEW_PIXELS and (labels > 0).mean() > 0.5:
        return (
            f"expected a label image, got {n} ids of which half have at most {int(np.median(largest))} connected pixels; "
            "is this the image itself?"
        )
    if background := _background(labels, ids, areas):
        return (
            f"label {background} covers {100 * areas[ids == background][0] / labels.size:.0f} % of the image and reaches all of its "
            "borders; is it the background, or the mask inverted? The background is 0"
        )
    share = _ELSEWHERE if n > 1 else _ELSEWHERE_OF_ONE
    scattered = int((areas - largest > share * areas).sum())
    if n == 1 and scattered:
        return (
            f"expected one id per object, got the single id {ids[0]} in several pieces: a foreground mask; "
            "label its connected components first (scipy.ndimage.label)"
        )
    if scattered > (0 if n <= 3 else max(1, _SCATTERED * n)):
        return (
            f"{scattered} of {n} objects are in several pieces; expected one id per object "
            "(label connected components first if this is a foreground mask; is it the image itself?)"
        )
    return ""


def _background(labels: NDArray, ids: NDArray, areas: NDArray) -> int:
    """The label that lies where a background does: over half of the image, at each of its borders; 0 if there is none."""
    commonest = int(np.argmax(areas))
    if areas[commonest] <= labels.size / 2 or min(labels.shape) < _LEAST_SIDE:
        return 0
    borders = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
    covered = [(border == ids[commonest]).mean() for border in borders]
    return int(ids[commonest]) if min(covered) > _LEAST_BORDER else 0


def _pieces(labels: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """The ids, and for each its pixels and those of its largest piece."""
    from skimage.measure import label

    ids, flat = np.unique(np.maximum(labels, 0), return_inverse=True)
    number = flat.reshape(labels.shape) + int(ids[0] > 0)  # 0 is background, whether there is any or not
    ids = ids[ids > 0]
    pieces = label(number, connectivity=2)
    sizes = np.bincount(pieces.ravel())[1:]
    owner = np.zeros(len(sizes) + 1, np.int64)
    owner[pieces] = number
    largest = np.zeros(len(ids) + 1, np.int64)
    np.maximum.at(largest, owner[1:], sizes)
    areas = np.bincount(number.ravel(), minlength=len(ids) + 1)
    return ids, areas[1:], largest[1:]
