"""Write label images: no id wraps, no half file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError
from ...parallel import n_threads
from ..files.atomic import new_file

TILE = (512, 512)
_TILED_FROM = 2048 * 2048  # pixels; smaller images are read whole by everything
_MICROMETRES_PER_CM = 1e4
_BIG_FROM = 2**32 - 2**25  # bytes; classic TIFF addresses 4 GiB


def label_dtype(n: int) -> type[np.uint16] | type[np.uint32]:
    """The smallest of uint16 and uint32 that holds the ids 0..n.

    Raises
    ------
    ImageError
        If uint32 does not hold them.
    """
    if n > np.iinfo(np.uint32).max:
        raise ImageError(f"labels: expected ids below 2**32, got {n}; relabel them")
    return np.uint16 if n <= np.iinfo(np.uint16).max else np.uint32


def write_labels(path: str | Path, labels: NDArray, *, pixel_size: tuple[float, float] | None = None) -> None:
    """Write a label image as a zlib-compressed TIFF.

    uint16 up to id 65 535, uint32 above; images of more than 2 048 x 2 048 pixels in tiles with a horizontal
    predictor; BigTIFF where a classic one may not do. Equal labels give equal bytes.

    Parameters
    ----------
    path : str or Path
        The file; replaced whole, or left as it was if writing fails.
    labels : (Y, X) integer or bool array
        0 background, 1..n the objects.
    pixel_size : (float, float), optional
        Height and width of a pixel in micrometres, written as resolution.

    Raises
    ------
    ImageError
        If the array is no label image; OutputError if the file cannot be written.
    """
    import tifffile

    path = Path(path)
    labels = np.asarray(labels)
    if labels.ndim != 2 or 0 in labels.shape or labels.dtype.kind not in "bui":
        raise ImageError(f"{path}: expected labels as integers (Y, X), got {labels.dtype} of shape {labels.shape}")
    if labels.dtype.kind == "i" and labels.min() < 0:
        raise ImageError(f"{path}: expected labels >= 0, got {labels.min()}")
    stored = labels.astype(label_dtype(int(labels.max())), copy=False)
    large = stored.size > _TILED_FROM
    with new_file(path) as temporary:
        tifffile.imwrite(
            temporary,
            stored,
            bigtiff=stored.nbytes >= _BIG_FROM,
            compression="zlib",
            photometric="minisblack",
            tile=TILE if large else None,
            predictor=large,
            metadata=None,
            maxworkers=n_threads(),
            **resolution(pixel_size),
        )


def resolution(pixel_size: tuple[float, float] | None, step: int = 1) -> dict[str, Any]:
    """What tifffile is to write about the size (y, x) of a pixel in micrometres, at every ``step``-th pixel."""
    if pixel_size is None:
        return {}
    per_cm = tuple(_MICROMETRES_PER_CM / (size * step) for size in reversed(pixel_size))
    return {"resolution": per_cm, "resolutionunit": "CENTIMETER"}
