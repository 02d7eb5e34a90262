"""Shape: bounding box, perimeter, ellipse, convex hull, Feret diameter."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .columns import PIXEL_SIZE, SQUARE_PIXELS, Column
from .window import Window

COLUMNS = (
    Column("bbox_y0", "px", "first row", "int"),
    Column("bbox_x0", "px", "first column", "int"),
    Column("bbox_y1", "px", "row after the last one", "int"),
    Column("bbox_x1", "px", "column after the last one", "int"),
    Column("touches_border", "", "1 if the object has a pixel at the border of the segmented image or region", "int"),
    Column("perimeter", "px", "as in `skimage.measure.perimeter` with neighbourhood 4"),
    Column("circularity", "", "4π area / perimeter², in pixels; small objects may exceed 1"),
    Column("eccentricity", "", "of the ellipse with the same second moments; 0 for a circle"),
    Column("major_axis", "px", "length of that ellipse's major axis"),
    Column("minor_axis", "px", "length of its minor axis"),
    Column("orientation_rad", "rad", "angle from the y axis to the major axis, from -π/2 to π/2, as in scikit-image"),
    Column("solidity", "", "area / number of pixels in the convex hull"),
    Column("feret_max", "px", "largest Feret (caliper) diameter of the convex hull"),
    Column("perimeter_um", "um", "perimeter", "float", SQUARE_PIXELS),
    Column("major_axis_um", "um", "major axis", "float", PIXEL_SIZE),
    Column("minor_axis_um", "um", "minor axis", "float", PIXEL_SIZE),
    Column("feret_max_um", "um", "largest Feret diameter", "float", PIXEL_SIZE),
)

_BOX = ("bbox_y0", "bbox_x0", "bbox_y1", "bbox_x1")
_SQUARE = 1e-6
"""Largest relative difference of height and width of a square pixel: files round their sizes."""


def measure(window: Window) -> dict[str, NDArray]:
    """The columns of some objects; see :data:`COLUMNS`."""
    shapes, (yy, xx, xy) = window.shapes, window.shapes.moments.T
    large, small = _eigenvalues(yy, xx, xy)
    shown = shapes.areas > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        circularity = np.where(shapes.perimeters > 0, 4 * np.pi * shapes.areas / shapes.perimeters**2, np.nan)
        eccentricity = np.where(large > 0, np.sqrt(1 - small / large), np.where(shown, 0.0, np.nan))
    return {
        **dict(zip(_BOX, shapes.boxes.T, strict=True)),
        "touches_border": _touches(shapes.boxes, window.image_shape) & shown,
        "perimeter": shapes.perimeters,
        "circularity": circularity,
        "eccentricity": eccentricity,
        "major_axis": 4 * np.sqrt(large),
        "minor_axis": 4 * np.sqrt(small),
        "orientation_rad": _orientation(yy, xx, xy),
        "solidity": shapes.areas / shapes.convex_areas,
        "feret_max": shapes.feret,
        **_in_micrometres(window),
    }


def _in_micrometres(window: Window) -> dict[str, NDArray]:
    if window.pixel_size is None:
        return {}
    (y, x), shapes = window.pixel_size, window.shapes
    yy, xx, xy = shapes.moments.T
    large, small = _eigenvalues(yy * (y * y), xx * (x * x), xy * (y * x))
    perimeter = {"perimeter_um": shapes.perimeters * y} if math.isclose(y, x, rel_tol=_SQUARE) else {}
    return perimeter | {
        "major_axis_um": 4 * np.sqrt(large),
        "minor_axis_um": 4 * np.sqrt(small),
        "feret_max_um": shapes.feret_scaled,
    }


def _eigenvalues(yy: NDArray, xx: NDArray, xy: NDArray) -> tuple[NDArray, NDArray]:
    """Larger and smaller eigenvalue of the matrices of second moments, not below 0."""
    middle, half = (yy + xx) / 2, np.hypot((yy - xx) / 2, xy)
    return np.maximum(middle + half, 0), np.maximum(middle - half, 0)


def _orientation(yy: NDArray, xx: NDArray, xy: NDArray) -> NDArray[np.float64]:
    """Angle of the major axis, with scikit-image's choice where all directions are alike."""
    alike = np.where(xy > 0, np.pi / 4, -np.pi / 4)
    angle = np.where(yy == xx, alike, 0.5 * np.arctan2(2 * xy, yy - xx))
    return np.where(np.isnan(yy), np.nan, angle)


def _touches(boxes: NDArray[np.int64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    return (boxes[:, :2] == 0).any(axis=1) | (boxes[:, 2:] == shape).any(axis=1)
