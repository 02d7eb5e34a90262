"""What is written shows the pixels of the labels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from skimage.draw import polygon2mask

from starpoly.geometry.rasterize import render_labels
from starpoly.io.writers.rings import outlines, ring_area
from starpoly.labels.mask_growth import ForegroundMask
from starpoly.labels.streaming import StreamingLabels
from starpoly.labels.whole import WholeLabels
from starpoly.polygons import StarPolygons
from starpoly.tiling import Box

from support.examples import stars
from support.strategies import SHAPE, polygon_sets
from support.streaming_labels import add_in_parts

shapely = pytest.importorskip("shapely", reason="geometry is judged by shapely")


def some_foreground(seed: int, distance: int) -> ForegroundMask:
    foreground = ForegroundMask(SHAPE, distance)
    foreground.put(Box(0, 0, *SHAPE), np.random.default_rng(seed).random(SHAPE) < 0.7)
    return foreground


@given(polygon_sets(), st.integers(0, 99), st.sampled_from([0, 1, 4]))
def test_rings_are_the_polygons_where_these_are_the_masks(polygons, seed, distance):
    foreground = some_foreground(seed, distance) if distance else None
    whole = WholeLabels(polygons.take(polygons.position_order()), SHAPE, foreground)
    found = whole.with_outlines
    rings = outlines(found, SHAPE)
    for i, (ring, outline) in enumerate(zip(rings, found.outlines, strict=True)):
        mask = whole.labels == i + 1
        alone = render_labels(found.take([i]), SHAPE) > 0
        assert (outline is None) == (mask == alone).all()
        if outline is not None:
            assert shapely.Polygon(ring).is_valid
            assert ring_area(ring) > 0
            filled = ndimage.binary_fill_holes(mask, np.ones((3, 3)))
            assert ring_area(ring) == pytest.approx(filled.sum() - 0.5, rel=0.051)
            far = ndimage.distance_transform_edt(np.pad(filled, 1))[1:-1, 1:-1] > 1.5
            assert polygon2mask(SHAPE, ring[:, ::-1] - 0.5)[far].all()


@given(polygon_sets(), st.integers(0, 4), st.integers(0, 99), st.sampled_from([0, 3]), st.sampled_from([1, 30]))
def test_streamed_outlines_are_those_of_the_whole_image(polygons, n_parts, seed, distance, band):
    foreground = some_foreground(seed, distance) if distance else None
    streaming = StreamingLabels(SHAPE, band=band, foreground=foreground)
    for _ in add_in_parts(streaming, polygons, n_parts, seed):
        pass
    found = StarPolygons.concatenate([part for part, _ in streaming.outlined()])
    expected = WholeLabels(polygons.take(polygons.position_order()), SHAPE, foreground).with_outlines
    assert len(found) == len(expected)
    for first, second in zip(outlines(found, SHAPE), outlines(expected, SHAPE), strict=True):
        np.testing.assert_array_equal(first, second)


def test_an_object_under_another_is_written_as_it_shows():
    whole = WholeLabels(stars((12, 10, 6), (12, 20, 6), probabilities=[0.9, 0.8]), SHAPE)
    on_top, below = whole.with_outlines.outlines
    assert on_top is None
    area = abs(ring_area(below.astype(float)))
    assert area == pytest.approx((whole.labels == 2).sum(), rel=0.05)


def test_a_band_of_nothing_has_no_outlines():
    streaming = StreamingLabels(SHAPE)
    streaming.add(StarPolygons.empty(8), math.inf, math.inf)
    streaming.measure()
    ((polygons, _),) = streaming.outlined()
    assert list(outlines(polygons, SHAPE)) == []
