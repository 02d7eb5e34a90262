"""Objects of an image, from its table and its label image."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, ImageError
from ..io.readers.source import Source
from ..tiling import cut_along

_AT_ONCE = 1 << 22  # pixels read at a time
_LARGEST = 1e9
"""Numbers above are none that starpoly writes: neither diameters in pixels or micrometres, nor scores."""


@dataclass(frozen=True)
class Objects:
    """Diameters in pixels, optional diameters in micrometres, optional scores, and the number at the border."""

    diameters: NDArray[np.float64]
    micrometres: NDArray[np.float64] | None
    scores: NDArray[np.float64] | None
    n_border: int

    def __len__(self) -> int:
        return len(self.diameters)


def read_objects(labels: Source, table: Path | None, others: Iterable[Source] = ()) -> Objects:
    """Measure the objects of a label image, or of all planes of a stack.

    Parameters
    ----------
    labels : Source
        Label image with one channel.
    table : Path or None
        CSV file from ``starpoly predict --table``. Without it, sizes come from pixel counts and scores are unknown.
    others : iterable of Source
        The other planes of a stack.

    Raises
    ------
    ImageError, DataError
        If the labels or the table cannot be read.
    """
    n_border, found = 0, []
    for plane in chain([labels], others):
        n_border += len(_border_ids(plane))
        if table is None:
            found.append(_areas(plane))
    if table is None:
        return Objects(np.sqrt(4 / np.pi * np.concatenate(found)), None, None, n_border)
    columns = _read_columns(table)
    return Objects(columns["diameter"], columns.get("diameter_um"), columns.get("score"), n_border)


def _read_columns(table: Path) -> dict[str, NDArray[np.float64]]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            header = next(rows)
            wanted = {name: header.index(name) for name in ("diameter", "diameter_um", "score") if name in header}
            values = [[float(row[index] or "nan") for index in wanted.values()] for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error, StopIteration, ValueError, IndexError) as error:
        raise DataError(f"{table}: expected a table of objects (CSV), got: {error or 'an empty file'}") from error
    if "diameter" not in wanted:
        raise DataError(f"{table}: expected a table with a column 'diameter', got {', '.join(header)}")
    array = np.array(values, np.float64).reshape(-1, len(wanted))
    if not (np.isnan(array) | ((array >= 0) & (array <= _LARGEST))).all():
        raise DataError(f"{table}: expected diameters and scores of objects, got negative or absurd numbers")
    return dict(zip(wanted, array.T, strict=True))


def _border_ids(labels: Source) -> NDArray:
    """Ids in the first or last row or column."""
    height, width = _shape(labels)
    sides = (labels[:1, :], labels[height - 1 :, :], labels[:, :1], labels[:, width - 1 :])
    ids = np.unique(np.concatenate([side.ravel() for side in sides]))
    return ids[ids > 0]


def _areas(labels: Source) -> NDArray[np.int64]:
    """Pixel count of each object, by id."""
    parts: list[tuple[NDArray, NDArray]] = []
    for box in cut_along(_shape(labels), labels.block, _AT_ONCE, origin=labels.offset):
        parts.append(np.unique(labels[box.slices], return_counts=True))
    ids, where = np.unique(np.concatenate([part[0] for part in parts]), return_inverse=True)
    areas = np.bincount(where, weights=np.concatenate([part[1] for part in parts])).astype(np.int64)
    return areas[ids > 0]


def _shape(labels: Source) -> tuple[int, int]:
    height, width, n_channels = labels.shape
    if n_channels != 1 or labels.dtype.kind not in "bui":
        raise ImageError(
            f"{labels.name}: expected a label image of integers, got {labels.dtype} of shape {labels.shape}"
        )
    return height, width
