"""Images read by region: files of any size, and arrays."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import ImageError, StarpolyWarning
from ...tiling import Box
from .array import ArraySource
from .blocks import EXPENSIVE_BYTES, warn_of_cost
from .images import TIFF_STARTS, first_bytes, read_image
from .npy import NPY_START, NpySource
from .openslide import SUFFIXES, OpenSlideSource
from .pixel_size import PixelSize
from .source import Source, check_level
from .tiff import NotByRegionError, TiffSource
from .view import SourceView
from .zarr import ZarrSource

__all__ = ["Source", "open_source", "read_pixel_size"]


def open_source(
    image: Any,
    *,
    level: int = 0,
    channels: Sequence[int] | None = None,
    roi: Box | None = None,
    pixel_size: PixelSize | None = None,
) -> Source:
    """Open an image to read it by region.

    Parameters
    ----------
    image : str, Path, Source or array-like
        A file or folder: TIFF (tiles or strips, BigTIFF, OME-TIFF, SVS, NDPI), OME-Zarr 0.4 and 0.5, a zarr array,
        ``.npy``; with the extra ``wsi`` also MIRAX, VMS and DICOM slides; PNG, JPEG and BMP are decoded whole. Or
        anything (Y, X) or (Y, X, C) with ``shape``, ``dtype`` and slicing. The kind of a file is told by its content.
    level : int
        Level of a pyramid, 0 the finest.
    channels : sequence of int, optional
        Which channels, in this order; all by default.
    roi : Box, optional
        A region, in pixels of that level.
    pixel_size : (float, float), optional
        Micrometres per pixel (y, x) of that level, in place of what the file says.

    Returns
    -------
    Source
        Intensities as :func:`starpoly.io.readers.images.read_image` gives them, always with axes YXC.

    Raises
    ------
    ImageError
        If the image is missing, damaged, of another kind or a stack, or the level, a channel or the region does not
        exist. Damage inside is found when the tile is read; the message names it.

    Warns
    -----
    StarpolyWarning
        If much must be decoded and held in memory at once, as with one compressed strip; the message says how much.
    """
    source = _open_path(Path(image), level) if isinstance(image, (str, Path)) else _open_array(image, level)
    try:
        warn_of_cost(source.name, source.read_warning)
        if roi is None and channels is None and pixel_size is None:
            return source
        return SourceView(source, roi, channels, pixel_size)
    except BaseException:
        source.close()
        raise


def read_pixel_size(path: str | Path) -> PixelSize | None:
    """Micrometres per pixel (y, x) that a file states, of TIFF and zarr; None for others and where it states none."""
    path = Path(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StarpolyWarning)  # said when it is read
        try:
            if path.is_dir():
                return ZarrSource(path).pixel_size
            if first_bytes(path).startswith(TIFF_STARTS):
                with TiffSource(path) as source:
                    return source.pixel_size
        except ImageError:
            pass
    return None


def _open_array(image: Any, level: int) -> Source:
    if isinstance(image, Source):
        check_level(image.name, level - image.level, [image.shape[:2]])
        return SourceView(image)
    source = ArraySource(image)
    check_level(source.name, level, source.levels)
    return source


def _open_path(path: Path, level: int) -> Source:
    if path.is_dir():
        return ZarrSource(path, level)
    start = first_bytes(path)
    if start.startswith(NPY_START):
        source: Source = NpySource(path)
        check_level(path, level, source.levels)
        return source
    if start.startswith(TIFF_STARTS):
        try:
            return TiffSource(path, level)
        except NotByRegionError:
            return _open_whole(path, level)
    if path.suffix.lower() in SUFFIXES:
        return OpenSlideSource(path, level)
    return _open_whole(path, level)


def _open_whole(path: Path, level: int) -> Source:
    """Decode an image that cannot be read by region."""
    check_level(path, level, ["the only one"])
    image = read_image(path)
    expensive = image.nbytes > EXPENSIVE_BYTES
    read_warning = (
        f"cannot be read by region: {image.nbytes / 1e6:.0f} MB are decoded and held in memory; save it as a tiled TIFF"
    )
    return ArraySource(image, path, read_warning if expensive else None)
