"""Directions of the rays of a star-convex polygon."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import StarpolyError


def ray_angles(n_rays: int) -> NDArray[np.float64]:
    """Angles ``phi_k = 2 pi k / n_rays`` in radians, shape (n_rays,); ray 0 points along +x, angles grow towards +y."""
    if n_rays < 3:
        raise StarpolyError(f"rays: expected at least 3 rays, got {n_rays}; a polygon needs three vertices")
    return 2 * np.pi * np.arange(n_rays) / n_rays


def ray_directions(n_rays: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit vectors of the rays.

    Parameters
    ----------
    n_rays : int
        Number of rays, at least 3.

    Returns
    -------
    sin, cos : (n_rays,) float64
        The y and the x component of each direction, equal to those of ``StarPolygons.vertices``.

    Raises
    ------
    StarpolyError
        For fewer than three rays.
    """
    angles = ray_angles(n_rays)
    return np.sin(angles), np.cos(angles)
