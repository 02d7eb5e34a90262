"""Labels that spread over the foreground: objects that are no stars.

A star-convex polygon holds what can be seen from its centre in a straight line. The rest of a bent object is foreground that
touches the polygon and belongs to no other. It goes to the object from which it is reached first on a way within the foreground, so that masks take
any shape; how far they may go is bounded, and so what a pixel becomes depends on its surroundings alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def spread_labels(labels: NDArray, foreground: NDArray[np.bool_], steps: int) -> NDArray[np.int32]:
    """Labels, each of which has taken the free foreground that it reaches first.

    In each step, all at once, every pixel of the foreground without a label takes the smallest label among its four neighbours
    above, below, left and right. So pixels outside of a box have an influence on those inside only if at most ``steps`` away from it.

    Parameters
    ----------
    labels : (Y, X) integer
        0 background, 1..n objects; those outside the foreground stay.
    foreground : (Y, X) bool
    steps : int
        How many pixels an object may grow, on a way along rows and columns.

    Returns
    -------
    (Y, X) int32
    """
    from ._kernels_label_expansion import spread

    out = np.array(labels, np.int32, order="C")
    spread(out, np.ascontiguousarray(foreground, np.bool_), steps)
    return out
