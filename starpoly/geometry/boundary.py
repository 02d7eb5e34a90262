"""Distance of pixels to the boundary of their object."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def boundary_probability(labels: NDArray, grid: tuple[int, int] = (1, 1)) -> NDArray[np.float32]:
    """Normalised Euclidean distance to the boundary of each object.

    The distance of every pixel to the nearest pixel outside its object, divided by the largest such
    distance in the object (StarDist's object probability, Schmidt et al. 2018). The image's border
    is no boundary: an object may continue beyond it.

    Parameters
    ----------
    labels : (Y, X) integer
        0 background, > 0 objects, < 0 ignored.
    grid : (int, int)
        Only every ``grid[0]``-th row and ``grid[1]``-th column, from pixel (0, 0), is computed.

    Returns
    -------
    (ceil(Y / grid[0]), ceil(X / grid[1])) float32
        In [0, 1]; 0 outside objects, 1 everywhere if an object fills the image.
    """
    from . import _kernels_boundary as kernels

    out = np.zeros((-(-labels.shape[0] // grid[0]), -(-labels.shape[1] // grid[1])), np.float32)
    if labels.size == 0:
        return out
    if not np.can_cast(labels.dtype, np.int32) or labels.max() > labels.size:
        # ids of any size become 1..n; background stays 0
        positive = np.maximum(labels, 0)
        labels = np.unique(np.append(positive.ravel(), 0), return_inverse=True)[1][:-1].reshape(labels.shape)
    labels = np.ascontiguousarray(labels, np.int32)
    in_column = np.empty(labels.shape, np.int32)
    kernels.along_columns(labels, in_column)
    largest = np.zeros(max(int(labels.max()), 0) + 1)
    kernels.normalized(labels, in_column, *grid, largest, np.empty(out.shape), out)
    return out
