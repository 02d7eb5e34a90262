"""Context along the rays: agrees with the plain way, and cannot be fooled by tiles or borders."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starpoly.errors import StarpolyError
from starpoly.geometry.distances import ray_distances
from starpoly.geometry.ray_context import ray_context

import reference


@given(
    seed=st.integers(0, 99),
    grid=st.sampled_from([(1, 1), (2, 2), (1, 4)]),
    fractions=st.sampled_from([(0.5,), (0.3, 0.6), (0.2, 0.4, 0.9)]),
    reach=st.sampled_from([3.0, 48.0]),
)
def test_agrees_with_interpolation_by_scipy(seed, grid, fractions, reach):
    rng = np.random.default_rng(seed)
    field = rng.uniform(0, 20, (9, 12, 8)).astype(np.float32)
    rows, columns = rng.integers(0, 9, 5), rng.integers(0, 12, 5)
    fast = ray_context(field, rows, columns, grid, fractions, reach=reach)
    slow = reference.ray_context(field, rows, columns, grid, fractions, reach)
    np.testing.assert_allclose(fast, slow, rtol=1e-5)


def test_perfect_distances_of_a_disk_stay_what_they_are():
    y, x = np.mgrid[:81, :81]
    field = ray_distances(np.hypot(y - 40, x - 40) < 30, 16)
    again = ray_context(field, [40], [40], (1, 1), (0.3, 0.6))
    np.testing.assert_allclose(again, field[40:41, 40], atol=0.6)


def test_noise_of_the_centre_is_averaged_out():
    y, x = np.mgrid[:81, :81]
    field = ray_distances(np.hypot(y - 40, x - 40) < 30, 32)
    truth = field[40, 40].copy()
    field += np.random.default_rng(0).normal(0, 2, field.shape).astype(np.float32)
    again = ray_context(field, [40], [40], (1, 1), (0.3, 0.6))
    assert np.abs(again - truth).mean() < 0.75 * np.abs(field[40, 40] - truth).mean()


def test_same_bits_wherever_the_window_lies():
    field = np.random.default_rng(1).uniform(0, 6, (40, 40, 8)).astype(np.float32)
    whole = ray_context(field, [21], [22], (1, 1), (0.3, 0.6))
    window = ray_context(field[10:35, 11:36], [11], [11], (1, 1), (0.3, 0.6))
    np.testing.assert_array_equal(whole, window)


def test_rows_beyond_the_image_are_not_looked_at():
    field = np.full((10, 10, 8), 5, np.float32)
    field[6:] = np.nan
    assert np.isfinite(ray_context(field, [5], [5], (1, 1), (0.9,), shape=(6, 10))).all()


@pytest.mark.parametrize("fraction", [0, 1, -0.5])
def test_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(StarpolyError, match="between 0 and 1"):
        ray_context(np.ones((3, 3, 8), np.float32), [1], [1], (1, 1), (fraction,))
