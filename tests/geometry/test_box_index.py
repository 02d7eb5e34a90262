from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starpoly.geometry import box_index as bins
from starpoly.geometry.box_index import BoxIndex
from starpoly.tiling import Box

corner = st.integers(0, 60)
rectangle = st.tuples(corner, corner, st.integers(0, 40), st.integers(0, 40))


@pytest.fixture(autouse=True)
def small_cells(monkeypatch):
    monkeypatch.setattr(bins, "_CELL", 4)


@given(st.lists(rectangle, max_size=30), rectangle)
def test_finds_what_meets_the_window_and_nothing_else(rectangles, window):
    low = np.array([(y, x) for y, x, _, _ in rectangles], np.int64).reshape(-1, 2)
    high = low + np.array([(h, w) for _, _, h, w in rectangles], np.int64).reshape(-1, 2)
    y, x, height, width = window
    pixels = {(i, j) for i in range(y, y + height) for j in range(x, x + width)}
    expected = [
        index
        for index, (top, left, h, w) in enumerate(rectangles)
        if any((i, j) in pixels for i in range(top, top + h) for j in range(left, left + w))
    ]
    assert BoxIndex(low, high).find(Box(y, x, y + height, x + width)).tolist() == expected


def test_a_huge_rectangle_is_filed_once():
    low = np.zeros((1001, 2), np.int64)
    low[1:, 1] = np.arange(1000) * 4
    high = low + 4
    high[0] = 1 << 40
    index = BoxIndex(low, high)
    assert sum(len(grid._members) for grid in index._grids) == 1001
    assert index.find(Box(2, 400, 3, 401)).tolist() == [0, 101]
