"""Foreground by cells of the grid: scipy's filters, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from starpoly.geometry.foreground import foreground_cells, label_areas

import reference
from support import examples

small_labels = hnp.arrays(np.int32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(-1, 3))
grids = st.tuples(st.integers(1, 3), st.integers(1, 4))


@given(small_labels, st.integers(1, 3), grids, st.integers(0, 4))
def test_random_labels_equal_the_slow_twin(labels, wide, grid, reach):
    labels = np.kron(labels, np.ones((1, wide), np.int32))
    np.testing.assert_array_equal(
        foreground_cells(labels, grid, reach, 4), reference.foreground_cells(labels, grid, reach, 4)
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint32, np.int64])
def test_only_the_sign_counts_whatever_the_dtype(dtype):
    labels = np.array([[0, 0, 0, 1, 1, 1]], dtype)
    large = labels * np.array(np.iinfo(dtype).max, dtype)
    np.testing.assert_array_equal(foreground_cells(large, (1, 2), 1, 4), foreground_cells(labels, (1, 2), 1, 4))


@pytest.mark.parametrize("name", [name for name in examples.LABELS if examples.LABELS[name].max(initial=0) < 1000])
def test_areas_are_counts(name):
    labels = examples.LABELS[name]
    counts = np.bincount(np.maximum(labels, 0).ravel())
    counts[0] = 0
    np.testing.assert_array_equal(label_areas(labels), counts)
