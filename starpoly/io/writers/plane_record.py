"""Objects of a plane in a file of their own: written when the plane is done, read when the results of the stack are written.

A sequence of arrays in NumPy's format; reading executes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from ...polygons import Outline, StarPolygons
from ..files.atomic import new_file
from .results import Results

_PARTS = ("points", "distances", "probabilities", "class_probabilities")
_OUTLINES = ("lengths", "vertices")


class PlaneResults(Results, Protocol):
    """Results of one plane."""

    @property
    def margin(self) -> int:
        """Pixels by which labels may reach beyond their polygons; known once an object is."""
        ...


@dataclass(frozen=True)
class RecordedObjects:
    """Some objects of a plane, as they were written.

    Attributes
    ----------
    polygons : StarPolygons
    columns : dict of str to array
    measured : dict of str to array
        Further columns: what was measured.
    margin : int
        Pixels by which labels may reach beyond their polygons.
    """

    polygons: StarPolygons
    columns: dict[str, Any]
    measured: dict[str, Any]
    margin: int


def write_results(path: Path, results: PlaneResults, *, outlined: bool = False) -> None:
    """Write all objects of a plane, part by part: polygons, columns, what is measured and, if wanted, outlines of masks."""
    plain = list(next(iter(results.objects()))[1])
    with new_file(path) as temporary, open(temporary, "wb") as file:
        for polygons, columns in results.measured(outlined=outlined):
            arrays = {name: getattr(polygons, name) for name in _PARTS if getattr(polygons, name) is not None}
            rings = _packed(polygons.outlines)
            table = {name: np.asarray(column) for name, column in columns.items()}
            header = {
                "polygons": list(arrays),
                "outlines": list(rings),
                "columns": list(table),
                "plain": plain,
                "margin": results.margin,
            }
            text = np.frombuffer(json.dumps(header).encode(), np.uint8)
            for array in (text, *arrays.values(), *rings.values(), *table.values()):
                np.save(file, array, allow_pickle=False)


def read_record(path: Path) -> Iterator[RecordedObjects]:
    """All objects, in the parts in which they were written."""
    with open(path, "rb") as file:
        while file.peek(1):
            header = json.loads(_load(file).tobytes())
            arrays = {name: _load(file) for name in header["polygons"]}
            rings = {name: _load(file) for name in header["outlines"]}
            table = {name: _load(file) for name in header["columns"]}
            columns = {name: table.pop(name) for name in header["plain"]}
            polygons = StarPolygons(**arrays, outlines=_unpacked(**rings) if rings else None)
            yield RecordedObjects(polygons, columns, table, int(header["margin"]))


def _packed(outlines: Sequence[Outline | None] | None) -> dict[str, NDArray]:
    """Outlines in two arrays: number of vertices of each, -1 for none, and all vertices."""
    if outlines is None:
        return {}
    lengths = np.array([-1 if outline is None else len(outline) for outline in outlines], np.int64)
    found = [outline for outline in outlines if outline is not None]
    vertices = np.concatenate([np.empty((0, 2), np.float32), *found])
    return dict(zip(_OUTLINES, (lengths, vertices), strict=True))


def _unpacked(lengths: NDArray[np.int64], vertices: NDArray[np.float32]) -> list[Outline | None]:
    stops = np.cumsum(np.maximum(lengths, 0)).tolist()
    return [
        None if length < 0 else vertices[stop - length : stop]
        for length, stop in zip(lengths.tolist(), stops, strict=True)
    ]


def _load(file: BinaryIO) -> NDArray:
    array: NDArray = np.load(file, allow_pickle=False)
    return array
