"""Write the labels of a stack as OME-TIFF, plane by plane."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...tiling import Box
from ..files.atomic import new_file
from . import label_tiff
from .origin import origin_tags
from .pyramid import LabelStack, level_shape, pyramid_steps


def write_label_stack(
    path: str | Path,
    stack: LabelStack,
    *,
    origin: str | None = None,
    before_naming: Callable[[], None] | None = None,
) -> None:
    """Write the labels of a stack as a zlib-compressed OME-TIFF, a page for each plane.

    The resolution is in pixels per micrometre, as of a plain label image; OME's metadata name the unit.
    Planes of up to 2 048 x 2 048 pixels are written whole. Larger ones become tiles of 512 x 512 pixels, with pyramid
    levels in SubIFDs as of a single image. Memory: a plane, or a few of its tiles. Equal labels give equal bytes.

    Parameters
    ----------
    path : str or Path
        The file; replaced whole, or left as it was if writing fails.
    stack : LabelStack
    origin : str, optional
        Hash of the image's content, which the file then names (TIFF's DocumentName).
    before_naming : callable, optional
        Called when the file is complete, before it is renamed.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    import tifffile

    height, width = stack.shape
    plain = height * width <= label_tiff.LARGEST_PLAIN
    steps = [1] if plain else pyramid_steps(stack.shape, label_tiff._SMALLEST_LEVEL)
    n_bytes = int(np.prod((*stack.lengths, height, width), dtype=object)) * stack.dtype.itemsize
    tiled: dict[str, Any] = (
        {}
        if plain
        else {"tile": (label_tiff.TILE, label_tiff.TILE), "predictor": True, "buffersize": label_tiff._AT_ONCE}
    )
    with new_file(path) as temporary:
        with tifffile.TiffWriter(temporary, bigtiff=n_bytes * 4 // 3 >= label_tiff._BIG_FROM, ome=True) as file:
            for step in steps:
                first = step == 1
                file.write(
                    _pages(stack) if plain else _tiles(stack, step),
                    shape=(*stack.lengths, *level_shape(stack.shape, step)),
                    dtype=stack.dtype,
                    compression="zlib",
                    photometric="minisblack",
                    subifds=len(steps) - 1 if first and len(steps) > 1 else None,
                    subfiletype=0 if first else 1,
                    metadata=_metadata(stack) if first else None,
                    **tiled,
                    **_resolution(stack.pixel_size, step),
                    **origin_tags(origin if first else None),
                )
        if before_naming is not None:
            before_naming()


def _resolution(pixel_size: tuple[float, float] | None, step: int) -> dict[str, Any]:
    """Pixels per micrometre, as in a plain label image: OME's metadata state the unit, ImageJ shows the same number."""
    if pixel_size is None:
        return {}
    return {"resolution": tuple(1 / (size * step) for size in reversed(pixel_size)), "resolutionunit": "NONE"}


def _pages(stack: LabelStack) -> Iterator[NDArray]:
    for plane in stack.planes():
        yield plane.region(Box(0, 0, *stack.shape)).astype(stack.dtype, copy=False)


def _tiles(stack: LabelStack, step: int) -> Iterator[NDArray]:
    for plane in stack.planes():
        for tile in label_tiff._tiles(plane, step):
            yield tile.astype(stack.dtype, copy=False)


def _metadata(stack: LabelStack) -> dict[str, Any]:
    """OME's metadata, whose identifier is a function of what they say, not of the hour."""
    metadata: dict[str, Any] = {"axes": f"{stack.axes}YX", "Name": "labels", "Creator": "starpoly"}
    if stack.pixel_size is not None:
        metadata |= {"PhysicalSizeY": stack.pixel_size[0], "PhysicalSizeX": stack.pixel_size[1]}
        if any(start := stack.frame.translation(stack.pixel_size)):
            n, unit = prod(stack.lengths), "µm"
            metadata["Plane"] = {
                **{f"Position{axis}": [at] * n for axis, at in zip("YX", start, strict=True)},
                **{f"Position{axis}Unit": [unit] * n for axis in "YX"},
            }
    known = {axis: step for axis, step in zip(stack.axes, stack.steps, strict=True) if step is not None}
    if "Z" in known:
        metadata |= {"PhysicalSizeZ": known["Z"]}
    if "T" in known:
        metadata |= {"TimeIncrement": known["T"], "TimeIncrementUnit": "s"}
    said = json.dumps(["starpoly labels", *stack.lengths, *map(int, stack.shape), str(stack.dtype), metadata])
    return metadata | {"UUID": str(uuid.uuid5(uuid.NAMESPACE_OID, said))}
