"""Outlines of masks are valid polygons around their largest piece."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from starpoly.geometry.mask_outline import TOLERANCE, mask_outline

masks = arrays.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))


def filled(mask: np.ndarray) -> np.ndarray:
    """The largest piece, connected by edges, without holes: what no background reaches, corners included."""
    pieces, _ = ndimage.label(mask)
    piece = pieces == 1 + np.bincount(pieces.ravel())[1:].argmax()
    outside, _ = ndimage.label(np.pad(~piece, 1, constant_values=True), np.ones((3, 3)))
    return (outside != outside[0, 0])[1:-1, 1:-1]


def smooth(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return ndimage.gaussian_filter(rng.normal(size=rng.integers(5, 50, 2)), rng.uniform(0.7, 4)) > 0


@given(st.one_of(masks, st.integers(0, 10_000).map(smooth)))
def test_outlines_are_valid_and_hold_the_pixels(mask):
    exact, ring = mask_outline(mask, 0), mask_outline(mask)
    if not mask.any():
        assert exact.shape == ring.shape == (0, 2)
        return
    piece = filled(mask)
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]]
    outline, simple = shapely.Polygon(exact), shapely.Polygon(ring)
    np.testing.assert_array_equal(shapely.contains_xy(outline, x + 0.5, y + 0.5), piece)
    assert outline.area == piece.sum() - 0.5  # corners are cut
    for polygon in (outline, simple):
        assert polygon.is_valid
        assert shapely.is_ccw(polygon.exterior)
    assert outline.exterior.hausdorff_distance(simple.exterior) <= TOLERANCE + 1e-9
    assert len(ring) <= len(exact)


@pytest.mark.parametrize(
    ("mask", "ring"),
    [
        ([[1]], [(0.5, 0), (1, 0.5), (0.5, 1), (0, 0.5)]),
        ([[1, 0], [0, 1]], [(0.5, 0), (1, 0.5), (0.5, 1), (0, 0.5)]),  # corners do not connect
    ],
)
def test_single_pixels(mask, ring):
    np.testing.assert_array_equal(mask_outline(np.array(mask, bool), 0), ring)


def test_long_edges_take_few_vertices():
    assert len(mask_outline(np.ones((40, 30), bool))) <= 8
