"""Polygons in bands: numbered as far as their visibility is known."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from starpoly.labels.bands import Band, WaitingPolygons, certain_rows, neighbours
from starpoly.labels.lazy import extents
from starpoly.tiling import Box

from support.examples import stars
from support.strategies import SHAPE, polygon_sets


@given(polygon_sets(), st.floats(0, SHAPE[0]))
def test_waiting_polygons_part_at_a_row(polygons, row):
    waiting = WaitingPolygons.of(polygons)
    above, below = waiting.above(row), waiting.below(row)
    assert (above.points[:, 0] < row).all()
    assert (below.polygons.points[:, 0] >= row).all()
    assert len(above) + len(below.polygons) == len(polygons)
    np.testing.assert_array_equal(below.tops, WaitingPolygons.of(below.polygons).tops)


def test_ids_go_to_the_leading_polygons_whose_visibility_is_known():
    band = Band(stars((5, 5, 3), (10, 5, 3), (20, 5, 3), (30, 5, 3)), SHAPE, start=7, margin=0)
    assert band.open_row(SHAPE[0]) == 1
    band.areas[:] = [4, 0, 6, 0]
    # the second may still show: it ends below the measured rows
    assert band.number(10, last=3) == 4
    assert band.ids.tolist() == [4, 0, 0, 0]
    assert band.number(20, last=4) == 5
    assert band.ids.tolist() == [4, 0, 5, 0]
    assert band.count_final(20) == 2
    assert band.open_row(SHAPE[0]) == 26
    assert band.number(SHAPE[0], last=5) == 5
    assert band.open_row(SHAPE[0]) == SHAPE[0]
    assert band.shown(7, 11).tolist() == [0, 2]
    assert band.shown(8, 10).tolist() == [2]


@given(polygon_sets(), st.integers(0, 5), st.integers(0, 40), st.integers(0, 40))
def test_a_polygon_touches_whatever_its_label_may_expand_into(polygons, margin, y, x):
    if not len(polygons):
        return
    low, high = extents(polygons, SHAPE)
    band, box = Band(polygons, SHAPE, 0, margin), Box(y, x, y + 4, x + 4)
    near = ((low - margin < (box.y1, box.x1)) & (high + margin > (box.y0, box.x0)) & (low < high)).all(axis=1)
    assert set(np.flatnonzero(near)) <= set(band.touching(box))


def test_rows_are_certain_above_all_that_may_follow():
    assert certain_rows(20.7, 64) == 18
    assert certain_rows(1, 64) == 0
    assert certain_rows(math.inf, 64) == 64


def test_pieces_are_known_of_the_leading_polygons_that_are_certain():
    band = Band(stars((5, 5, 3), (10, 5, 9), (20, 5, 3)), SHAPE, start=0, margin=4)
    assert band.join(10).tolist() == [0]
    assert band.unjoined_row(SHAPE[0]) == 0
    # the third waits for the second
    assert band.join(24).tolist() == [1]
    assert band.join(SHAPE[0]).tolist() == [2]
    assert band.unjoined_row(SHAPE[0]) == SHAPE[0]


@given(polygon_sets(), st.integers(1, 70))
def test_neighbours_are_all_polygons_once_in_boxes_that_hold_them(polygons, side):
    if not len(polygons):
        return
    band, seen = Band(polygons, SHAPE, 0, 0), []
    for rows, box in neighbours(band, np.arange(len(polygons)), side):
        assert np.ptp(polygons.points[rows], axis=0).max() < side
        assert (band.low[rows] >= (box.y0, box.x0)).all()
        assert (band.high[rows] <= (box.y1, box.x1)).all()
        seen += rows.tolist()
    assert sorted(seen) == list(range(len(polygons)))
