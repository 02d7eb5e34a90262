"""Directions of the rays."""

from __future__ import annotations

import numpy as np
import pytest

from starpoly.errors import StarpolyError
from starpoly.geometry.rays import ray_directions

from support import examples


def test_unit_vectors_from_the_x_axis_towards_y():
    sin, cos = ray_directions(4)
    np.testing.assert_allclose(sin, [0, 1, 0, -1], atol=1e-15)
    np.testing.assert_allclose(cos, [1, 0, -1, 0], atol=1e-15)


def test_equal_to_the_directions_of_vertices():
    polygons = examples.stars((0, 0, 1))
    np.testing.assert_array_equal(polygons.vertices()[0], ray_directions(examples.N_RAYS))


def test_two_rays_are_refused():
    with pytest.raises(StarpolyError, match="at least 3"):
        ray_directions(2)
