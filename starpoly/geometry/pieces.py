"""Objects in one piece: which pixels of a label image lie apart from the largest piece of their label.

A polygon may fall apart where better-scored ones cover its middle, or where it is thinner than a pixel. The rule: of the
pieces connected by pixel edges the largest stays, of equally large ones the first by row, then column. It looks at the pixels of one label alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def lost_pieces(labels: NDArray) -> NDArray[np.int64]:
    """The pixels outside the largest piece of their label, as runs along rows.

    Parameters
    ----------
    labels : (Y, X) integer
        0 background, 1..n objects.

    Returns
    -------
    (n_runs, 4) int64
        Row, first column, column after the last, label; from top to bottom, left to right.

    See Also
    --------
    skimage.measure.label : gives every piece a number, at about ten times the cost.
    """
    from ._kernels_pieces import runs_beside_largest

    labels = np.ascontiguousarray(labels)
    return runs_beside_largest(labels, int(labels.max(initial=0)))
