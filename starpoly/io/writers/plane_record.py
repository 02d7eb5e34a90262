"""Objects of a plane in a file of their own: written when the plane is done, read when the results of the stack are written.

A sequence of arrays in NumPy's format; reading executes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...polygons import StarPolygons
from ..files.atomic import new_file
from .results import Results

_PARTS = ("points", "distances", "probabilities", "class_probabilities")


def write_results(path: Path, results: Results) -> None:
    """Write polygons and columns of all objects, part by part, and what is measured of them."""
    plain = list(next(iter(results.objects()))[1])
    with new_file(path) as temporary, open(temporary, "wb") as file:
        for polygons, columns in results.measured():
            arrays = {name: getattr(polygons, name) for name in _PARTS if getattr(polygons, name) is not None}
            table = {name: np.asarray(column) for name, column in columns.items()}
            header = json.dumps({"polygons": list(arrays), "columns": list(table), "plain": plain})
            for array in (np.frombuffer(header.encode(), np.uint8), *arrays.values(), *table.values()):
                np.save(file, array, allow_pickle=False)


def read_record(path: Path, *, measured: bool = False) -> Iterator[tuple[StarPolygons, dict[str, Any]]]:
    """Polygons and columns of all objects, in the parts in which they were written; also what is measured, if wanted."""
    with open(path, "rb") as file:
        while file.peek(1):
            header = json.loads(_load(file).tobytes())
            arrays = {name: _load(file) for name in header["polygons"]}
            columns = {name: _load(file) for name in header["columns"]}
            shown = columns if measured else {name: columns[name] for name in header["plain"]}
            yield StarPolygons(**arrays), shown


def _load(file: BinaryIO) -> NDArray:
    array: NDArray = np.load(file, allow_pickle=False)
    return array
