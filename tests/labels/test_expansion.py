"""Cells from nuclei: whole images, regions, growing labels, areas."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import starpoly
from starpoly.errors import ConfigError, ImageError
from starpoly.geometry.nearest_label import Reach, expand_to_nearest
from starpoly.labels import expansion as module
from starpoly.labels.cell_areas import CellAreas
from starpoly.labels.expansion import ExpandedLabels, Expansion, RingLabels, expand_labels
from starpoly.labels.lazy import LazyLabels
from starpoly.labels.streaming import StreamingLabels
from starpoly.labels.whole import WholeLabels
from starpoly.tiling import Box, cut

import reference
from support.strategies import SHAPE, polygon_sets
from support.streaming_labels import add_in_parts, in_order_if_shown

REACHES = st.sampled_from([Reach(1), Reach(2.5), Reach(6, 0.5)])


@pytest.mark.parametrize(
    ("given_as", "expected"),
    [
        (12, Expansion(12.0, "px")),
        (2.5, Expansion(2.5, "px")),
        (np.int64(3), Expansion(3.0, "px")),
        ("12", Expansion(12.0, "px")),
        ("12px", Expansion(12.0, "px")),
        ("5um", Expansion(5.0, "um")),
        (" 0.5 µm ", Expansion(0.5, "um")),
        ("5μm", Expansion(5.0, "um")),
        (Expansion(3, "um"), Expansion(3, "um")),
    ],
)
def test_distances_are_understood(given_as, expected):
    assert Expansion.of(given_as) == expected


@pytest.mark.parametrize(
    "wrong", ["", "um", "5 cells", "5nm", "-1", "0", 0, -2, "nan", float("inf"), "1e999", "0,5", None]
)
def test_other_distances_are_refused(wrong):
    with pytest.raises(ConfigError, match=r"expand: expected a distance above 0 .* such as 12, '12px' or '5um', got"):
        Expansion.of(wrong)


def test_micrometres_want_a_pixel_size():
    labels = np.array([[1, 0, 0, 0, 0, 0]])
    with pytest.raises(ConfigError, match=r"expected an image with a pixel size, to convert 5 um.*--pixel-size"):
        expand_labels(labels, "5um")
    assert expand_labels(labels, "1um", 0.5).tolist() == [[1, 1, 1, 0, 0, 0]]
    assert expand_labels(labels, "1um", (7, 0.25)).tolist() == [[1, 1, 1, 1, 1, 0]]
    assert expand_labels(labels, 2, 0.5).tolist() == [[1, 1, 1, 0, 0, 0]]


def test_what_are_no_labels_is_refused():
    for wrong in (np.zeros((3, 3)), np.zeros(5, int), np.array([[0, -1]])):
        with pytest.raises(ImageError, match="labels: expected integers from 0 with axes YX"):
            expand_labels(wrong, 2)


def test_the_short_name():
    assert starpoly.expand_labels is expand_labels


@pytest.mark.parametrize("dtype", [bool, np.uint8, ">u2", np.int64])
def test_arrays_of_any_kind_block_by_block(monkeypatch, dtype):
    monkeypatch.setattr(module, "_BLOCK", 11)
    labels = np.zeros((40, 33), dtype)
    labels[5, 5] = labels[20:23, 17:19] = 1
    labels[38, 30] = 1 if dtype is bool else 9
    found = expand_labels(labels, 7)
    np.testing.assert_array_equal(found, reference.expand_to_nearest(labels, 7))
    assert found.dtype == labels.dtype.newbyteorder("=")


@given(polygon_sets(), REACHES, st.integers(1, 30), st.sampled_from([1, 2, 5]))
def test_regions_make_up_the_whole_whatever_the_tiles(polygons, reach, size, step):
    nuclei = LazyLabels(polygons, SHAPE)
    whole = expand_to_nearest(nuclei[:, :], reach)
    cells = ExpandedLabels(nuclei, reach)
    assert (cells.shape, cells.dtype) == (nuclei.shape, nuclei.dtype)
    for box in cut(SHAPE, size):
        np.testing.assert_array_equal(cells.region(box, step), whole[box.slices][::step, ::step])


@given(polygon_sets(), REACHES, st.integers(0, 9))
def test_cells_of_growing_labels_are_those_of_whole_ones(polygons, reach, seed):
    shown = in_order_if_shown(polygons)
    held = ExpandedLabels(WholeLabels(shown, SHAPE).picture(), reach).region(Box(0, 0, *SHAPE))
    growing = StreamingLabels(SHAPE, band=4)
    for _ in add_in_parts(growing, polygons, 3, seed):
        pass
    np.testing.assert_array_equal(ExpandedLabels(growing.picture(), reach).region(Box(0, 0, *SHAPE)), held)


@given(polygon_sets(), REACHES)
def test_boxes_hold_the_cells_and_areas_count_them(polygons, reach):
    whole = WholeLabels(in_order_if_shown(polygons), SHAPE)
    cells = ExpandedLabels(whole.picture(), reach)
    labels = cells.region(Box(0, 0, *SHAPE))
    ids = np.arange(1, whole.count() + 1)
    for label, low, high in zip(ids, *cells.boxes(whole.polygons), strict=True):
        y, x = np.nonzero(labels == label)
        assert low[0] <= y.min() <= y.max() < high[0]
        assert low[1] <= x.min() <= x.max() < high[1]
    areas = CellAreas(cells)
    half = len(ids) // 2
    for part in (slice(0, half), slice(half, None), slice(0, None)):  # some at a time, and once more
        found = areas.of(whole.polygons.take(part), ids[part])
        assert found.tolist() == [int((labels == label).sum()) for label in ids[part]]


def test_rings_are_cells_without_nuclei():
    polygons = starpoly.StarPolygons(np.array([[10.0, 10], [10, 18]]), np.full((2, 8), 3.0), np.array([0.9, 0.8]))
    nuclei = LazyLabels(polygons, (20, 30))
    cells, box = ExpandedLabels(nuclei, Reach(4)), Box(0, 0, 20, 30)
    ring = RingLabels(nuclei, cells)
    assert (ring.shape, ring.dtype) == (nuclei.shape, nuclei.dtype)
    np.testing.assert_array_equal(ring.region(box) + nuclei.region(box), cells.region(box))
    assert not (ring.region(box)[nuclei.region(box) > 0]).any()
    np.testing.assert_array_equal(ring.region(box, 3), ring.region(box)[::3, ::3])


def test_regions_of_growing_labels_wait_for_what_has_an_influence():
    polygons = starpoly.StarPolygons(np.array([[5.0, 10], [30, 10]]), np.full((2, 8), 3.0), np.array([0.9, 0.8]))
    growing = StreamingLabels((60, 20), band=1)
    growing.add(polygons.take([0]), 20.0, 17.0)  # nothing else above row 17
    growing.advance()
    cells, done = ExpandedLabels(growing.picture(), Reach(4)), threading.Event()
    assert cells.region(Box(0, 0, 10, 20)).any()
    thread = threading.Thread(target=lambda: (cells.region(Box(0, 0, 16, 20)), done.set()))
    thread.start()
    assert not done.wait(0.2)
    growing.add(polygons.take([1]), np.inf, np.inf)
    growing.advance()
    assert done.wait(20)
    thread.join()
