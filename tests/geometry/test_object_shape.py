"""Shapes equal those of scikit-image, in any window."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from skimage.measure import regionprops

from starpoly.errors import StarpolyError
from starpoly.geometry.object_shape import label_boxes, object_shapes

from support.label_images import NAMED, label_images


def shapes_of(labels, **settings):
    labels = labels.astype(np.uint32)
    n = int(labels.max(initial=0))
    return object_shapes(labels, np.arange(1, n + 1, dtype=np.uint32), label_boxes(labels, n), **settings)


def check(labels):
    found = shapes_of(labels, spacing=(0.5, 0.25))
    scaled = {region.label: region for region in regionprops(labels, spacing=(0.5, 0.25))}
    shown = [region.label - 1 for region in regionprops(labels)]
    assert np.flatnonzero(found.areas).tolist() == shown
    for region in regionprops(labels):
        row = region.label - 1
        assert found.areas[row] == region.area
        assert tuple(found.boxes[row]) == region.bbox
        assert found.convex_areas[row] == region.area_convex
        np.testing.assert_allclose(found.centroids[row], region.centroid)
        np.testing.assert_allclose(found.perimeters[row], region.perimeter)
        np.testing.assert_allclose(found.feret[row], region.feret_diameter_max)
        np.testing.assert_allclose(found.feret_scaled[row], scaled[region.label].feret_diameter_max)
        central = region.moments_central / region.area
        np.testing.assert_allclose(found.moments[row], [central[2, 0], central[0, 2], central[1, 1]], atol=1e-9)


@given(label_images())
@settings(deadline=None)
def test_any_labels(labels):
    check(labels)


@pytest.mark.parametrize("name", NAMED)
def test_named_labels(name):
    check(NAMED[name])


@given(label_images())
@settings(deadline=None, max_examples=30)
def test_a_window_gives_the_same_bits(labels):
    wide = np.zeros((labels.shape[0] + 7, labels.shape[1] + 1003), labels.dtype)
    wide[5:-2, 1001:-2] = labels
    whole, window = shapes_of(wide), shapes_of(labels, corner=(5, 1001))
    for name, column in vars(whole).items():
        np.testing.assert_array_equal(column, getattr(window, name))


def test_an_object_without_a_pixel():
    found = shapes_of(np.array([[2, 0], [0, 0]]))
    assert found.areas.tolist() == [0, 1]
    assert found.boxes.tolist() == [[0, 0, 0, 0], [0, 0, 1, 1]]
    assert np.isnan(found.perimeters).tolist() == [True, False]


def test_a_large_object_loses_no_digits():
    labels = np.ones((3000, 4000), np.uint32)
    found = shapes_of(labels)
    assert found.centroids.tolist() == [[1499.5, 1999.5]]
    np.testing.assert_allclose(found.moments, [[(3000**2 - 1) / 12, (4000**2 - 1) / 12, 0]], rtol=1e-14, atol=1e-6)


def test_boxes_beyond_the_labels_are_refused():
    with pytest.raises(StarpolyError, match="inside labels of shape"):
        object_shapes(np.zeros((3, 3), np.uint32), np.ones(1, np.uint32), np.array([[0, 0, 3, 4]]))
