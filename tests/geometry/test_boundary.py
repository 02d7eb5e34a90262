"""How deep inside its object a pixel lies: each object alone, by scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from starpoly.geometry.boundary import boundary_probability

import reference
from support import examples

shapes = hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)
small_labels = hnp.arrays(np.int32, shapes, elements=st.integers(-1, 3))


@pytest.mark.parametrize("name", examples.LABELS)
def test_examples_equal_each_object_alone(name):
    labels = examples.LABELS[name]
    if labels.max() < 2**31:
        np.testing.assert_array_equal(boundary_probability(labels), reference.boundary_probability(labels))


@given(small_labels, st.integers(1, 4), st.integers(1, 3))
def test_random_labels_equal_each_object_alone(labels, tall, wide):
    labels = np.kron(labels, np.ones((tall, wide), np.int32))
    np.testing.assert_array_equal(boundary_probability(labels), reference.boundary_probability(labels))


@given(small_labels, st.integers(1, 4), st.tuples(st.integers(1, 4), st.integers(1, 3)))
def test_grid_picks_from_the_whole(labels, wide, grid):
    labels = np.kron(labels, np.ones((3, wide), np.int32))
    np.testing.assert_array_equal(
        boundary_probability(labels, grid), boundary_probability(labels)[:: grid[0], :: grid[1]]
    )


def test_ids_of_any_size_are_told_apart():
    labels = np.repeat([[1, 1, 2, 2, 0]], 6, axis=0).astype(np.int64)
    large = np.where(labels > 0, labels << 32, 0)
    np.testing.assert_array_equal(boundary_probability(large), boundary_probability(labels))


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0)])
def test_image_without_pixels(shape):
    assert boundary_probability(np.zeros(shape, int)).shape == shape
