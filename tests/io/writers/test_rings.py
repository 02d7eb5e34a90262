from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starpoly.io.writers.rings import outlines, ring_area
from starpoly.polygons import StarPolygons

from support.examples import POLYGONS, stars

shapely = pytest.importorskip("shapely", reason="geometry is judged by shapely")

SHAPE = (30, 40)


@st.composite
def polygon_sets(draw) -> StarPolygons:
    """Polygons with their centres in the image; rays of length zero, spikes, large ones."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_rays = draw(st.sampled_from([3, 4, 8, 32, 128]))
    points = np.rint(rng.uniform(0, 1, (5, 2)) * (SHAPE[0] - 1, SHAPE[1] - 1))
    distances = (
        rng.uniform(0, 1, (5, n_rays)) * rng.choice([0, 3, 20, 1000], (5, 1)) * rng.choice([0, 1e-3, 1, 1], (5, n_rays))
    )
    return StarPolygons(points, distances, np.full(5, 0.5))


@given(polygon_sets())
def test_rings_are_simple_and_inside_and_the_cut_star(polygons):
    height, width = SHAPE
    image = shapely.box(0, 0, width, height)
    grown = StarPolygons(polygons.points, np.maximum(polygons.distances, 0.1), polygons.probabilities)
    for ring, vertices in zip(outlines(polygons, SHAPE), grown.vertices(), strict=True):
        polygon = shapely.Polygon(ring)
        assert polygon.is_valid
        assert polygon.within(image)
        assert polygon.area > 0
        assert ring_area(ring) == pytest.approx(polygon.area)
        expected = shapely.Polygon(vertices[::-1].T + 0.5).intersection(image)
        # vertices move by at most half of the last decimal along each axis
        assert polygon.symmetric_difference(expected).area <= 1e-3 * (expected.length + 1)


@pytest.mark.parametrize("name", sorted(set(POLYGONS) - {"border_cut", "one_huge"}))
def test_the_catalogue_has_valid_rings(name):
    rings = list(outlines(POLYGONS[name], (64, 64)))
    assert len(rings) == len(POLYGONS[name])
    assert all(shapely.Polygon(ring).is_valid for ring in rings)


def test_the_origin_is_the_corner_of_the_image():
    (ring,) = outlines(stars((3, 10, 2)), SHAPE)
    assert ring[0].tolist() == [12.5, 3.5]
    assert ring[2].tolist() == [10.5, 5.5]


def test_a_polygon_outside_has_no_ring():
    inside, outside = outlines(stars((3, 3, 2), (50, 3, 4)), SHAPE)
    assert len(inside) == 8
    assert outside.shape == (0, 2)
