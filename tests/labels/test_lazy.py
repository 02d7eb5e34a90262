from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starpoly.errors import StarpolyError
from starpoly.geometry.rasterize import render_labels
from starpoly.labels import lazy as render
from starpoly.labels.lazy import LazyLabels
from starpoly.labels.streaming import StreamingLabels
from starpoly.labels.whole import WholeLabels
from starpoly.polygons import StarPolygons
from starpoly.tiling import Box, cut

from support.examples import POLYGONS, SEAM, stars
from support.strategies import SHAPE, polygon_sets

boxes = st.tuples(*[st.integers(0, length) for length in SHAPE * 2]).map(
    lambda c: Box(min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]), max(c[1], c[3]))
)


@given(polygon_sets(), boxes, st.sampled_from([1, 2, 3, 4, 8, 16, 33]), st.booleans())
def test_a_region_is_that_crop_of_the_whole(polygons, box, step, aligned):
    if aligned:
        box = Box(box.y0 // step * step, box.x0 // step * step, box.y1, box.x1)
    whole = render_labels(polygons, SHAPE)
    region = LazyLabels(polygons, SHAPE).region(box, step)
    assert region.dtype == np.uint16
    np.testing.assert_array_equal(region, whole[box.slices][::step, ::step])


@pytest.mark.parametrize("name", POLYGONS)
@pytest.mark.parametrize("size", [SEAM, 7])
def test_tiles_of_the_catalogue_make_up_the_whole(name, size):
    lazy = LazyLabels(POLYGONS[name], SHAPE)
    whole = render_labels(POLYGONS[name], SHAPE)
    for box in cut(SHAPE, size):
        np.testing.assert_array_equal(lazy.region(box), whole[box.slices])


@pytest.mark.parametrize("name", POLYGONS)
@pytest.mark.parametrize("step", [2, 4, 8])
def test_a_small_picture_holds_pixels_of_the_large_one(name, step):
    whole = render_labels(POLYGONS[name], SHAPE)
    np.testing.assert_array_equal(LazyLabels(POLYGONS[name], SHAPE)[::step, ::step], whole[::step, ::step])


def test_many_polygons_are_drawn_in_parts(monkeypatch):
    monkeypatch.setattr(render, "_AT_ONCE", 3)
    whole = render_labels(POLYGONS["one_huge"], SHAPE)
    np.testing.assert_array_equal(LazyLabels(POLYGONS["one_huge"], SHAPE)[:, :], whole)


def test_slices_mean_what_they_mean_to_numpy():
    lazy, whole = LazyLabels(POLYGONS["chain"], SHAPE), render_labels(POLYGONS["chain"], SHAPE)
    assert lazy.shape == SHAPE
    np.testing.assert_array_equal(lazy[3:-2, -9:], whole[3:-2, -9:])
    np.testing.assert_array_equal(lazy[:999:4, ::4], whole[::4, ::4])
    assert lazy[5:5, 9:2].shape == (0, 0)


@pytest.mark.parametrize(
    "key", [3, (slice(3), 2), (slice(None, None, -1), slice(None, None, -1)), (slice(0, 9, 2), slice(9))]
)
def test_other_indices_are_refused(key):
    with pytest.raises(StarpolyError, match="expected"):
        LazyLabels(POLYGONS["one"], SHAPE)[key]


@pytest.mark.parametrize(("largest", "dtype"), [(65_535, np.uint16), (65_536, np.uint32), (2**32 - 1, np.uint32)])
def test_no_id_wraps(largest, dtype):
    lazy = LazyLabels(POLYGONS["apart"], (16, 32), ids=[largest, 7])
    assert lazy.dtype == dtype
    drawn = lazy[:, :]
    assert drawn.dtype == dtype
    assert np.unique(drawn).tolist() == [0, 7, largest]


@pytest.mark.parametrize(
    ("polygons", "options"),
    [
        (stars((np.nan, 3, 2)), {}),
        (stars((3, 3, np.inf)), {}),
        (stars((3, 3, -1)), {}),
        (stars((3, 3, 1)), {"shape": (0, 4)}),
        (stars((3, 3, 1)), {"ids": [0]}),
        (stars((3, 3, 1)), {"ids": [1, 2]}),
        (stars((3, 3, 1)), {"ids": [2**32]}),
    ],
)
def test_what_cannot_be_drawn_is_refused(polygons, options):
    with pytest.raises(StarpolyError, match="expected"):
        LazyLabels(polygons, **{"shape": (9, 9), **options})


def test_regions_outside_are_refused():
    lazy = LazyLabels(POLYGONS["one"], (9, 9))
    with pytest.raises(StarpolyError, match="inside the image"):
        lazy.region(Box(0, 0, 9, 10))
    with pytest.raises(StarpolyError, match="step"):
        lazy.region(Box(0, 0, 9, 9), 0)


def test_memory_is_bounded_by_the_region():
    n = 2000
    rng = np.random.default_rng(3)
    polygons = StarPolygons(rng.uniform(0, 100_000, (n, 2)), rng.uniform(3, 9, (n, 8)), rng.uniform(0, 1, n))
    lazy = LazyLabels(polygons, (100_000, 100_000))
    lazy[:64, :64]
    tracemalloc.start()
    assert lazy.region(Box(0, 0, 100_000, 100_000), 1024).shape == (98, 98)
    assert lazy[50_000:50_512, 99_488:].shape == (512, 512)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6


def test_label_images_tell_their_size_in_one_line():
    polygons = StarPolygons.empty(8)
    assert repr(LazyLabels(polygons, (30, 40))) == "LazyLabels(30 x 40 px, 0 polygons, uint16)"
    assert repr(WholeLabels(polygons, (30, 40))) == "WholeLabels(30 x 40 px, 0 objects, uint16)"
    assert repr(StreamingLabels((30, 40))) == "StreamingLabels(30 x 40 px, 0 objects and 0 rows so far)"
