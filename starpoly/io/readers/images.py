"""Read images of every registered kind: whole, by region, or header only."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError, collected_warnings, warn
from ...tiling import Box
from ..files.url import as_path
from .array import ArraySource
from .array_like import as_array
from .axes import TAKEN_FOR_CHANNELS
from .blocks import warn_of_cost
from .header import Header
from .pixel_size import PixelSize
from .registry import find_reader
from .source import Source, check_level
from .view import SourceView


def read_image(path: str | os.PathLike[str]) -> NDArray:
    """Read an image.

    The content of a file tells its kind, not its name. Alpha is dropped, palettes, CMYK and inverted grey are
    converted, leading channels are moved to the end; intensities are otherwise as stored, NaN included.

    Parameters
    ----------
    path : str or Path
        A file or folder, see :func:`open_source`; of a pyramid the finest level is read. EXIF orientation is not
        applied: labels match the stored pixels.

    Returns
    -------
    (Y, X) or (Y, X, C) array
        bool, integers or floats in native byte order; C > 1.

    Raises
    ------
    ImageError
        If the file is missing, empty, truncated, corrupt or of another kind, or holds a z-stack, a time series or
        complex numbers; a TooLargeError if it does not fit into memory.

    Warns
    -----
    StarpolyWarning
        If a stack of up to four unnamed pages is taken for channels, or a file holds further images.
    """
    path = as_path(path)
    image = without_single_channel(find_reader(path).read(path))
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise ImageError(f"{path}: expected an image with axes YX or YXC, got shape {image.shape}")
    if image.dtype.kind not in "buif":
        raise ImageError(f"{path}: expected real numbers, got {image.dtype}; save real parts or magnitudes")
    return native(image)


def open_source(
    image: Any,
    *,
    level: int = 0,
    channels: Sequence[int | str] | None = None,
    roi: Box | None = None,
    pixel_size: PixelSize | None = None,
) -> Source:
    """Open an image to read it by region.

    Parameters
    ----------
    image : str, Path, Source or array-like
        A file or folder: TIFF (tiles or strips, BigTIFF, OME-TIFF, SVS, NDPI), OME-Zarr 0.4 and 0.5, a zarr array,
        ``.npy``; with the extra ``wsi`` also MIRAX, VMS and DICOM slides; PNG, JPEG and BMP are decoded whole. With the extra
        ``remote`` the URL of a zarr, such as ``"s3://bucket/image.zarr"``. Or
        array-like (Y, X) or (Y, X, C): of numpy, dask, xarray, zarr, h5py, torch and the like. The content of a file tells its kind.
    level : int
        Level of a pyramid, 0 the finest.
    channels : sequence of int or str, optional
        Which channels, in this order, by index from 0 or by the name that the file states, in small or capital letters;
        all by default. Where channels are chosen, unnamed planes of a file count as channels, however many.
    roi : Box, optional
        A region, in pixels of that level.
    pixel_size : (float, float), optional
        Micrometres per pixel (y, x) of that level, in place of what the file says.

    Returns
    -------
    Source
        Intensities as :func:`read_image` gives them, always with axes YXC.

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
    if isinstance(image, (str, Path)):
        path = as_path(image)
        with nullcontext(()) if channels is None else collected_warnings() as messages:
            source = find_reader(path).open(path, level, as_channels=channels is not None)
    else:
        source, messages = _open_array(image, level), ()
    try:
        for message in messages:
            if not message.endswith(TAKEN_FOR_CHANNELS):  # the user has said that there are channels
                warn(message, stacklevel=3)
        warn_of_cost(source.name, source.read_warning)
        if roi is None and channels is None and pixel_size is None:
            return source
        return SourceView(source, roi, channels, pixel_size)
    except BaseException:
        source.close()
        raise


def read_header(path: str | os.PathLike[str]) -> Header:
    """Rows, columns, bytes and pixel size of an image, from the header alone: the pixels may be damaged.

    Parameters
    ----------
    path : str or Path
        A file or folder, see :func:`open_source`. Of a stack the size of a plane is given.

    Raises
    ------
    ImageError
        If the file is missing, empty or of another kind, if not even its header can be read, or if the header of a PNG,
        JPEG or BMP claims far more pixels than the file can hold. (A TIFF may leave out tiles, so it is not judged here.)
    """
    path = as_path(path)
    return find_reader(path).header(path)


def read_pixel_size(path: str | os.PathLike[str]) -> PixelSize | None:
    """Micrometres per pixel (y, x) that a file states; None where it states none or cannot be read."""
    try:
        return read_header(path).pixel_size
    except ImageError:
        return None


def without_single_channel(image: NDArray) -> NDArray:
    """(Y, X) in place of (Y, X, 1)."""
    return image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image


def native(image: NDArray) -> NDArray:
    """The array in one piece and in the byte order of this machine."""
    return np.ascontiguousarray(image, dtype=image.dtype.newbyteorder("="))


def _open_array(image: Any, level: int) -> Source:
    if isinstance(image, Source):
        check_level(image.name, level - image.level, [image.shape[:2]])
        return SourceView(image)
    source = ArraySource(as_array(image, hold=False))
    check_level(source.name, level, source.levels)
    return source
