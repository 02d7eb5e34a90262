"""Position and size: the columns that every table has."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .columns import OBJECT_COLUMNS
from .window import Window

COLUMNS = tuple(column for column in OBJECT_COLUMNS if column.name not in ("label", "score", "class", "confidence"))


def measure(window: Window) -> dict[str, NDArray]:
    """The columns of some objects; see :data:`COLUMNS`."""
    y, x = window.shapes.centroids.T
    return {"y": y, "x": x, **sizes(window.shapes.areas, window.pixel_size)}


def sizes(areas: NDArray[np.int64], pixel_size: tuple[float, float] | None = None) -> dict[str, NDArray]:
    """Area and diameter, in pixels and, if the pixel size is known, in micrometres."""
    columns: dict[str, NDArray] = {"area": areas, "diameter": np.sqrt(4 * areas / np.pi)}
    return columns if pixel_size is None else columns | sizes_um(areas, pixel_size)


def sizes_um(areas: NDArray[np.int64], pixel_size: tuple[float, float]) -> dict[str, NDArray]:
    """Area in square micrometres, and diameter of the circle of that area."""
    area = np.asarray(areas) * (pixel_size[0] * pixel_size[1])
    return {"area_um2": area, "diameter_um": np.sqrt(4 * area / np.pi)}
