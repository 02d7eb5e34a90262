"""Labels that expand into the foreground, for objects that are not star-convex.

A star-convex polygon holds the part of an object that its centre sees in a straight line. The rest of a bent object is
foreground without a label. Each such pixel goes to the object that reaches it first on a path within the foreground. The length
of the path is bounded, so a pixel depends on its surroundings alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def expand_labels(labels: NDArray, foreground: NDArray[np.bool_], distance: int) -> NDArray[np.int32]:
    """Expand labels into the free foreground around them.

    In each of ``distance`` steps, all at once, every foreground pixel without a label takes the smallest label of its four
    neighbours. So a pixel depends on no other that is more than ``distance`` away along y or x.

    Parameters
    ----------
    labels : (Y, X) integer
        0 background, 1..n objects; labels outside the foreground stay.
    foreground : (Y, X) bool
    distance : int
        Longest path, in pixels along rows and columns.

    Returns
    -------
    (Y, X) int32

    See Also
    --------
    skimage.segmentation.expand_labels : into the background, by Euclidean distance.
    """
    from ._kernels_label_expansion import expand

    out = np.array(labels, np.int32, order="C")
    expand(out, np.ascontiguousarray(foreground, np.bool_), distance)
    return out
