"""Of each label the largest piece stays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.measure import label as pieces_of

from starpoly.geometry.pieces import lost_pieces

import reference

SMALL = {
    "one": ("11.11", "1...."),
    "by a corner": ("1..", ".1.", "..1"),
    "equal": ("1.1", "...", "1.."),
    "cut": ("11211", "11211", ".12.1"),
    "ring": ("111", "1.1", "111"),
    "fork": ("1.1.1", "1.1.1", "11111"),
    "hook": ("..1", "1.1", "111", "...", "2.2"),
    "nothing": ("...",),
}


def picture(rows: tuple[str, ...]) -> np.ndarray:
    return np.array([[int(pixel.replace(".", "0")) for pixel in row] for row in rows], np.int32)


def erased(labels: np.ndarray) -> np.ndarray:
    out = labels.copy()
    for y, start, stop, label in lost_pieces(labels):
        assert (out[y, start:stop] == label).all()
        out[y, start:stop] = 0
    return out


@pytest.mark.parametrize("name", SMALL)
def test_small_pictures(name):
    labels = picture(SMALL[name])
    np.testing.assert_array_equal(erased(labels), reference.largest_pieces(labels))


@given(st.integers(0, 10**6), st.integers(1, 4), st.sampled_from([np.int32, np.uint16, np.uint32]))
def test_it_equals_its_twin(seed, n, dtype):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n + 1, rng.integers(0, 14, 2)).astype(dtype)
    np.testing.assert_array_equal(erased(labels), reference.largest_pieces(labels))


def test_what_stays_is_connected():
    labels = np.random.default_rng(0).integers(0, 3, (40, 50)).astype(np.int32)
    kept = erased(labels)
    assert pieces_of(kept, connectivity=1).max() == len(np.unique(kept)) - 1


def test_rows_of_the_image_do_not_matter():
    labels = np.random.default_rng(1).integers(0, 3, (20, 20)).astype(np.int32)
    around = np.pad(labels, ((3, 5), (7, 2)))
    np.testing.assert_array_equal(erased(around)[3:-5, 7:-2], erased(labels))
