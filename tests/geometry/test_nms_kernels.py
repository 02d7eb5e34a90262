"""Bounds that decide conflicts, against exact areas."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from starpoly.geometry.overlap import intersection_areas, polygon_areas
from starpoly.geometry.rays import ray_directions
from starpoly.polygons import StarPolygons

import reference
from support.examples import N_RAYS
from support.suppression import (
    random_polygons,
    seeds,
    thresholds,
)


def wide_pairs(seed: int, n: int, n_rays: int) -> tuple[StarPolygons, StarPolygons]:
    """Pairs of stars, smooth to spiky, of like to very unlike size, whose centres are near or far."""
    rng = np.random.default_rng(seed)

    def some() -> np.ndarray:
        radii = 10.0 ** rng.uniform(-1, 2.5, (n, 1))
        return radii * rng.uniform(rng.uniform(0, 1, (n, 1)), 1, (n, n_rays))

    d0, d1 = some(), some()
    alike = rng.random(n) < 0.5
    d1[alike] = d0[alike] * rng.uniform(0.8, 1.2, (alike.sum(), n_rays))
    reach = (d0.max(1) + d1.max(1)) * rng.random(n) ** 2
    angle = rng.uniform(0, 2 * np.pi, n)
    points = rng.uniform(0, 1e4, (n, 2))
    moved = points + reach[:, None] * np.stack([np.sin(angle), np.cos(angle)], 1)
    return StarPolygons(points, d0, np.ones(n)), StarPolygons(moved, d1, np.ones(n))


@given(seeds, st.sampled_from([3, 4, 8, 32]), thresholds)
@example(0, 32, 0.4)
def test_short_cuts_decide_as_the_area_does(seed, n_rays, threshold):
    from starpoly.geometry import _kernels_nms as kernels

    a, b = wide_pairs(seed, 200, n_rays)
    both = StarPolygons.concatenate([a, b])
    directions = ray_directions(n_rays)
    features = np.empty((400, kernels.N_FEATURES))
    assert kernels.describe(both.distances, *directions, features)
    ratio = intersection_areas(a, b) / np.minimum(polygon_areas(a), polygon_areas(b))
    for k in range(200):
        settings = (both.points, both.distances, features, threshold, *directions)
        got = kernels.conflict(k, k + 200, *settings)
        assert got == kernels.conflict(k + 200, k, *settings)
        assert got or not kernels.surely_conflict(k, k + 200, *settings)
        if abs(ratio[k] - threshold) > 1e-6:
            assert got == (ratio[k] > threshold)


@given(seeds, st.sampled_from([3, 5, 8, 32]))
def test_bounds_hold(seed, n_rays):
    from starpoly.geometry import _kernels_nms as kernels

    a, b = wide_pairs(seed, 200, n_rays)
    sin, cos = ray_directions(n_rays)
    areas = intersection_areas(a, b)
    features = np.empty((200, kernels.N_FEATURES))
    kernels.describe(b.distances, sin, cos, features)
    for k, area in enumerate(areas):
        dy, dx = b.points[k].astype(float) - a.points[k].astype(float)
        gap, pair = math.hypot(dy, dx), (a.distances[k], b.distances[k], sin, cos)
        margin = 1e-9 * area + 1e-13 * float(max(a.distances[k].max(), b.distances[k].max())) ** 2
        radius = features[k, kernels.OUTER]
        assert kernels._radial_bound(dy, dx, *pair, radius, math.inf) <= area + margin
        trimmed = kernels._trim(dy, dx, b.distances[k], sin, cos, radius)
        assert ((trimmed >= 0) & (trimmed <= b.distances[k])).all()
        assert kernels._radial_bound(dy, dx, a.distances[k], trimmed, sin, cos, radius, math.inf) <= area + margin
        assert gap == 0 or kernels._oriented_box(dy, dx, gap, *pair) >= area - margin
        loss = abs(dy) * features[k, kernels.EXTENT_X] + abs(dx) * features[k, kernels.EXTENT_Y]
        assert kernels._common_star(a.distances[k], b.distances[k], sin[1]) - loss <= area + margin


def test_radial_bound_is_tight_where_it_matters():
    from starpoly.geometry import _kernels_nms as kernels

    sin, cos = ray_directions(32)
    disc = np.full(32, 10, np.float32)
    polygon = StarPolygons([(0, 0)], disc[None], [1])
    area = intersection_areas(polygon, polygon.shift((2, 3)))[0]
    bound = kernels._radial_bound(2.0, 3.0, disc, disc, sin, cos, 10.0, math.inf)
    assert 0.97 * area < bound <= area


def test_what_a_spike_hides_is_trimmed():
    from starpoly.geometry import _kernels_nms as kernels

    sin, cos = ray_directions(32)
    disc, spiky = np.full(32, 10, np.float32), np.full(32, 10, np.float32)
    spiky[8] = 15  # its flank is seen from behind, from further along
    polygons = StarPolygons([(0, 6), (0, 0)], np.stack([disc, spiky]), [1, 1])
    area = intersection_areas(polygons.take([0]), polygons.take([1]))[0]
    pair = (0.0, -6.0, disc)
    assert kernels._radial_bound(*pair, spiky, sin, cos, 15.0, math.inf) == 0
    trimmed = kernels._trim(0.0, -6.0, spiky, sin, cos, 15.0)
    assert 0.9 * area < kernels._radial_bound(*pair, trimmed, sin, cos, 15.0, math.inf) <= area


def test_described_discs_and_boxes_hold(rng):
    from shapely.geometry import Point

    from starpoly.geometry import _kernels_nms as kernels

    polygons = random_polygons(rng, 30)
    features = np.empty((30, kernels.N_FEATURES))
    assert kernels.describe(polygons.distances, *ray_directions(N_RAYS), features)
    assert features[:, kernels.AREA] == pytest.approx(polygon_areas(polygons))
    for k in np.flatnonzero(features[:, kernels.AREA] > 0):
        (y, x), shape = polygons.points[k], reference.outline(polygons.take(np.array([k])))
        top, _, bottom, right = shape.bounds
        assert y + features[k, kernels.TOP] <= top + 1e-4
        assert y + features[k, kernels.BOTTOM] >= bottom - 1e-4
        assert x + features[k, kernels.RIGHT] >= right - 1e-4
        disc = Point(y, x).buffer(0.999 * features[k, kernels.INNER])
        assert disc.difference(shape).area < 1e-6
