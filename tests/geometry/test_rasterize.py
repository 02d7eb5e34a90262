"""Drawing polygons: scikit-image's pixels, score order, boxes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from starpoly.errors import StarpolyError
from starpoly.geometry.rasterize import render_labels
from starpoly.polygons import StarPolygons
from starpoly.tiling import Box

import reference
from support import examples

SHAPE = (32, 35)
every_example = pytest.mark.parametrize("name", examples.POLYGONS)


def random_polygons(seed: int, n: int = 12, n_rays: int = 32) -> StarPolygons:
    rng = np.random.default_rng(seed)
    distances = rng.uniform(1, 12, (n, 1)) * rng.uniform(0.4, 1, (n, n_rays))
    return StarPolygons(rng.uniform(-3, 37, (n, 2)), distances, rng.integers(0, 5, n) / 4)


@every_example
def test_examples_equal_the_slow_twin(name):
    polygons = examples.POLYGONS[name]
    np.testing.assert_array_equal(render_labels(polygons, SHAPE), reference.render_labels(polygons, SHAPE))


@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 8, 32]))
def test_random_polygons_equal_the_slow_twin(seed, n_rays):
    polygons = random_polygons(seed, n_rays=n_rays)
    np.testing.assert_array_equal(render_labels(polygons, SHAPE), reference.render_labels(polygons, SHAPE))


@given(
    hnp.arrays(float, (3, 2), elements=st.integers(-2, 18).map(lambda i: i / 2)),
    st.sampled_from([3, 4, 8, 12]).flatmap(
        lambda n_rays: hnp.arrays(float, (3, n_rays), elements=st.integers(0, 8).map(lambda i: i / 2))
    ),
)
def test_pixels_on_boundaries_equal_the_slow_twin(points, distances):
    polygons = StarPolygons(points, distances, np.zeros(3))
    np.testing.assert_array_equal(render_labels(polygons, (9, 10)), reference.render_labels(polygons, (9, 10)))


@given(st.integers(0, 2**32 - 1), st.tuples(*[st.integers(0, 32)] * 4))
def test_a_box_is_a_crop_of_the_whole(seed, corners):
    (y0, y1), (x0, x1) = sorted(corners[:2]), sorted(corners[2:])
    box = Box(y0, x0, y1, x1)
    polygons = random_polygons(seed)
    np.testing.assert_array_equal(render_labels(polygons, SHAPE, box=box), render_labels(polygons, SHAPE)[box.slices])


@every_example
def test_four_tiles_make_the_whole(name):
    polygons = examples.POLYGONS[name]
    tiles = np.zeros(SHAPE, np.uint32)
    for y in (0, examples.SEAM):
        for x in (0, examples.SEAM):
            box = Box(y, x, y + examples.SEAM, examples.SEAM if x == 0 else SHAPE[1])
            tiles[box.slices] = render_labels(polygons, SHAPE, box=box)
    np.testing.assert_array_equal(tiles, render_labels(polygons, SHAPE))


@given(st.integers(0, 2**32 - 1))
def test_the_order_of_polygons_does_not_matter(seed):
    polygons = random_polygons(seed)
    shuffled = polygons.take(np.random.default_rng(seed).permutation(len(polygons)))
    np.testing.assert_array_equal(render_labels(shuffled, SHAPE), render_labels(polygons, SHAPE))


@given(st.integers(0, 2**32 - 1), st.tuples(st.integers(0, 100), st.integers(0, 100)))
def test_translation(seed, offset):
    polygons = random_polygons(seed)
    polygons = StarPolygons(np.round(polygons.points * 8) / 8, polygons.distances, polygons.probabilities)
    shape = (SHAPE[0] + offset[0], SHAPE[1] + offset[1])
    moved = render_labels(polygons.shift(offset), shape)
    np.testing.assert_array_equal(moved[offset[0] :, offset[1] :], render_labels(polygons, SHAPE))


def test_quarter_turn_and_mirror():
    polygons = random_polygons(4)
    labels = render_labels(polygons, (33, 33))
    y, x = polygons.points.T
    turned = StarPolygons(np.stack([32 - x, y], 1), np.roll(polygons.distances, -8, 1), polygons.probabilities)
    mirrored = StarPolygons(np.stack([32 - y, x], 1), polygons.distances[:, -np.arange(32)], polygons.probabilities)
    # ids keep track of the polygons, since ties of the score are broken by position
    ids = np.argsort(polygons.score_order()) + 1
    polygons = StarPolygons(polygons.points, polygons.distances, 1 / ids)
    labels = render_labels(polygons, (33, 33))
    turned = StarPolygons(turned.points, turned.distances, 1 / ids)
    mirrored = StarPolygons(mirrored.points, mirrored.distances, 1 / ids)
    np.testing.assert_array_equal(render_labels(turned, (33, 33)), np.rot90(labels))
    np.testing.assert_array_equal(render_labels(mirrored, (33, 33)), labels[::-1])


def test_ids_are_ranks_of_the_score():
    polygons = examples.stars((5, 5, 3), (5, 20, 3), probabilities=[0.2, 0.8])
    labels = render_labels(polygons, SHAPE)
    assert (labels[5, 5], labels[5, 20]) == (2, 1)


def test_given_ids_go_with_positions():
    polygons = examples.stars((5, 5, 3), (5, 20, 3), probabilities=[0.2, 0.8])
    labels = render_labels(polygons, SHAPE, ids=[70_000, 9])
    assert (labels[5, 5], labels[5, 20]) == (70_000, 9)


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_out_keeps_what_is_drawn(dtype):
    polygons = examples.POLYGONS["apart"]
    out = np.zeros(SHAPE, dtype)
    out[5, 5] = 77
    assert render_labels(polygons, SHAPE, out=out) is out
    expected = render_labels(polygons, SHAPE).astype(dtype)
    expected[5, 5] = 77
    np.testing.assert_array_equal(out, expected)


def test_out_may_be_a_part_of_an_array():
    polygons = examples.POLYGONS["chain"]
    box = Box(2, 3, 14, 30)
    whole = np.zeros(SHAPE, np.uint32)
    render_labels(polygons, SHAPE, box=box, out=whole[box.slices])
    np.testing.assert_array_equal(whole[box.slices], render_labels(polygons, SHAPE)[box.slices])
    assert np.count_nonzero(whole) == np.count_nonzero(whole[box.slices])


def test_area_of_a_large_polygon():
    labels = render_labels(examples.stars((600.3, 599.6, 500)), (1200, 1200))
    assert np.count_nonzero(labels) == pytest.approx(4 * np.sin(np.pi / 4) * 500**2, rel=1e-3)


def test_what_does_not_fit_is_refused():
    polygons = examples.POLYGONS["apart"]
    with pytest.raises(StarpolyError, match=r"use box\.clip"):
        render_labels(polygons, SHAPE, box=Box(0, 0, 99, 99))
    with pytest.raises(StarpolyError, match="2 integer ids"):
        render_labels(polygons, SHAPE, ids=[1, 2, 3])
    with pytest.raises(StarpolyError, match="wider out"):
        render_labels(polygons, SHAPE, ids=[1, 256], out=np.zeros(SHAPE, np.uint8))
    with pytest.raises(StarpolyError, match="ids from 1"):
        render_labels(polygons, SHAPE, ids=[0, 1])
    with pytest.raises(StarpolyError, match="integer array of shape"):
        render_labels(polygons, SHAPE, out=np.zeros((3, 3), int))
