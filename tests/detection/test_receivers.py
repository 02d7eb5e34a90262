"""Polygons on their way from suppression to the results."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starpoly.detection.receivers import CheckedAtTheEnd, PolygonList, RescalingReceiver
from starpoly.errors import ConfigError
from starpoly.polygons import StarPolygons

import reference
from support.examples import stars


class Heard:
    """Remembers what it is told."""

    def __init__(self):
        self.told = []

    def add(self, *told):
        self.told.append(told)


def test_collected_are_in_the_order_of_ids_whatever_the_order_they_came_in():
    first, second = stars((8, 8, 2), (3, 9, 1)), stars((3, 4, 2), (9, 1, 1))
    for parts in ((first, second), (second, first)):
        collected = PolygonList()
        for part in parts:
            collected.add(part, 0, 0)
        assert collected.polygons().points.tolist() == [[3, 4], [3, 9], [8, 8], [9, 1]]


@given(st.integers(0, 999), st.sampled_from([0.3, 0.5, 1.7, 3.0]), st.floats(0, 60))
def test_none_that_is_to_come_is_brought_above_the_frontier(seed, scale, row):
    rng = np.random.default_rng(seed)
    points = np.float32(rng.uniform(row, 60, (20, 2)))
    polygons = StarPolygons(points, rng.uniform(0, 5, (20, 8)), rng.uniform(0, 1, 20))
    heard = Heard()
    RescalingReceiver(heard, scale).add(polygons, float(points[:, 0].min()), row - 5)
    ((found, centres, reach),) = heard.told
    assert centres == found.points[:, 0].min()
    assert found.vertices()[:, 0].min() >= reach - 1e-3
    assert reference.by_position(found) == reference.by_position(polygons)
    RescalingReceiver(heard, scale).add(polygons, math.inf, math.inf)
    assert heard.told[-1][1:] == (math.inf, math.inf)


def test_what_is_doubtful_is_left_out():
    collected = RescalingReceiver(PolygonList(), least=0.5, calibration=[(0.0, 0.0), (1.0, 1.0)])
    collected.add(stars((8, 8, 2), (3, 9, 1), probabilities=[0.4, 0.6]), 0, 0)
    assert collected.polygons().points.tolist() == [[3, 9]]
    with pytest.raises(ConfigError, match="calibrated"):
        RescalingReceiver(PolygonList(), least=0.5).add(stars((8, 8, 2)), 0, 0)


def test_the_last_polygons_come_after_a_check():
    said = []

    class Told:
        def add(self, polygons, centres, points):
            said.append(centres)

    def check():
        said.append("checked")

    receiver = CheckedAtTheEnd(Told(), check)
    nothing = StarPolygons(np.empty((0, 2)), np.empty((0, 8)), np.empty(0))
    receiver.add(nothing, 3.0, 1.0)
    receiver.add(nothing, math.inf, math.inf)
    assert said == [3.0, "checked", math.inf]
