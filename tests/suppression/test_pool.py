"""Candidates in memory: places are taken again, and nearness is never told too small."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starpoly.errors import StarpolyError
from starpoly.geometry import _kernels_nms as kernels
from starpoly.polygons import StarPolygons
from starpoly.suppression.pool import CandidatePool, describe
from starpoly.tiling import Box

from support.examples import N_RAYS
from support.suppression import MAX_DISTANCE, SHAPE, random_polygons, seeds


def filled(*parts: StarPolygons) -> CandidatePool:
    pool = CandidatePool(parts[0])
    for part in parts:
        pool.add(part, describe(part, MAX_DISTANCE), np.arange(len(part)))
    return pool


@given(seeds, st.integers(1, 60), st.integers(0, 60))
def test_free_places_are_taken_again(seed, n_first, n_second):
    rng = np.random.default_rng(seed)
    first, second = random_polygons(rng, n_first), random_polygons(rng, n_second)
    pool = filled(first)
    pool.state[pool.is_held] = kernels.KEPT
    pool.release_decided()
    assert pool.n_held == 0
    pool.add(second, describe(second, MAX_DISTANCE), np.arange(n_second))
    assert len(pool.state) <= max(n_first, 1.5 * n_first, n_second)
    held = pool.take(np.flatnonzero(pool.is_held))
    assert np.array_equal(held.points, second.points)
    assert np.array_equal(held.distances, second.distances)


@given(seeds, st.integers(1, 80), st.floats(0, 40))
def test_all_within_reach_of_a_box_are_near(seed, n, reach):
    rng = np.random.default_rng(seed)
    polygons = random_polygons(rng, n)
    y, x = rng.integers(0, SHAPE[0]), rng.integers(0, SHAPE[1])
    box = Box(int(y), int(x), int(y) + 7, int(x) + 5)
    low, high = np.array([box.y0, box.x0]), np.array([box.y1, box.x1])
    away = np.maximum(np.maximum(low - polygons.points, polygons.points - high), 0).max(axis=1)
    pool = filled(polygons)
    near = pool.near([box], reach)[: len(polygons)]
    assert near[away <= reach].all()
    assert not near[away > reach + 2].any()


def test_other_rays_or_classes_are_refused(rng):
    pool = filled(random_polygons(rng, 3))
    with pytest.raises(StarpolyError, match=f"{N_RAYS} rays and 0 class columns .* got 9 and 0"):
        pool.add(StarPolygons.empty(9), np.empty((0, kernels.N_FEATURES)), np.arange(0))
