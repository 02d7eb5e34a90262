"""How deep inside its object each pixel lies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def boundary_probability(labels: NDArray) -> NDArray[np.float32]:
    """Normalised Euclidean distance to the boundary of each object.

    The distance of every pixel to the nearest pixel outside its object, divided by the largest such
    distance in the object (StarDist's object probability, Schmidt et al. 2018). The image's border
    is no boundary: an object may go on beyond it.

    Parameters
    ----------
    labels : (Y, X) integer
        0 background, > 0 objects, < 0 ignored.

    Returns
    -------
    (Y, X) float32
        In [0, 1]; 0 outside objects, 1 everywhere if an object fills the image.
    """
    from . import _kernels_boundary as kernels

    out = np.zeros(labels.shape, np.float32)
    if labels.size == 0:
        return out
    positive = np.maximum(labels, 0)
    if positive.max() > labels.size:
        # ids of any size, as numbers up to that of the objects; background stays 0
        positive = np.unique(np.append(positive.ravel(), 0), return_inverse=True)[1][:-1].reshape(labels.shape)
    positive = np.ascontiguousarray(positive, np.int32)
    in_row = np.empty(labels.shape, np.int32)
    kernels.along_rows(positive, in_row)
    largest = np.zeros(int(positive.max()) + 1, np.int64)
    kernels.normalized(positive, in_row, largest, np.empty(labels.shape, np.int64), out)
    return out
