"""Masks, class maps and photographs are told from labels of objects."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from starpoly.io.readers.label_doubts import _pieces, doubt_labels

from support.examples import with_discs

LABELS = with_discs((60, 80), *[(y, x, 6) for y in (12, 36) for x in (12, 36, 60)])


@pytest.mark.parametrize("seed", range(4))
def test_pieces_are_those_of_each_id_alone(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(-1, 6, (20, 30)) * 7
    ids, areas, largest = _pieces(labels)
    assert ids.tolist() == sorted(set(labels[labels > 0].tolist()))
    for row, label in enumerate(ids):
        found, _ = ndimage.label(labels == label, np.ones((3, 3)))
        sizes = np.bincount(found.ravel())[1:].tolist()
        assert (areas[row], largest[row]) == (sum(sizes), max(sizes))


@pytest.mark.parametrize(("value", "dtype"), [(255, np.uint8), (1, np.uint8), (1, bool), (65535, np.uint16), (7, int)])
def test_a_foreground_mask_is_told(value, dtype):
    mask = np.where(LABELS > 0, value, 0).astype(dtype)
    assert "label its connected components first" in doubt_labels(mask)


@pytest.mark.parametrize("n", [2, 8, 30])
def test_a_mask_of_any_number_of_objects_is_told(n):
    mask = with_discs((20, 14 * n), *[(9, 7 + 14 * i, 5) for i in range(n)]) > 0
    assert "label its connected components first" in doubt_labels(mask)
    mask[9, : 14 * (n - 1)] = True  # all but one grown together
    assert "label its connected components first" in doubt_labels(mask)


def test_a_class_map_is_told():
    classes = np.where(LABELS > 0, 1 + LABELS % 2, 0)
    assert doubt_labels(classes).startswith("2 of 2 objects are in several pieces")


@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_a_photograph_is_told(dtype):
    rng = np.random.default_rng(0)
    image = ndimage.gaussian_filter(rng.random((90, 120)), 3) * 60000 + rng.normal(0, 50, (90, 120))
    assert "is this the image itself" in doubt_labels(image.astype(dtype))
    assert doubt_labels(rng.integers(20, 255, (90, 120)).astype(np.uint8))


@pytest.mark.parametrize(
    "labels",
    [
        LABELS,
        LABELS * 40,
        np.where(LABELS == 3, LABELS, 0),  # one object
        np.where(LABELS > 0, LABELS, -1),
        np.zeros((5, 6), np.uint8),
        np.ones((5, 6), np.uint8),
        np.full((5, 6), -1),
    ],
)
def test_labels_are_not_doubted(labels):
    assert doubt_labels(labels) == ""


@pytest.mark.parametrize("background", [1, 255, 65535])
def test_a_background_that_is_not_0_is_told(background):
    large = np.kron(LABELS, np.ones((2, 2), int))
    for labels in (
        np.where(large > 0, 0, background),
        np.where(large > 0, large, background),
        np.full((64, 64), background),
    ):
        assert f"label {background} covers" in doubt_labels(labels)
    cell = with_discs((120, 160), (60, 80, 65)) * 7  # over half of the image, at two borders
    assert doubt_labels(cell) == ""


def test_a_stray_pixel_is_no_piece():
    one = np.where(LABELS == 3, 255, 0)
    one[59, 79] = 255
    assert doubt_labels(one) == ""
