"""Label images: objects with holes, of several pieces, of one pixel, at borders."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from scipy import ndimage

RING = np.ones((7, 8), int)
RING[2:5, 2:6] = 0
TOUCHING = np.zeros((6, 9), int)
TOUCHING[2:4, 1:4], TOUCHING[2:5, 4:7] = 1, 2

NAMED: dict[str, np.ndarray] = {
    "one pixel": np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
    "only one pixel": np.array([[1]]),
    "a row": np.array([[1, 1, 1, 1]]),
    "a column": np.array([[1], [1], [1]]),
    "a diagonal": np.eye(6, dtype=int),
    "two pieces": np.array([[1, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 1, 1]]),
    "pieces with a gap of rows": np.array([[0, 1, 0], [0, 0, 0], [0, 0, 0], [1, 0, 0]]),
    "hole": RING,
    "within another": np.where(RING == 0, 2, RING),
    "touching": TOUCHING,
    "gap in the ids": np.where(TOUCHING == 2, 5, TOUCHING),
}


@st.composite
def label_images(draw) -> np.ndarray:
    """Small label images: noise, or smooth shapes with holes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.tuples(st.integers(1, 18), st.integers(1, 18)))
    if draw(st.booleans()):
        return rng.integers(0, draw(st.integers(1, 5)), shape)
    return ndimage.label(ndimage.gaussian_filter(rng.normal(size=shape), draw(st.floats(0.5, 4))) > 0)[0]
