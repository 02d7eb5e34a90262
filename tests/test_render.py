from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starpoly import render
from starpoly.errors import StarpolyError
from starpoly.geometry.rasterize import render_labels
from starpoly.measure import keep_visible, measure
from starpoly.polygons import StarPolygons
from starpoly.render import LazyLabels, measure_labels, visible
from starpoly.tiling import Box, cut

from examples import POLYGONS, SEAM, stars

SHAPE = (3 * SEAM, 4 * SEAM)


@st.composite
def polygon_sets(draw) -> StarPolygons:
    """Up to 12 polygons in and around ``SHAPE``; many ties, vertices on pixels, some very large, some without area."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, n_rays = draw(st.integers(0, 12)), draw(st.sampled_from([3, 4, 8, 32]))
    points = rng.uniform(-5, 70, (n, 2))
    distances = rng.uniform(0, 12, (n, n_rays)) * rng.choice([0, 1, 1, 1, 8], (n, 1))
    if draw(st.booleans()):
        points, distances = np.rint(points), np.rint(distances)
    return StarPolygons(points, distances, rng.choice([0.25, 0.5, 0.75], n))


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


@pytest.mark.parametrize("key", [3, (slice(3), 2), (slice(None, None, -1), slice(None, None, -1)), (slice(0, 9, 2), slice(9))])
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


@given(polygon_sets(), st.sampled_from([7, 16, 100]))
def test_measurements_are_those_of_the_whole(polygons, tile):
    polygons = polygons.take(polygons.score_order())
    whole = render_labels(polygons, SHAPE)
    lazy = LazyLabels(polygons, SHAPE)
    found, expected = measure_labels(lazy, tile=tile).columns(lazy), measure(whole, polygons)
    assert list(found) == list(expected)
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])


@given(polygon_sets(), st.sampled_from([7, 16, 100]))
def test_what_shows_is_what_shows_of_the_whole(polygons, tile):
    polygons = polygons.take(polygons.score_order())
    labels, kept = keep_visible(render_labels(polygons, SHAPE), polygons)
    lazy, pixels = visible(LazyLabels(polygons, SHAPE), tile=tile)
    np.testing.assert_array_equal(lazy[:, :], labels)
    np.testing.assert_array_equal(lazy.polygons.points, kept.points)
    np.testing.assert_array_equal(pixels.areas, measure(labels, kept)["area"])
    assert lazy.ids.tolist() == list(range(1, len(kept) + 1))


def test_rows_follow_the_polygons_whatever_their_order_and_ids():
    polygons = stars((8, 8, 2), (8, 8, 5), (8, 30, 3), probabilities=[0.1, 0.9, 0.5])
    lazy, pixels = visible(LazyLabels(polygons, SHAPE, ids=[5, 70, 30]))
    assert lazy.ids.tolist() == [2, 1]
    assert lazy[8:9, 8:9].tolist() == [[2]]
    columns = pixels.columns(lazy)
    assert columns["label"].tolist() == [2, 1]
    np.testing.assert_allclose(columns["x"], [8, 30])


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
