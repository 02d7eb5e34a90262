"""Rows do not depend on blocks, nor on the objects measured beside them."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.segmentation import expand_labels

from starpoly.geometry.object_shape import label_boxes
from starpoly.io.readers.array import ArraySource
from starpoly.labels.measures import blocks, parts
from starpoly.labels.measures.blocks import BlockMeasurer, LabelImage
from starpoly.labels.measures.registry import MEASURES, find_column
from starpoly.labels.object_table import measure_objects
from starpoly.polygons import StarPolygons
from starpoly.tiling import Box

from support.elsewhere import elsewhere
from support.painted import disks

EVERYTHING = tuple(MEASURES)


def pixels_of(labels, n_channels=2, seed=0):
    return np.random.default_rng(seed).normal(100, 30, (*labels.shape, n_channels)).astype(np.float32)


def assert_equal(found, expected):
    assert list(found) == list(expected)
    for name, column in expected.items():
        np.testing.assert_array_equal(found[name], column, err_msg=name)


@given(st.integers(0, 99), st.integers(1, 40), st.integers(1, 9))
@settings(deadline=None, max_examples=20)
def test_blocks_do_not_matter(seed, side, largest):
    labels = disks((90, 70), seed, 20)
    image = pixels_of(labels, seed=seed)
    whole = measure_objects(labels, image, measure="all", pixel_size=(0.3, 0.3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "_SIDES", (side, side))
        patch.setattr(blocks, "_LARGEST_WINDOW", largest)
        assert_equal(measure_objects(labels, image, measure="all", pixel_size=(0.3, 0.3)), whole)


def test_columns_are_those_that_the_registry_tells():
    labels = disks((60, 60), 1, 9)
    for size in (None, (0.5, 0.5), (0.5, 0.25)):
        columns = measure_objects(labels, pixels_of(labels), measure="all", pixel_size=size)
        for name, column in columns.items():
            kind = find_column(name).kind
            assert (column.dtype.kind in "bui") == (kind == "int"), name
        told = [c for measure in MEASURES.values() for c in measure.columns()]
        is_there = {
            "": True,
            "pixel size known": size is not None,
            "pixel size known, pixels square": size == (0.5, 0.5),
        }
        expected = [
            name
            for column in told
            for name in (
                [column.name.format(channel=channel) for channel in "01"] if "{" in column.name else [column.name]
            )
            if is_there.get(column.when, True)
        ]
        assert set(columns) == {"label", *expected}


def test_only_windows_are_read():
    labels = np.zeros((4000, 4000), np.int32)
    for label in range(1, 200):
        y, x = 20 * label, (577 * label) % 3900
        labels[y : y + 9, x : x + 9] = label
    areas = []

    class Watched(ArraySource):
        def read(self, box, channels):
            areas.append(box.shape[0] * box.shape[1])
            return super().read(box, channels)

    source = Watched(np.broadcast_to(np.arange(4000, dtype=np.uint8), (4000, 4000)))
    measure_objects(labels[:100, :100], source[:100, :100])
    tracemalloc.start()
    columns = measure_objects(labels, source)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(columns["label"]) == 199
    assert max(areas) <= 4 * 1024**2
    assert peak < 250e6


def test_a_giant_object_is_measured_alone():
    labels = np.zeros((300, 300), np.int32)
    labels[10:290, 10:290], labels[2, 2], labels[297, 297] = 1, 2, 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "_SIDES", (16, 16))
        columns = measure_objects(labels)
    assert columns["area"].tolist() == [280 * 280, 1, 1]
    assert columns["touches_border"].tolist() == [False, False, False]


@pytest.mark.parametrize(("rows", "most"), [(1024, 1 << 16), (5, 1 << 16), (1024, 3), (0, 1)])
def test_parts_keep_their_rows(monkeypatch, rows, most):
    monkeypatch.setattr(parts, "_ROWS", rows)
    monkeypatch.setattr(parts, "_MOST", most)
    labels = disks((90, 70), 3, 30)
    present = np.unique(labels)[1:]
    centres = np.array([np.argwhere(labels == label).mean(axis=0) for label in present])
    order = np.argsort(centres[:, 0])
    polygons = StarPolygons(centres[order], np.full((len(order), 8), 16.0), np.ones(len(order)))
    measurer = BlockMeasurer([LabelImage(lambda box: labels[box.slices], EVERYTHING)], labels.shape)

    def given_parts():
        for some in np.array_split(np.arange(len(order)), 7):
            yield polygons.take(some), {"label": present[order][some]}

    def boxes(polygons):
        low = np.clip(np.floor(polygons.points - 17), 0, labels.shape)
        high = np.clip(np.ceil(polygons.points + 17), 0, labels.shape)
        return np.concatenate([low, high], axis=1).astype(np.int64)

    found = list(parts.measure_parts(given_parts(), measurer, boxes))
    assert [len(polygons) for polygons, _ in found] == [len(part) for part, _ in given_parts()]
    together = {name: np.concatenate([columns[name] for _, columns in found]) for name in found[0][1]}
    expected = measure_objects(labels, measure="all")
    by_label = np.argsort(together["label"])
    assert_equal({name: column[by_label] for name, column in together.items()}, expected)


@pytest.mark.parametrize("run", [map, elsewhere])
def test_label_images_may_reach_beyond_the_boxes(run):
    nucleus = disks((90, 70), 4, 9)
    cell, image = expand_labels(nucleus, 3), pixels_of(nucleus)
    ids = np.unique(nucleus)[1:]
    boxes = label_boxes(nucleus, int(ids.max()))[ids - 1]
    images = [
        LabelImage(lambda box: nucleus[box.slices], EVERYTHING),
        LabelImage(lambda box: cell[box.slices], EVERYTHING, prefix="cell_", reach=3),
    ]
    found = BlockMeasurer(images, cell.shape, ArraySource(image), run=run).measure(ids, boxes)
    for prefix, labels in (("", nucleus), ("cell_", cell)):
        expected = measure_objects(labels, image, measure="all")
        rows = np.searchsorted(expected.pop("label"), ids)
        assert_equal(
            {name: found[prefix + name] for name in expected}, {name: column[rows] for name, column in expected.items()}
        )


def test_no_objects_have_all_columns():
    empty, some = np.zeros((5, 6), int), np.ones((5, 6), int)
    image = pixels_of(empty)
    columns = measure_objects(empty, image, measure="all")
    assert list(columns) == list(measure_objects(some, image, measure="all"))
    assert all(len(column) == 0 for column in columns.values())
    measurer = BlockMeasurer([LabelImage(lambda box: empty[box.slices], EVERYTHING)], (5, 6))
    assert measurer.measure(np.empty(0, int), np.empty((0, 4), np.int64))["area"].dtype == np.int64
    assert measurer._window(np.empty((0, 4), np.int64)) == Box(0, 0, 0, 0)
