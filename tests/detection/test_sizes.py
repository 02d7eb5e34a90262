"""Diameters and scales as numbers."""

from __future__ import annotations

import numpy as np
import pytest

from starpoly.detection.sizes import Diameter, typical_diameter
from starpoly.errors import ConfigError
from starpoly.polygons import StarPolygons


def test_typical_diameter_is_that_of_the_median_circle():
    circles = StarPolygons(np.zeros((3, 2)), np.array([[3.0], [5.0], [50.0]]) * np.ones((3, 8)), np.ones(3))
    assert typical_diameter(circles) == pytest.approx(10)
    assert typical_diameter(StarPolygons.empty(8)) == 0


def test_a_diameter_in_micrometres_needs_the_size_of_pixels():
    assert Diameter(30.0).in_pixels(None) == 30
    assert Diameter(12.0, physical=True).in_pixels((0.5, 0.5)) == 24
    assert Diameter(12.0, physical=True).in_pixels((0.2, 0.8)) == pytest.approx(30)
    with pytest.raises(ConfigError, match="to know how many are 12 um, got one that does not; give --pixel-size"):
        Diameter(12.0, physical=True).in_pixels(None)
