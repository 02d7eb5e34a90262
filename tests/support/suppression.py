"""Random candidates and regions for tests of suppression."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from starpoly.polygons import StarPolygons
from starpoly.tiling import Box

from support.examples import N_RAYS

SHAPE = (60, 80)

MAX_DISTANCE = 15.0


def random_polygons(rng: np.random.Generator, n: int, *, shape=SHAPE, largest=MAX_DISTANCE) -> StarPolygons:
    """Rough stars of all sizes at distinct pixels; few probabilities, so that ties abound."""
    places = rng.choice(shape[0] * shape[1], n, replace=False)
    radii = largest * rng.uniform(0.05, 1, (n, 1)) ** 2
    distances = radii * rng.uniform(rng.uniform(0.1, 0.9), 1, (n, N_RAYS))
    distances[rng.random(n) < 0.05] = 0
    distances[rng.random((n, N_RAYS)) < 0.02] = 0
    points = np.stack(np.unravel_index(places, shape), axis=1)
    return StarPolygons(points, distances, rng.integers(1, 8, n) / 8)


def random_regions(rng: np.random.Generator, box: Box, n_cuts: int) -> list[Box]:
    """Guillotine cuts of a box, in random order; some pieces may be empty."""
    regions = [box]
    for _ in range(n_cuts):
        b = regions.pop(rng.integers(len(regions)))
        if rng.random() < 0.5:
            cut = int(rng.integers(b.y0, b.y1 + 1))
            regions += [Box(b.y0, b.x0, cut, b.x1), Box(cut, b.x0, b.y1, b.x1)]
        else:
            cut = int(rng.integers(b.x0, b.x1 + 1))
            regions += [Box(b.y0, b.x0, b.y1, cut), Box(b.y0, cut, b.y1, b.x1)]
    return [regions[i] for i in rng.permutation(len(regions))]


def within(polygons: StarPolygons, region: Box) -> StarPolygons:
    y, x = polygons.points.T
    return polygons.take((y >= region.y0) & (y < region.y1) & (x >= region.x0) & (x < region.x1))


def assert_same(a: StarPolygons, b: StarPolygons) -> None:
    assert np.array_equal(a.points, b.points)
    assert np.array_equal(a.distances, b.distances)
    assert np.array_equal(a.probabilities, b.probabilities)


seeds = st.integers(0, 2**32 - 1)

thresholds = st.sampled_from([0.0, 0.1, 0.3, 0.4, 0.5, 0.7, 0.9, 1.0])
