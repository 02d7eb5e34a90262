"""Diameters and scales as numbers."""

from __future__ import annotations

import numpy as np
import pytest

from starpoly.detection.options import DetectionOptions
from starpoly.detection.sizes import typical_diameter
from starpoly.errors import ConfigError
from starpoly.polygons import StarPolygons


def test_typical_diameter_is_that_of_the_median_circle():
    circles = StarPolygons(np.zeros((3, 2)), np.array([[3.0], [5.0], [50.0]]) * np.ones((3, 8)), np.ones(3))
    assert typical_diameter(circles) == pytest.approx(10)
    assert typical_diameter(StarPolygons.empty(8)) == 0


def test_a_diameter_in_micrometres_needs_the_size_of_pixels():
    assert DetectionOptions(diameter=30.0).in_pixels(None).diameter == 30
    assert DetectionOptions(diameter_um=12.0).in_pixels((0.5, 0.5)).diameter == 24
    assert DetectionOptions(diameter_um=12.0).in_pixels((0.2, 0.8)).diameter == pytest.approx(30)
    with pytest.raises(ConfigError, match="to convert 12 um to pixels, got one without; give --pixel-size"):
        DetectionOptions(diameter_um=12.0).in_pixels(None)
