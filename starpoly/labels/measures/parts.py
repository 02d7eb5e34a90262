"""Measure objects that come in parts by position, as those of a slide do."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...polygons import StarPolygons
from .blocks import BlockMeasurer

_ROWS = 1024
"""Rows of objects measured at once: the pixels at their upper and lower ends are read twice."""
_MOST = 1 << 16
"""Objects measured at once; on a wide slide they take fewer rows."""

Part = tuple[StarPolygons, Mapping[str, Any]]


def measure_parts(
    parts: Iterable[Part], measurer: BlockMeasurer, boxes: Callable[[StarPolygons], NDArray[np.int64]]
) -> Iterator[Part]:
    """Add measurements to the columns of objects.

    Parameters
    ----------
    parts : iterable of (polygons, columns)
        Objects in the order of their centres' rows; ``label`` is one of the columns.
    measurer : BlockMeasurer
    boxes : callable
        Half-open boxes (n, 4) that hold the labels of polygons.

    Yields
    ------
    polygons : StarPolygons
    columns : dict
        Those given, then those measured. The parts are those given.
    """
    for together in _gathered(parts):
        ids = np.concatenate([np.asarray(columns["label"]) for _, columns in together])
        measured = measurer.measure(ids, np.concatenate([boxes(polygons) for polygons, _ in together]))
        start = 0
        for polygons, columns in together:
            stop = start + len(polygons)
            yield polygons, {**columns, **{name: column[start:stop] for name, column in measured.items()}}
            start = stop


def _gathered(parts: Iterable[Part]) -> Iterator[list[Part]]:
    """Lists of parts that follow one another, of some rows or objects each."""
    together: list[Part] = []
    n, first = 0, math.inf
    for part in parts:
        together.append(part)
        rows = part[0].points[:, 0]
        n, first = n + len(rows), min(first, rows.min(initial=math.inf))
        if n >= _MOST or rows.max(initial=-math.inf) - first >= _ROWS:
            yield together
            together, n, first = [], 0, math.inf
    if together:
        yield together
