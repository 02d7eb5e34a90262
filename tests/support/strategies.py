"""What property tests draw from."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from starpoly.polygons import StarPolygons

from support.examples import SEAM

SHAPE = (3 * SEAM, 4 * SEAM)


@st.composite
def polygon_sets(draw) -> StarPolygons:
    """Up to 12 polygons in and around ``SHAPE``; many ties, vertices on pixels, some very large, some without area.

    No two have one centre, as no two points of a grid have: their order would not be defined.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, n_rays = draw(st.integers(0, 12)), draw(st.sampled_from([3, 4, 8, 32]))
    points = rng.uniform(-5, 70, (n, 2))
    distances = rng.uniform(0, 12, (n, n_rays)) * rng.choice([0, 1, 1, 1, 8], (n, 1))
    if draw(st.booleans()):
        points, distances = np.rint(points), np.rint(distances)
    first = np.sort(np.unique(points, axis=0, return_index=True)[1])
    return StarPolygons(points, distances, rng.choice([0.25, 0.5, 0.75], n)).take(first)
