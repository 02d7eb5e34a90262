"""Masks follow the foreground beyond the polygons, the same in pieces as in one."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from starpoly.config import LARGEST_GROWTH, MaskGrowth, SizeRange
from starpoly.errors import ConfigError
from starpoly.geometry.label_expansion import expand_labels
from starpoly.labels.mask_growth import ForegroundMask
from starpoly.labels.measurements import measure
from starpoly.labels.streaming import StreamingLabels
from starpoly.polygons import StarPolygons
from starpoly.prediction import opening
from starpoly.prediction.formats import SlideOutputs
from starpoly.prediction.slide import segment_slide
from starpoly.tiling import Box, cut

import reference
from support.painted import PaintedModel, disks, paint
from support.strategies import SHAPE, polygon_sets
from support.streaming_labels import add_in_parts, columns_of, in_order_if_shown

#: Sides of tiles, which hardly exceed what a window needs around it, and scales: 24 to 90 tiles, not a thousand.
TILES_AND_SCALES = [(152, 1.0), (172, 1.0), (152, 0.9), (172, 2.0)]


@pytest.fixture(autouse=True)
def nothing_is_held(monkeypatch):
    """Small images are segmented as large ones are, tile by tile."""
    monkeypatch.setattr(opening, "LARGEST_HELD", 0)


def horseshoe(shape=(40, 44)) -> np.ndarray:
    """One object that no star can hold, and a disk beside it."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    ring = np.hypot(y - 18, x - 18)
    labels = ((ring > 8) & (ring < 15) & ~((y > 18) & (np.abs(x - 18) < 5))).astype(np.int32)
    labels[np.hypot(y - 30, x - 37) < 5] = 2
    return labels


def seen_once(labels: np.ndarray, *centres: tuple[int, int]) -> np.ndarray:
    """The image of which a painted network sees the objects, and one polygon of each, around these centres."""
    image = paint(labels)
    image[..., 0] *= 0.1
    for centre in centres:
        image[centre][0] = 0.9
    return image


def iou(first: np.ndarray, second: np.ndarray) -> float:
    return (first & second).sum() / (first | second).sum()


def random_foreground(seed: int, shape=SHAPE, distance: int = 3) -> tuple[ForegroundMask, np.ndarray]:
    pixels = np.random.default_rng(seed).random(shape) < 0.8
    foreground = ForegroundMask(shape, distance)
    foreground.put(Box(0, 0, *shape), pixels)
    return foreground, pixels


@given(st.integers(0, 99), st.sampled_from([3, 8, 13, 30]))
def test_bits_come_back_however_they_were_put(seed, side):
    pixels = np.random.default_rng(seed).random((29, 31)) < 0.5
    foreground = ForegroundMask((29, 31), 1)
    boxes = list(cut((29, 31), side))
    for index in np.random.default_rng(seed).permutation(len(boxes)):
        foreground.put(boxes[index], pixels[boxes[index].slices])
    for box in (Box(0, 0, 29, 31), Box(5, 7, 22, 26), Box(3, 9, 3, 9), Box(28, 30, 29, 31)):
        np.testing.assert_array_equal(foreground.region(box), pixels[box.slices])


def test_of_an_image_that_was_looked_at_at_another_size_it_is_the_nearest_pixel():
    foreground = ForegroundMask((4, 6), 1)
    foreground.begin((2, 3))
    foreground.put(Box(0, 0, 2, 3), np.array([[1, 0, 1], [0, 1, 0]], bool))
    expected = np.array([[1, 1, 0, 0, 1, 1]] * 2 + [[0, 0, 1, 1, 0, 0]] * 2, bool)
    np.testing.assert_array_equal(foreground.region(Box(0, 0, 4, 6)), expected)
    np.testing.assert_array_equal(foreground.region(Box(1, 3, 3, 5)), expected[1:3, 3:5])
    foreground.begin((8, 12))
    foreground.put(Box(0, 0, 8, 12), np.arange(12) % 4 > 1 + np.zeros((8, 12)))
    assert foreground.region(Box(0, 0, 1, 6)).tolist() == [[False, True, False, True, False, True]]


@given(polygon_sets(), st.integers(0, 5), st.integers(0, 99), st.sampled_from([1, 5, 30]))
def test_what_can_be_drawn_is_final(polygons, n_parts, seed, band):
    foreground, pixels = random_foreground(seed)
    expected = reference.expand_labels(reference.numbered_labels(polygons, SHAPE), pixels, foreground.distance)
    streaming = StreamingLabels(SHAPE, band=band, foreground=foreground)
    for rows in add_in_parts(streaming, polygons, n_parts, seed):
        np.testing.assert_array_equal(streaming.picture().region(Box(0, 0, rows, SHAPE[1])), expected[:rows])
    assert rows == SHAPE[0]
    np.testing.assert_array_equal(streaming.picture().region(Box(0, 0, *SHAPE), 2), expected[::2, ::2])
    for box in cut(SHAPE, 17):
        np.testing.assert_array_equal(streaming.whole().region(box), expected[box.slices])


@given(polygon_sets(), st.integers(0, 5), st.integers(0, 99), st.sampled_from([1, 5, 30]))
def test_table_is_that_of_the_final_picture(polygons, n_parts, seed, band):
    foreground, pixels = random_foreground(seed)
    streaming = StreamingLabels(SHAPE, band=band, foreground=foreground)
    for _ in add_in_parts(streaming, polygons, n_parts, seed):
        pass
    labels = reference.expand_labels(reference.numbered_labels(polygons, SHAPE), pixels, foreground.distance)
    expected, found = measure(labels, in_order_if_shown(polygons)), columns_of(streaming)
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])


def test_rows_wait_for_labels_that_may_expand_into_them():
    polygons = StarPolygons(np.array([[10.0, 9.0]]), np.full((1, 8), 3.0), np.array([0.9]))
    streaming = StreamingLabels(SHAPE, band=1, foreground=random_foreground(0)[0])
    streaming.add(polygons, 40, 35)
    streaming.advance()
    assert streaming.n_drawable == 30
    streaming.add(polygons.take([]), math.inf, math.inf)
    streaming.advance()
    assert streaming.n_drawable == SHAPE[0]


def test_a_bent_object_gets_its_shape_and_polygons_stay():
    labels = horseshoe()
    model, image = PaintedModel(has_foreground=True), seen_once(labels, (18, 7), (30, 37))
    by_polygons, known = model.predict_instances(image)
    by_masks, details = model.predict_instances(image, expand_into_foreground=50)
    assert iou(by_polygons == by_polygons[18, 7], labels == 1) < 0.6
    assert iou(by_masks == by_masks[18, 7], labels == 1) == 1
    assert iou(by_masks == by_masks[30, 37], labels == 2) == 1
    np.testing.assert_array_equal(details["coord"], known["coord"])


@settings(max_examples=20)
@given(st.integers(0, 9), st.sampled_from(TILES_AND_SCALES), st.integers(1, 30))
def test_a_slide_in_tiles_is_the_image_in_one(tmp_path_factory, seed, tiles, distance):
    tile_size, scale = tiles
    folder = tmp_path_factory.mktemp("slide")
    image = paint(disks((190, 210), seed, 40))
    image[::3, ::2, 0] *= 0.1  # objects with fewer polygons, so that there is something left to expand into
    model = PaintedModel(has_foreground=True)
    expected, _ = model.predict_instances(image, expand_into_foreground=distance, scale=scale)
    outputs = SlideOutputs(labels=folder / "labels.tif", table=folder / "table.csv")
    segment_slide(
        PaintedModel(has_foreground=True),
        image,
        outputs,
        expand_into_foreground=distance,
        scale=scale,
        tile_size=tile_size,
        journal=folder / "journal",
    )
    np.testing.assert_array_equal(tifffile.imread(outputs.labels), expected)


def test_a_stopped_run_goes_on_with_the_foreground_of_its_tiles(tmp_path, monkeypatch):
    image = paint(disks((190, 210), 3, 40))
    expected, _ = PaintedModel(has_foreground=True).predict_instances(image, expand_into_foreground=9)
    stopping, outputs = PaintedModel(has_foreground=True), SlideOutputs(labels=tmp_path / "labels.tif")
    network, answer = stopping._predictor, type(stopping._predictor).__call__

    def stop(self, batch):
        if len(network.windows) == 3:
            raise KeyboardInterrupt
        return answer(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(type(network), "__call__", stop)
        with pytest.raises(KeyboardInterrupt):
            segment_slide(
                stopping, image, outputs, expand_into_foreground=9, tile_size=152, journal=tmp_path / "journal"
            )
    again = PaintedModel(has_foreground=True)
    n_tiles = segment_slide(
        again, image, outputs, expand_into_foreground=9, tile_size=152, journal=tmp_path / "journal"
    ).n_tiles
    assert 0 < len(again._predictor.windows) < n_tiles
    np.testing.assert_array_equal(tifffile.imread(outputs.labels), expected)


def test_a_model_without_foreground_is_said():
    with pytest.raises(ConfigError, match="foreground"):
        PaintedModel().predict_instances(paint(horseshoe()), expand_into_foreground=5)


@pytest.mark.parametrize("distance", [-1, LARGEST_GROWTH + 1])
def test_how_far_is_bounded(distance):
    with pytest.raises(ConfigError, match=str(LARGEST_GROWTH)):
        PaintedModel(has_foreground=True).predict_instances(paint(horseshoe()), expand_into_foreground=distance)


def grown(distance: int, level: float = 0.5, **settings) -> PaintedModel:
    """A painted model whose masks follow its foreground."""
    model = PaintedModel(has_foreground=True, **settings)
    model.spec = model.spec.replace(mask_growth=MaskGrowth(distance, level))
    return model


def test_masks_follow_the_foreground_as_the_model_says():
    labels = horseshoe()
    image = seen_once(labels, (18, 7), (30, 37))
    by_model, _ = grown(50).predict_instances(image)
    asked, _ = PaintedModel(has_foreground=True).predict_instances(image, expand_into_foreground=50)
    plain, _ = PaintedModel(has_foreground=True).predict_instances(image)
    np.testing.assert_array_equal(by_model, asked)
    np.testing.assert_array_equal(grown(50).predict_instances(image, expand_into_foreground=0)[0], plain)
    # no pixel has a foreground probability above 1
    np.testing.assert_array_equal(grown(50, 1.0).predict_instances(image)[0], plain)


def test_the_models_distance_is_one_of_the_image_that_the_network_sees():
    foreground = ForegroundMask((40, 60), 4, rescaled=True)
    assert foreground.distance == 4
    foreground.begin((20, 30))
    assert foreground.distance == 8
    foreground.begin((400, 600))
    assert foreground.distance == 1
    asked = ForegroundMask((40, 60), 4)
    asked.begin((20, 30))
    assert asked.distance == 4


def test_a_network_without_foreground_grows_nothing():
    model = PaintedModel()
    model.spec = model.spec.replace(mask_growth=MaskGrowth(5))
    image = paint(horseshoe())
    np.testing.assert_array_equal(model.predict_instances(image)[0], PaintedModel().predict_instances(image)[0])


def test_an_image_is_not_looked_at_again_for_its_foreground():
    def n_windows(model) -> int:
        model.spec = model.spec.replace(sizes=SizeRange(3, 30, 300))
        model.predict_instances(seen_once(horseshoe(), (18, 7), (30, 37)))
        return len(model._predictor.windows)

    assert n_windows(grown(50)) == n_windows(PaintedModel(has_foreground=True))


def test_bands_in_threads_expand_as_the_whole(monkeypatch):
    rng = np.random.default_rng(0)
    labels = np.zeros((150, 90), np.int32)
    for label, (y, x) in enumerate(rng.integers(2, (145, 85), (20, 2)), start=1):
        labels[y : y + 3, x : x + 3] = label
    mask = ForegroundMask(labels.shape, 9)
    mask.put(Box(0, 0, *labels.shape), rng.random(labels.shape) < 0.8)
    whole = expand_labels(labels, mask.region(Box(0, 0, *labels.shape)), 9)
    monkeypatch.setattr("starpoly.labels.mask_growth._WORTH_THREADS", 1)
    for threads in (1, 2, 5):
        monkeypatch.setattr("starpoly.labels.mask_growth.n_threads", lambda n=threads: n)
        np.testing.assert_array_equal(mask.expand(labels), whole)
