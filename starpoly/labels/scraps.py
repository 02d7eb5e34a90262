"""Scraps: pieces that an object loses, so that each label is one connected piece.

A piece is known once all pixels of its object are; then its pixels become background, in whatever region they are drawn
(:mod:`starpoly.geometry.pieces` has the rule). Labels expand into the foreground after that, and may take them back.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.pieces import lost_pieces
from ..tiling import Box

_ROWS = 256
"""Rows of the image whose scraps are listed together."""


class Scraps:
    """Pixels that belong to nobody, as runs along rows; one thread adds, any number erase what was added before."""

    def __init__(self) -> None:
        self._runs: dict[int, list[NDArray[np.int64]]] = {}

    def __repr__(self) -> str:
        return f"Scraps({sum(len(runs) for parts in self._runs.values() for runs in parts)} runs)"

    def add(self, runs: NDArray[np.int64]) -> None:
        """Add runs (n, 3): row, first column, column after the last, in pixels of the image."""
        for part in np.unique(runs[:, 0] // _ROWS).tolist():
            self._runs.setdefault(part, []).append(runs[runs[:, 0] // _ROWS == part])

    def erase(self, labels: NDArray, box: Box, step: int = 1) -> NDArray:
        """Erase what lies in a box, from every ``step``-th of its pixels; changes ``labels``."""
        for part in range(box.y0 // _ROWS, -(-box.y1 // _ROWS)):
            for runs in tuple(self._runs.get(part, ())):
                inside = runs[(runs[:, 0] >= box.y0) & (runs[:, 0] < box.y1) & ((runs[:, 0] - box.y0) % step == 0)]
                for y, start, stop in inside.tolist():
                    columns = slice(*(max(0, -(-(x - box.x0) // step)) for x in (start, stop)))
                    labels[(y - box.y0) // step, columns] = 0
        return labels


def erase_scraps(labels: NDArray) -> NDArray:
    """Leave of each label of a whole image its largest piece; changes ``labels``."""
    scraps = Scraps()
    scraps.add(lost_pieces(labels)[:, :3])
    return scraps.erase(labels, Box(0, 0, *labels.shape))
