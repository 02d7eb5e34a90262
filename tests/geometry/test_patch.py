"""Patches: scipy's interpolation, numpy's padding and turns, and the laws of chance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from starpoly.geometry.patch import blur, change_brightness, mirrored, warp

import reference

sides = st.integers(1, 9)


def picture(height: int, width: int, n_channels: int = 2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(height * 100 + width)
    return rng.random((height, width, n_channels), np.float32), rng.integers(0, 9, (height, width)).astype(np.int32)


@given(st.integers(-40, 40), sides, sides)
def test_mirrored_indices_are_those_of_reflection(first, n, length):
    reflected = np.pad(np.arange(length), 60, "reflect")[60 + first : 60 + first + n]
    np.testing.assert_array_equal(mirrored(np.arange(first, first + n), length), reflected)


@given(
    sides, sides, st.tuples(sides, sides), st.floats(-0.4, 0.4), st.floats(0.3, 1.6), st.floats(0, 6.3), st.integers(1, 3),
)  # fmt: skip
def test_random_places_equal_the_slow_twin(height, width, size, first, scale, angle, n_channels):
    image, labels = picture(height, width, n_channels)
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    start = np.array([first, 2.7 + first])
    expected, expected_labels = reference.warp(image, labels, start, matrix, size)
    got, got_labels = warp(image, labels, start, matrix, size)
    np.testing.assert_allclose(got, expected, atol=1e-5)
    # a place half-way between two pixels may go to either
    assert (got_labels != expected_labels).mean() < 0.2


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 3, 2), (40, 31, 1), (3, 50, 3)])
def test_blur_is_a_gaussian(sigma, shape):
    image = picture(*shape[:2], shape[2])[0]
    # scipy's "mirror" is the reflection about border pixels
    expected = ndimage.gaussian_filter(
        image, (sigma, sigma, 0), mode="mirror", radius=(max(1, int(np.ceil(3 * sigma))),) * 2 + (0,)
    )
    np.testing.assert_allclose(blur(image, sigma), expected, atol=1e-5)


def test_brightness_without_noise_is_a_formula():
    image = np.linspace(-1, 2, 60, dtype=np.float32).reshape(5, 4, 3)
    gains = np.array([2, 0.5, -1])
    expected = np.sign(image) * np.abs(image) ** 1.3 * gains + 0.25
    np.testing.assert_allclose(
        change_brightness(np.random.default_rng(0), image, 1.3, gains, 0.25, 0), expected, rtol=1e-5
    )


def test_noise_is_normal_and_its_own_in_each_pixel():
    noise = change_brightness(np.random.default_rng(0), np.zeros((300, 200, 1), np.float32), 1, np.ones(1), 0, 2)
    assert abs(noise.mean()) < 0.03
    assert abs(noise.std() - 2) < 0.02
    np.testing.assert_allclose(np.quantile(noise, [0.0228, 0.1587, 0.8413, 0.9772]), [-4, -2, 2, 4], atol=0.06)
    flat = noise.ravel()
    for shift in (1, 2, 3, 4, 200):
        assert abs(np.corrcoef(flat[:-shift], flat[shift:])[0, 1]) < 0.02
