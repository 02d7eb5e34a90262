"""Label images of any size to tiled OME-TIFF with a pyramid."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files.atomic import new_file
from .labels import resolution
from .pyramid import RegionLabels, check_labels, check_pixel_size, level_shape, pull, pyramid_steps

TILE = 512
_SMALLEST_LEVEL = 1024
_BIG_FROM = 2**32 - 2**25  # bytes; classic TIFF addresses 4 GiB
_AT_ONCE = 1 << 24  # bytes that are compressed in one pass


def write_label_tiff(
    path: str | Path,
    labels: RegionLabels,
    *,
    pixel_size: tuple[float, float] | None = None,
    pyramid: bool = True,
    before_naming: Callable[[], None] | None = None,
) -> None:
    """Write a label image as a tiled, zlib-compressed OME-TIFF, a few tiles at a time.

    Tiles of 512 x 512 pixels with a horizontal predictor; BigTIFF where a classic one may not do. Lower levels lie in
    SubIFDs, each half as large as the one before, down to 1 024 pixels a side; their pixels are pixels of the full
    resolution, so ids stay ids. Equal labels give equal bytes.

    Parameters
    ----------
    path : str or Path
        The file, best named ``*.ome.tiff`` or ``*.tiff``; replaced whole, or left as it was if writing fails.
    labels : RegionLabels
        The picture, uint16 or uint32.
    pixel_size : (float, float), optional
        Height and width of a pixel in micrometres, written as resolution and as OME's physical size.
    pyramid : bool
        Whether to write lower levels.
    before_naming : callable, optional
        Called when the file is whole, before it takes its name; should it raise, there is no file.

    Raises
    ------
    ImageError
        If the picture is no label image, or the file cannot be written.
    """
    import tifffile

    check_labels(labels, path)
    pixel_size = check_pixel_size(pixel_size, path)
    steps = pyramid_steps(labels.shape, _SMALLEST_LEVEL) if pyramid else [1]
    options: dict[str, Any] = {
        "tile": (TILE, TILE),
        "compression": "zlib",
        "predictor": True,
        "photometric": "minisblack",
        "buffersize": _AT_ONCE,
    }
    with new_file(path) as temporary:
        with tifffile.TiffWriter(temporary, bigtiff=_is_big(labels), ome=True) as file:
            for step in steps:
                first = step == 1
                file.write(
                    _tiles(labels, step),
                    shape=level_shape(labels.shape, step),
                    dtype=labels.dtype,
                    subifds=len(steps) - 1 if first else None,
                    subfiletype=0 if first else 1,
                    metadata=_metadata(labels, pixel_size) if first else None,
                    **resolution(pixel_size, step),
                    **options,
                )
        if before_naming is not None:
            before_naming()


def _tiles(labels: RegionLabels, step: int) -> Iterator[NDArray]:
    for _, pixels in pull(labels, step, TILE):
        beyond = [(0, TILE - length) for length in pixels.shape]
        yield np.pad(pixels, beyond) if pixels.shape != (TILE, TILE) else pixels


def _is_big(labels: RegionLabels) -> bool:
    # the levels below add up to a third
    return labels.shape[0] * labels.shape[1] * labels.dtype.itemsize * 4 // 3 >= _BIG_FROM


def _metadata(labels: RegionLabels, pixel_size: tuple[float, float] | None) -> dict[str, Any]:
    """OME's metadata, whose identifier is a function of what they say, not of the hour."""
    metadata: dict[str, Any] = {"axes": "YX", "Name": "labels", "Creator": "starpoly"}
    if pixel_size is not None:
        metadata |= {"PhysicalSizeY": pixel_size[0], "PhysicalSizeX": pixel_size[1]}
    said = json.dumps(["starpoly labels", *map(int, labels.shape), str(labels.dtype), metadata])
    return metadata | {"UUID": str(uuid.uuid5(uuid.NAMESPACE_OID, said))}
