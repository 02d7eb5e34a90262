"""Areas of cells, counted band by band as far as they are asked for."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from ..polygons import StarPolygons
from ..tiling import Box, cut
from .expansion import ExpandedLabels

_BLOCK = 1024
"""Side in pixels of the blocks that are counted at once."""


class CellAreas:
    """Number of pixels of each cell. Several threads may ask; each row is counted once.

    Memory: 8 bytes per object, and a block.

    Parameters
    ----------
    cells : ExpandedLabels
        Of a dtype for any id. Where labels are still found, a region waits for them.
    """

    def __init__(self, cells: ExpandedLabels) -> None:
        self._cells = cells
        self._counts = np.zeros(1024, np.int64)
        self._counted = 0  # rows
        self._lock = threading.Lock()

    def of(self, polygons: StarPolygons, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Areas of the cells of objects, by their polygons and ids."""
        if not len(ids):
            return np.zeros(0, np.int64)
        _, high = self._cells.boxes(polygons)
        with self._lock:
            while self._counted < high[:, 0].max():
                stop = min(self._counted + _BLOCK, self._cells.shape[0])
                self._count(self._counted, stop)
                self._counted = stop
            return self._grown(int(ids.max()))[ids]

    def _count(self, y0: int, y1: int) -> None:
        for block in cut((y1 - y0, self._cells.shape[1]), _BLOCK):
            labels = self._cells.region(Box(block.y0 + y0, block.x0, block.y1 + y0, block.x1))
            labels = labels[labels > 0]
            if labels.size:
                first, last = int(labels.min()), int(labels.max())
                self._grown(last)[first : last + 1] += np.bincount(labels - labels.dtype.type(first))

    def _grown(self, largest: int) -> NDArray[np.int64]:
        """The counts, of room for an id."""
        if largest >= len(self._counts):
            self._counts = np.pad(self._counts, (0, max(largest + 1, 2 * len(self._counts)) - len(self._counts)))
        return self._counts


def cell_columns(
    areas: NDArray[np.int64], cells: NDArray[np.int64], pixel_size: tuple[float, float] | None
) -> dict[str, NDArray]:
    """Columns about cells: their areas, and those of the rings around the nuclei.

    Parameters
    ----------
    areas, cells : (n,) int64
        Number of pixels of each nucleus and of its cell.
    pixel_size : (float, float) or None
        Micrometres per pixel (y, x).

    Returns
    -------
    dict
        ``cell_area`` and ``ring_area`` in pixels and, if the pixel size is known, ``cell_area_um2`` and ``ring_area_um2``.
    """
    columns: dict[str, NDArray] = {"cell_area": cells, "ring_area": cells - areas}
    if pixel_size is None:
        return columns
    return columns | {f"{name}_um2": column * (pixel_size[0] * pixel_size[1]) for name, column in columns.items()}
