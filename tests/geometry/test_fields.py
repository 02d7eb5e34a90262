"""Smooth fields: of the promised scale and spread, and blurs as scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from scipy.interpolate import BSpline

from starpoly.geometry.fields import blurred, look_up, quick_normal, smooth_noise, spline


@pytest.mark.parametrize("scale", [1, 4, 12, (3, 9)])
def test_noise_has_mean_0_and_spread_1(scale):
    field = smooth_noise(np.random.default_rng(0), (400, 300), scale)
    assert field.shape == (400, 300)
    assert abs(field.mean()) < 0.2
    assert field.std() == pytest.approx(1, abs=0.15)


def test_noise_is_alike_over_its_scale():
    field = smooth_noise(np.random.default_rng(1), (300, 300), (2, 20))
    down, right = (
        np.corrcoef(field[a].ravel(), field[b].ravel())[0, 1]
        for a, b in ((np.s_[:-6], np.s_[6:]), (np.s_[:, :-6], np.s_[:, 6:]))
    )
    assert down < 0.3
    assert right > 0.8


def test_a_spline_is_scipys():
    grid = np.random.default_rng(2).normal(size=(9, 10)).astype(np.float32)
    found = spline(grid, (12, 15), (3.0, 2.5), (0.25, 0.5))
    knots = np.arange(-2, 20)
    across = BSpline(knots[: 10 + 4], grid.T, 3)(np.arange(15) / 2.5 + 0.5 + 1)
    expected = BSpline(knots[: 9 + 4], across.T, 3)(np.arange(12) / 3 + 0.25 + 1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("sigma", [1.0, 3.0, 6.0, 15.0])
def test_blurs_are_gaussian(sigma):
    field = smooth_noise(np.random.default_rng(3), (120, 140), 3)
    exact = ndimage.gaussian_filter(field, sigma, mode="mirror")
    middle = np.s_[20:-20, 20:-20]
    assert np.abs(blurred(field, sigma) - exact)[middle].max() < 0.03 * field.std()


def test_a_blur_of_a_tiny_image_keeps_its_shape():
    assert blurred(np.ones((5, 3), np.float32), 9.0).shape == (5, 3)
    np.testing.assert_allclose(blurred(np.ones((40, 30), np.float32), 9.0), 1, rtol=1e-5)


def test_values_between_pixels_are_linear_and_repeat():
    field = np.arange(12, dtype=np.float32).reshape(3, 4)
    y, x = np.array([[0.5, 1.0, 3.0]]), np.array([[0.0, 1.25, -4.0]])
    np.testing.assert_allclose(look_up(field, y, x), [[2.0, 5.25, 0.0]])


def test_quick_normal_numbers_are_normal():
    numbers = quick_normal(np.random.default_rng(4), (300, 301))
    assert numbers.shape == (300, 301)
    assert numbers.mean() == pytest.approx(0, abs=0.02)
    assert numbers.std() == pytest.approx(1, abs=0.02)
    assert (np.abs(numbers) > 1.96).mean() == pytest.approx(0.05, abs=0.005)
