"""The pipeline with a painted network: the answer is the image's, however it is cut into tiles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starpoly.config import Thresholds
from starpoly.detection.pipeline import detect, predict_map
from starpoly.detection.tile_work import read_window
from starpoly.errors import StarpolyWarning
from starpoly.geometry.boundary import boundary_probability
from starpoly.geometry.rasterize import render_labels
from starpoly.images.normalization import Normalizer
from starpoly.polygons import StarPolygons
from starpoly.suppression.greedy import suppress
from starpoly.tiling import Box

import reference
from support.examples import LABELS
from support.painted import N_RAYS, Painted, disks, identity, paint, shuffled


def same(first: StarPolygons, second: StarPolygons) -> bool:
    return (
        np.array_equal(first.points, second.points)
        and np.array_equal(first.distances, second.distances)
        and np.array_equal(first.probabilities, second.probabilities)
    )


def by_position(polygons: StarPolygons) -> StarPolygons:
    return polygons.take(np.array(reference.by_position(polygons), np.intp))


@given(
    shape=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    tile_size=st.integers(8, 64),
    seed=st.integers(0, 99),
    grid=st.sampled_from([(1, 1), (2, 2), (1, 2), (4, 4)]),
    ray_context=st.sampled_from([(), (0.3, 0.6)]),
    has_foreground=st.booleans(),
)
def test_tiled_equals_one_tile_bit_for_bit(shape, tile_size, seed, grid, ray_context, has_foreground):
    image = paint(disks(shape, seed))
    image[..., 1:] *= np.float32(0.9)  # rays that end too early
    network = Painted(grid=grid, ray_context=ray_context, has_foreground=has_foreground)
    tiled = detect(image, network, identity(), Thresholds(0.3, 0.4), tile_size=tile_size)
    whole = detect(image, network, identity(), Thresholds(0.3, 0.4), tile_size=4096)
    assert whole.n_tiles == 1
    assert tiled.n_candidates == whole.n_candidates
    assert same(tiled.polygons, whole.polygons)


def test_one_tile_is_greedy_suppression_of_all_candidates():
    labels = disks((60, 70), seed=3)
    image = paint(labels)
    found = detect(image, Painted(), identity(), Thresholds(0.3, 0.4)).polygons
    y, x = np.nonzero(image[..., 0] > np.float32(0.3))
    candidates = StarPolygons(np.stack([y, x], 1), image[y, x, 1:], image[y, x, 0])
    assert same(found, by_position(suppress(candidates, 0.4)))


@pytest.mark.parametrize("grid", [(1, 1), (2, 2), (1, 4)])
def test_outlines_end_where_the_foreground_does(grid):
    labels = disks((120, 130), seed=2, n=6)
    image = paint(labels)
    image[..., 1:] *= np.float32(0.85)

    def iou(has_foreground: bool) -> float:
        found = detect(
            image, Painted(grid=grid, has_foreground=has_foreground), identity(), Thresholds(0.3, 0.4)
        ).polygons
        drawn = render_labels(found, labels.shape) > 0
        return (drawn & (labels > 0)).sum() / (drawn | (labels > 0)).sum()

    # an octagon in a disk covers 0.9 of it
    assert iou(has_foreground=True) > 0.86 > 0.75 > iou(has_foreground=False)


def test_object_larger_than_a_tile_is_found_once():
    y, x = np.mgrid[:120, :120]
    labels = (np.hypot(y - 61, x - 58) < 36).astype(np.int32)
    found = detect(paint(labels), Painted(), identity(), Thresholds(0.5, 0.4), tile_size=16)
    assert found.n_tiles > 100
    assert found.polygons.points.tolist() == [[61, 58]]


def test_object_at_the_border_is_found():
    y, x = np.mgrid[:40, :40]
    labels = (np.hypot(y - 0, x - 39) < 9).astype(np.int32)
    assert len(detect(paint(labels), Painted(), identity(), Thresholds(0.5, 0.4)).polygons) == 1


def test_all_windows_have_one_shape():
    network = Painted()
    detect(paint(disks((130, 90), 1)), network, identity(), Thresholds(), tile_size=32)
    assert len(set(network.windows)) == 1


def test_classes_come_along():
    found = detect(paint(disks((60, 60), 1)), Painted(n_classes=1), identity(), Thresholds(0.5, 0.4), tile_size=24)
    np.testing.assert_allclose(found.polygons.class_probabilities[:, 1], found.polygons.probabilities)


def test_image_without_objects_gives_no_polygons():
    found = detect(np.zeros((50, 40, N_RAYS + 1), np.float32), Painted(), identity(), Thresholds())
    assert len(found.polygons) == 0
    assert found.polygons.n_rays == N_RAYS


def test_error_in_a_thread_reaches_the_caller():
    network = Painted(max_distance=0.5)
    with pytest.raises(ValueError, match="max_distance"):
        detect(paint(disks((60, 60), 1)), network, identity(), Thresholds(0.1, 0.4), tile_size=24)


@pytest.mark.parametrize("tile_size", [16, 512])
def test_maps_are_put_together_from_cores(tile_size):
    labels = disks((61, 47), seed=5)
    maps = predict_map(paint(labels), Painted(grid=(2, 2)), identity(), tile_size=tile_size)
    np.testing.assert_array_equal(maps.probability, boundary_probability(labels)[::2, ::2])
    assert maps.distances.shape == (31, 24, N_RAYS)


@given(length=st.integers(1, 20), start=st.integers(0, 19), beyond=st.integers(0, 30))
def test_window_beyond_the_far_end_is_a_reflection_of_the_whole_image(length, start, beyond):
    start = min(start, length - 1)
    image = np.arange(length, dtype=np.float32).reshape(length, 1, 1) * np.ones((1, 3, 1), np.float32)
    window = read_window(image, Box(start, 0, length + beyond, 3), Normalizer(low=(0.0,), high=(1.0,)))
    np.testing.assert_array_equal(window, np.pad(image, ((0, beyond), (0, 0), (0, 0)), mode="reflect")[start:])


class Left:
    """A region: everything left of column ``x``."""

    def __init__(self, x: float):
        self.x = x

    def overlaps(self, box):
        return box.x0 < self.x

    def contains(self, points):
        return points[:, 1] < self.x

    def resized(self, shape):
        raise NotImplementedError


@pytest.mark.parametrize("tile_size", [24, 4096])
def test_region_leaves_out_the_candidates_beyond(tile_size):
    image = paint(disks((90, 80), seed=8))
    y, x = np.nonzero(image[..., 0] > np.float32(0.3))
    candidates = StarPolygons(np.stack([y, x], 1), image[y, x, 1:], image[y, x, 0])
    expected = by_position(suppress(candidates.take(candidates.points[:, 1] < 37), 0.4))
    found = detect(image, Painted(), identity(), Thresholds(0.3, 0.4), tile_size=tile_size, region=Left(37))
    assert len(expected) > 0
    assert same(found.polygons, expected)


def test_tiles_outside_the_region_are_not_read(every_window):
    network = Painted()
    image = paint(disks((90, 80), seed=8))
    found = detect(image, network, identity(), Thresholds(0.3, 0.4), tile_size=24, region=Left(20))
    assert found.n_skipped > 0
    assert len(network.windows) == found.n_tiles - found.n_skipped


@given(readers=st.integers(1, 4), seed=st.integers(0, 5))
def test_number_of_readers_has_no_influence(readers, seed):
    image = paint(disks((90, 80), seed))
    one = detect(image, Painted(), identity(), Thresholds(0.3, 0.4), tile_size=24)
    several = detect(image, Painted(), identity(), Thresholds(0.3, 0.4), tile_size=24, readers=readers)
    assert same(one.polygons, several.polygons)


@given(seed=st.integers(0, 5), order=st.randoms(use_true_random=False))
def test_order_of_the_tiles_has_no_influence(seed, order):
    image = paint(disks((90, 80), seed))
    expected = detect(image, Painted(), identity(), Thresholds(0.3, 0.4), tile_size=24)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("starpoly.detection.pipeline.plan_tiles", shuffled(order))
        found = detect(image, Painted(), identity(), Thresholds(0.3, 0.4), tile_size=24)
    assert same(found.polygons, expected.polygons)


@pytest.mark.parametrize("name", LABELS)
@given(tile_size=st.integers(1, 40), grid=st.sampled_from([(1, 1), (2, 2)]), order=st.randoms(use_true_random=False))
def test_labels_of_the_catalogue_in_any_tiles_and_order(name, tile_size, grid, order):
    labels = np.unique(np.maximum(LABELS[name], 0), return_inverse=True)[1].reshape(LABELS[name].shape)
    image, thresholds = paint(labels), Thresholds(0.2, 0.4)
    whole = detect(image, Painted(grid=grid), identity(), thresholds)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("starpoly.detection.pipeline.plan_tiles", shuffled(order))
        tiled = detect(image, Painted(grid=grid), identity(), thresholds, tile_size=tile_size)
    first, second = (render_labels(found.polygons, labels.shape) for found in (whole, tiled))
    np.testing.assert_array_equal(first, second)


def test_flood_of_candidates_is_said_once():
    image = np.ones((600, 600, N_RAYS + 1), np.float32)
    with pytest.warns(StarpolyWarning, match="nearly every pixel") as said:
        detect(image, Painted(), identity(), Thresholds(0.3, 0.4), tile_size=300)
    assert len(said) == 1
