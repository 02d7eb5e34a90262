"""Outlines that end where the foreground ends: agrees with the plain way, and cannot be fooled by tiles or borders."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from starpoly.geometry.outline_refinement import refine_outlines
from starpoly.geometry.rasterize import render_labels
from starpoly.polygons import StarPolygons

import reference

N_RAYS = 32


def disk(radius: float, at: tuple[float, float] = (40, 40), side: int = 81) -> np.ndarray:
    y, x = np.mgrid[:side, :side]
    return (np.hypot(y - at[0], x - at[1]) < radius).astype(np.float32)


def refined(foreground: np.ndarray, distance: float, at: tuple[int, int] = (40, 40), **settings) -> np.ndarray:
    distances = np.full((1, N_RAYS), distance, np.float32)
    return refine_outlines(distances, np.array([at[0]]), np.array([at[1]]), foreground.astype(np.float32), **settings)[
        0
    ]


@given(seed=st.integers(0, 199), reach=st.sampled_from([6.0, 64.0]), search=st.sampled_from([(2.0, 0.15), (3.3, 0.4)]))
def test_agrees_with_interpolation_by_scipy(seed, reach, search):
    rng = np.random.default_rng(seed)
    foreground = ndimage.gaussian_filter(rng.random((30, 34)), rng.uniform(0.5, 2)).astype(np.float32)
    rows, columns = rng.integers(0, 30, 6), rng.integers(0, 34, 6)
    distances = rng.uniform(0.5, 9, (6, N_RAYS)).astype(np.float32)
    fast = refine_outlines(distances, rows, columns, foreground, search=search, reach=reach)
    slow = reference.refine_outlines(distances, rows, columns, foreground, search, reach)
    # two falls may be equally near but for rounding
    assert np.isclose(fast, slow, atol=1e-4).mean() > 0.999


@pytest.mark.parametrize("predicted", [17.0, 20.0, 22.5])
def test_a_disk_told_too_small_or_too_large_becomes_the_disk(predicted):
    foreground = disk(20)
    distances = refined(foreground, predicted)
    polygon = StarPolygons(np.array([[40, 40]], np.float32), distances[None], np.ones(1, np.float32))
    drawn = render_labels(polygon, foreground.shape) > 0
    assert (drawn & (foreground > 0)).sum() / (drawn | (foreground > 0)).sum() > 0.98


def test_what_is_too_far_from_the_prediction_is_not_taken():
    np.testing.assert_array_equal(refined(disk(20), 10.0), np.float32(10))


def test_touching_objects_keep_the_ends_that_the_rays_tell():
    foreground = np.maximum(disk(15, (40, 26)), disk(15, (40, 54)))
    distances = refined(foreground, 13.5, (40, 26))
    # to the right the neighbour begins: no end of the foreground
    assert distances[0] == np.float32(13.5)
    assert distances[N_RAYS // 2] == pytest.approx(14.5, abs=0.6)


def test_at_the_border_of_the_image_the_foreground_goes_on():
    distances = refined(disk(20, (5, 40)), 19.0, (5, 40))
    up, down = distances[3 * N_RAYS // 4], distances[N_RAYS // 4]
    assert up == 19.0
    assert down == pytest.approx(19.5, abs=0.6)


def test_of_two_ends_the_nearest_counts():
    foreground = disk(20)
    foreground[:, 58:60], foreground[:, 60:63] = 0, 1
    assert refined(foreground, 19.0)[0] == pytest.approx(17.5, abs=0.1)
    assert refined(foreground, 21.5)[0] == pytest.approx(22.5, abs=0.1)


def test_same_bits_wherever_the_window_lies():
    rng = np.random.default_rng(1)
    foreground = ndimage.gaussian_filter(rng.random((60, 60)), 1).astype(np.float32)
    distances = rng.uniform(2, 8, (1, N_RAYS)).astype(np.float32)
    whole = refine_outlines(distances, np.array([31]), np.array([29]), foreground)
    part = refine_outlines(distances, np.array([20]), np.array([20]), foreground[11:52, 9:50])
    np.testing.assert_array_equal(whole, part)


def test_rows_beyond_the_image_are_not_looked_at():
    foreground = disk(20)
    foreground[50:] = np.nan
    assert np.isfinite(
        refine_outlines(
            np.full((1, N_RAYS), 15, np.float32), np.array([40]), np.array([40]), foreground, shape=(50, 81)
        )
    ).all()


def test_no_polygons():
    assert refine_outlines(np.empty((0, N_RAYS), np.float32), np.empty(0, int), np.empty(0, int), disk(5)).shape == (
        0,
        N_RAYS,
    )
