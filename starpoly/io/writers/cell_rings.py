"""Convert the masks of cells to rings of (x, y), a block of the image at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ...geometry.mask_outline import mask_outline
from ...polygons import StarPolygons
from ...tiling import Box
from .results import Cells

_AT_ONCE = 4096  # cells
_BLOCK = 1024  # pixels a side; cells that begin in a block are drawn together


Ring = NDArray[np.float64]


def cell_outlines(cells: Cells, polygons: StarPolygons, labels: NDArray) -> Iterator[tuple[Ring, Ring]]:
    """The rings around the masks of each nucleus and its cell, see :func:`~starpoly.geometry.mask_outline.mask_outline`.

    Both come from label images: where a better nucleus hides part of another one, its cell does too.

    Parameters
    ----------
    cells : Cells
    polygons : StarPolygons
        The nuclei.
    labels : (n,) integers
        Their labels, which are those of the cells.

    Yields
    ------
    nucleus, cell : (k, 2) float64
        Vertices ``(x, y)``, the origin at the corner of the image.
    """
    for start in range(0, len(polygons), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        low, high = cells.boxes(polygons.take(part))
        rings: list[tuple[Ring, Ring]] = [(np.empty((0, 2)), np.empty((0, 2)))] * len(low)
        for rows in _by_block(low):
            corner = low[rows].min(axis=0)
            box = Box(*corner.tolist(), *high[rows].max(axis=0).tolist())
            drawn = cells.nuclei.region(box), cells.region(box)
            for row in rows:
                (y0, x0), (y1, x1) = low[row] - corner, high[row] - corner
                masks = (pixels[y0:y1, x0:x1] == labels[start + row] for pixels in drawn)
                nucleus, cell = (mask_outline(mask) + low[row][::-1] for mask in masks)
                rings[row] = nucleus, cell
        yield from rings


def _by_block(low: NDArray[np.int64]) -> Iterator[NDArray[np.intp]]:
    """Rows of the boxes that begin in the same block."""
    if not len(low):
        return
    _, block = np.unique(low // _BLOCK, axis=0, return_inverse=True)
    order = np.argsort(block.ravel(), kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(block.ravel()[order])) + 1)
