"""Areas and intersections: shapely, triangle by triangle, and the laws of the plane."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from starpoly.errors import StarpolyError
from starpoly.geometry.overlap import intersection_areas, overlap, polygon_areas
from starpoly.geometry.rays import ray_directions
from starpoly.polygons import StarPolygons

import reference
from support import examples

# coordinates on a coarse lattice: shared vertices and edges, collinear edges, zeros
coarse = st.integers(0, 4).map(float)
seeds = st.integers(0, 2**32 - 1)


def pairs(seed: int, n: int = 50, n_rays: int = 32) -> tuple[StarPolygons, StarPolygons]:
    """Random pairs of polygons near each other, smooth and ragged, large and small."""
    rng = np.random.default_rng(seed)

    def some() -> StarPolygons:
        distances = rng.uniform(2, 20, (n, 1)) * rng.uniform(rng.uniform(0.05, 1, (n, 1)), 1, (n, n_rays))
        return StarPolygons(rng.integers(0, 200, (n, 2)) / 8, distances, np.zeros(n))

    return some(), some()


def assert_equal_areas(got, expected, a, b, tolerance=1e-12):
    """Equal to ``tolerance`` times the larger polygon's area."""
    scale = np.maximum(polygon_areas(a), polygon_areas(b))
    np.testing.assert_array_less(np.abs(got - expected), tolerance * scale + 1e-300)


@given(seeds, st.sampled_from([3, 4, 5, 8, 32, 33, 128]))
def test_areas_equal_shapely(seed, n_rays):
    shapely = pytest.importorskip("shapely")
    a, b = pairs(seed, n_rays=n_rays)
    outlines = [shapely.polygons(np.moveaxis(polygons.vertices(), 1, 2)) for polygons in (a, b)]
    np.testing.assert_allclose(polygon_areas(a), shapely.area(outlines[0]), rtol=1e-12)
    expected = shapely.area(shapely.intersection(*outlines))
    assert_equal_areas(intersection_areas(a, b), expected, a, b)
    seen = expected > 1e-6 * polygon_areas(a)
    np.testing.assert_allclose(intersection_areas(a, b)[seen], expected[seen], rtol=1e-6)


@given(
    hnp.arrays(float, (2, 2), elements=coarse),
    st.integers(3, 9).flatmap(lambda n_rays: hnp.arrays(float, (2, n_rays), elements=coarse)),
)
def test_degenerate_pairs_equal_the_sum_over_triangles(points, distances):
    pytest.importorskip("shapely")
    both = StarPolygons(points, distances, np.zeros(2))
    a, b = both.take(np.array([0])), both.take(np.array([1]))
    assert intersection_areas(a, b)[0] == pytest.approx(reference.intersection_area(a, b), abs=1e-9)


@pytest.mark.parametrize("name", [name for name in examples.POLYGONS if len(examples.POLYGONS[name]) > 1])
def test_examples_equal_the_sum_over_triangles(name):
    pytest.importorskip("shapely")
    polygons = examples.POLYGONS[name]
    first, rest = polygons.take(np.array([0])), polygons.take(np.arange(1, min(len(polygons), 5)))
    expected = [reference.intersection_area(first, rest.take(np.array([i]))) for i in range(len(rest))]
    np.testing.assert_allclose(intersection_areas(first, rest), expected, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("apart", 0),
        ("same", 1),
        ("nested", 1),
        ("nested_eccentric", 1),
        ("common_edge", 0),
        ("common_vertex", 0),
        ("half_shared", 0.5),
        ("half", 0),
    ],
)
def test_overlap_of_examples(name, expected):
    polygons = examples.POLYGONS[name]
    a, b = polygons.take(np.array([0])), polygons.take(np.array([1]))
    np.testing.assert_allclose(overlap(a, b), expected, atol=1e-6)


def test_overlap_is_zero_without_area():
    polygons = examples.POLYGONS["no_area"]
    np.testing.assert_allclose(overlap(polygons.take(np.array([2])), polygons), [0, 0, 1], rtol=1e-12)


def test_no_polygons():
    empty = examples.POLYGONS["empty"]
    assert polygon_areas(empty).shape == intersection_areas(empty, empty).shape == (0,)
    assert overlap(examples.POLYGONS["one"], empty).shape == (0,)


@given(seeds)
def test_swapping_gives_the_same_bits(seed):
    a, b = pairs(seed)
    np.testing.assert_array_equal(intersection_areas(a, b), intersection_areas(b, a))


@given(seeds, st.tuples(st.integers(-5000, 5000), st.integers(-5000, 5000)))
def test_whole_pixels_of_shift_give_the_same_bits(seed, offset):
    a, b = pairs(seed)
    np.testing.assert_array_equal(intersection_areas(a.shift(offset), b.shift(offset)), intersection_areas(a, b))


@given(seeds, st.integers(0, 31))
def test_turning_about_the_common_centre_by_rays(seed, turns):
    a, b = pairs(seed)
    b = StarPolygons(a.points, b.distances, b.probabilities)
    turned = [StarPolygons(p.points, np.roll(p.distances, turns, axis=1), p.probabilities) for p in (a, b)]
    np.testing.assert_allclose(polygon_areas(turned[0]), polygon_areas(a), rtol=1e-12)
    np.testing.assert_allclose(intersection_areas(*turned), intersection_areas(a, b), rtol=1e-12)


@given(seeds, st.integers(0, 31))
def test_turning_the_plane_by_rays(seed, turns):
    from starpoly.geometry._kernels_overlap import fill_intersections

    a, b = pairs(seed)
    sin, cos = ray_directions(32)
    turn = np.array([[cos[turns], sin[turns]], [-sin[turns], cos[turns]]])
    out = np.empty(len(a))
    centres = [polygons.points.astype(float) @ turn.T for polygons in (a, b)]
    rolled = [np.roll(polygons.distances, turns, axis=1) for polygons in (a, b)]
    fill_intersections(centres[0], rolled[0], centres[1], rolled[1], sin, cos, out)
    assert_equal_areas(out, intersection_areas(a, b), a, b)


@given(seeds)
def test_mirror(seed):
    a, b = pairs(seed)
    reverse = -np.arange(32)
    mirrored = [StarPolygons(p.points * [-1, 1], p.distances[:, reverse], p.probabilities) for p in (a, b)]
    assert_equal_areas(intersection_areas(*mirrored), intersection_areas(a, b), a, b)


@given(seeds, st.sampled_from([0.25, 2.0, 1024.0]))
def test_scaling(seed, factor):
    a, b = pairs(seed)
    scaled = [StarPolygons(p.points * factor, p.distances * factor, p.probabilities) for p in (a, b)]
    np.testing.assert_allclose(polygon_areas(scaled[0]), factor**2 * polygon_areas(a), rtol=1e-12)
    assert_equal_areas(intersection_areas(*scaled), factor**2 * intersection_areas(a, b), *scaled)


@given(seeds)
def test_never_more_than_the_smaller_polygon(seed):
    a, b = pairs(seed)
    assert (overlap(a, b) <= 1 + 1e-12).all()
    np.testing.assert_allclose(intersection_areas(a, a), polygon_areas(a), rtol=1e-12)


def test_sets_that_do_not_pair_are_refused():
    a, b = examples.POLYGONS["apart"], examples.POLYGONS["no_area"]
    with pytest.raises(StarpolyError, match="equal length"):
        intersection_areas(a, b)
    with pytest.raises(StarpolyError, match="equal numbers of rays"):
        intersection_areas(a, StarPolygons.empty(5))
