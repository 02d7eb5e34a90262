"""Write label images as TIFF: plain if small, tiled OME-TIFF with a pyramid if large."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError
from ...parallel import n_threads
from ...tiling import Box
from ..files.atomic import new_file
from ..frame import Frame
from .origin import origin_tags
from .pyramid import RegionLabels, check_labels, check_pixel_size, level_shape, pull, pyramid_steps
from .results import Results

TILE = 512
"""Pixels a side of the tiles of a large image."""

LARGEST_PLAIN = 2048 * 2048
"""Largest number of pixels of a plain TIFF, which every program reads."""

_SMALLEST_LEVEL = 1024  # pixels a side at which the pyramid ends
_BIG_FROM = 2**32 - 2**25  # bytes; classic TIFF addresses 4 GiB
_AT_ONCE = 1 << 24  # bytes that are compressed in one pass
_MICROMETRES_PER_CM = 1e4


def write_labels(
    path: str | Path,
    labels: NDArray | RegionLabels,
    *,
    pixel_size: tuple[float, float] | None = None,
    frame: Frame | None = None,
    origin: str | None = None,
    before_naming: Callable[[], None] | None = None,
) -> None:
    """Write a label image as a zlib-compressed TIFF.

    Images of up to 2 048 x 2 048 pixels become a plain TIFF. Larger ones become an OME-TIFF, written a few tiles at a
    time: tiles of 512 x 512 pixels with a horizontal predictor, pyramid levels in SubIFDs, each half the size of the
    one before, down to 1 024 pixels a side. Files near 4 GiB become BigTIFF. Levels are subsampled, so ids stay ids.
    Equal labels give equal bytes, from an array or by region.

    Parameters
    ----------
    path : str or Path
        The file; replaced whole, or left as it was if writing fails.
    labels : (Y, X) integer or bool array, or RegionLabels
        0 background, 1..n the objects. An array is stored as uint16 up to id 65 535, as uint32 above; RegionLabels with
        the dtype that they have.
    pixel_size : (float, float), optional
        Height and width of a pixel in micrometres: in a plain TIFF as ImageJ writes them, in an OME-TIFF as physical size
        and as resolution per centimetre.
    frame : Frame, optional
        Where the image lies in its slide: in a plain TIFF as ImageJ's origin, in an OME-TIFF as the plane's position.
    origin : str, optional
        Hash of the image's content, which the file then names (TIFF's DocumentName).
    before_naming : callable, optional
        Called when the file is complete, before it is renamed. If it raises, no file appears.

    Raises
    ------
    ImageError
        If there are no labels, ids are negative or beyond uint32, or the pixel size is not positive; an OutputError if
        the file cannot be written.

    Examples
    --------
    >>> write_labels("cells_label.tiff", labels, pixel_size=(0.5, 0.5))  # doctest: +SKIP
    """
    path = Path(path)
    picture = labels if hasattr(labels, "region") else _ArrayLabels(_smallest(np.asarray(labels), path))
    check_labels(picture, path)
    pixel_size = check_pixel_size(pixel_size, path)
    write = _write_plain if picture.shape[0] * picture.shape[1] <= LARGEST_PLAIN else _write_tiled
    with new_file(path) as temporary:
        write(temporary, picture, pixel_size, frame or Frame(), origin)
        if before_naming is not None:
            before_naming()


def write_results(path: Path, results: Results, *, before_naming: Callable[[], None] | None = None) -> None:
    """Write the labels of an image or a stack; see :func:`write_labels`."""
    if (stack := results.stack) is not None:
        from .label_stack import write_label_stack

        return write_label_stack(path, stack, origin=results.origin, before_naming=before_naming)
    write_labels(
        path,
        results.labels,
        pixel_size=results.pixel_size,
        frame=results.frame,
        origin=results.origin,
        before_naming=before_naming,
    )


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


class _ArrayLabels:
    """An array as :class:`RegionLabels`."""

    def __init__(self, labels: NDArray) -> None:
        self._labels = labels
        self.shape, self.dtype = labels.shape, labels.dtype

    def region(self, box: Box, step: int = 1) -> NDArray:
        """Every ``step``-th pixel of a box."""
        return self._labels[box.slices][::step, ::step]


def _smallest(labels: NDArray, path: Path) -> NDArray:
    """The labels in the smallest dtype that holds them."""
    if labels.ndim != 2 or 0 in labels.shape or labels.dtype.kind not in "bui":
        raise ImageError(f"{path}: expected labels as integers (Y, X), got {labels.dtype} of shape {labels.shape}")
    if labels.dtype.kind == "i" and labels.min() < 0:
        raise ImageError(f"{path}: expected labels >= 0, got {labels.min()}")
    return labels.astype(label_dtype(int(labels.max())), copy=False)


def _write_plain(
    path: Path, labels: RegionLabels, pixel_size: tuple[float, float] | None, frame: Frame, origin: str | None
) -> None:
    import tifffile

    tifffile.imwrite(
        path,
        labels.region(Box(0, 0, *labels.shape)),
        compression="zlib",
        photometric="minisblack",
        predictor=False,
        metadata=None,
        maxworkers=n_threads(),
        **_imagej(pixel_size, frame),
        **origin_tags(origin),
    )


def _write_tiled(
    path: Path, labels: RegionLabels, pixel_size: tuple[float, float] | None, frame: Frame, origin: str | None
) -> None:
    import tifffile

    steps = pyramid_steps(labels.shape, _SMALLEST_LEVEL)
    with tifffile.TiffWriter(path, bigtiff=_is_big(labels), ome=True) as file:
        for step in steps:
            first = step == 1
            file.write(
                _tiles(labels, step),
                shape=level_shape(labels.shape, step),
                dtype=labels.dtype,
                tile=(TILE, TILE),
                compression="zlib",
                predictor=True,
                photometric="minisblack",
                buffersize=_AT_ONCE,
                maxworkers=n_threads(),
                subifds=len(steps) - 1 if first else None,
                subfiletype=0 if first else 1,
                metadata=_metadata(labels, pixel_size, frame) if first else None,
                **_resolution(pixel_size, step),
                **origin_tags(origin if first else None),
            )


def _tiles(labels: RegionLabels, step: int) -> Iterator[NDArray]:
    for _, pixels in pull(labels, step, TILE):
        beyond = [(0, TILE - length) for length in pixels.shape]
        yield np.pad(pixels, beyond) if pixels.shape != (TILE, TILE) else pixels


def _is_big(labels: RegionLabels) -> bool:
    # the levels below add up to a third
    return labels.shape[0] * labels.shape[1] * labels.dtype.itemsize * 4 // 3 >= _BIG_FROM


def _metadata(labels: RegionLabels, pixel_size: tuple[float, float] | None, frame: Frame) -> dict[str, Any]:
    """OME's metadata, whose identifier is a function of what they say, not of the hour."""
    metadata: dict[str, Any] = {"axes": "YX", "Name": "labels", "Creator": "starpoly"}
    if pixel_size is not None:
        metadata |= {"PhysicalSizeY": pixel_size[0], "PhysicalSizeX": pixel_size[1]}
        if any(start := frame.translation(pixel_size)):
            unit = {"PositionYUnit": ["µm"], "PositionXUnit": ["µm"]}
            metadata["Plane"] = {"PositionY": [start[0]], "PositionX": [start[1]], **unit}
    said = json.dumps(["starpoly labels", *map(int, labels.shape), str(labels.dtype), metadata])
    return metadata | {"UUID": str(uuid.uuid5(uuid.NAMESPACE_OID, said))}


def _imagej(pixel_size: tuple[float, float] | None, frame: Frame) -> dict[str, Any]:
    """What tifffile is to write about size and origin, as ImageJ writes it: pixels per unit, and a description.

    ImageJ would show a resolution per centimetre in centimetres. It has no 32-bit labels, so tifffile writes none for it.
    """
    if pixel_size is None and frame.is_whole:
        return {}
    lines = ["ImageJ=1.54f"] if pixel_size is None else ["ImageJ=1.54f", "unit=micron"]
    y, x = (-offset / step for offset, step in zip(frame.offset, frame.step, strict=True))
    lines += [f"xorigin={x:.10g}", f"yorigin={y:.10g}"] if x or y else []
    said: dict[str, Any] = {"description": "\n".join(lines) + "\n"}
    if pixel_size is not None:
        said |= {"resolution": tuple(1 / size for size in reversed(pixel_size)), "resolutionunit": "NONE"}
    return said


def _resolution(pixel_size: tuple[float, float] | None, step: int = 1) -> dict[str, Any]:
    """What tifffile is to write about the size (y, x) of a pixel in micrometres, at every ``step``-th pixel."""
    if pixel_size is None:
        return {}
    per_cm = tuple(_MICROMETRES_PER_CM / (size * step) for size in reversed(pixel_size))
    return {"resolution": per_cm, "resolutionunit": "CENTIMETER"}
