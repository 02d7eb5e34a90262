"""Read label images of every registered kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError
from ..files.url import as_path
from .images import native, without_single_channel
from .registry import find_reader


def read_labels(path: str | Path) -> NDArray:
    """Read a label image.

    Parameters
    ----------
    path : str or Path
        A TIFF, PNG, BMP or NPY file or an OME-Zarr; a palette is ignored, its indices are the labels.

    Returns
    -------
    (Y, X) integer array
        As stored; bool becomes uint8, whole numbers in floats int32 or int64, uint64 int64.

    Raises
    ------
    ImageError
        If the file cannot be read (see :func:`starpoly.io.read_image`), is a JPEG (lossy), has channels,
        or numbers that are not whole.
    """
    path = as_path(path)
    labels = without_single_channel(find_reader(path).read(path, raw=True))
    if labels.ndim != 2 or 0 in labels.shape:
        raise ImageError(
            f"{path}: expected a label image with axes YX, got shape {labels.shape}; save labels as a grey image of ids"
        )
    return native(_whole_numbers(labels, path))


def _whole_numbers(labels: NDArray, path: Path) -> NDArray:
    if labels.dtype.kind == "b":
        return labels.astype(np.uint8)
    if labels.dtype.kind == "f":
        if not (np.isfinite(labels).all() and (labels == np.rint(labels)).all() and np.abs(labels).max() < 2**53):
            raise ImageError(f"{path}: expected whole numbers as labels, got fractions or NaN; is this an image?")
        return labels.astype(np.int32 if np.abs(labels).max() < 2**31 else np.int64)
    if labels.dtype.kind not in "ui":
        raise ImageError(f"{path}: expected whole numbers as labels, got {labels.dtype}")
    if labels.dtype.kind == "u" and labels.dtype.itemsize == 8:
        if labels.max() > np.iinfo(np.int64).max:
            raise ImageError(f"{path}: expected labels below 2**63, got {labels.max()}; relabel it")
        return labels.astype(np.int64)
    return labels
