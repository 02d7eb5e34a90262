"""Image and label files to arrays: whatever microscopes and programs write, or a clear refusal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError
from ...images.channels import as_channels
from ..files.find import find_images
from .header import Header
from .raster import decode_raster, raster_header
from .tiff_decoding import decode_tiff, tiff_header
from .untrusted import decoding

__all__ = ["as_channels", "find_images", "read_header", "read_image", "read_labels"]

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_RASTER_STARTS = (b"\x89PNG", b"\xff\xd8\xff", b"BM")
_JPEG_START = b"\xff\xd8\xff"


def read_image(path: str | Path) -> NDArray:
    """Read an image.

    The kind of file is told by its content, not by its name. Alpha is dropped, palettes, CMYK and inverted grey are
    converted, leading channels are moved to the end; intensities are otherwise as stored, NaN included.

    Parameters
    ----------
    path : str or Path
        A TIFF, PNG, JPEG or BMP file. EXIF orientation is not applied: labels match the stored pixels.

    Returns
    -------
    (Y, X) or (Y, X, C) array
        bool, integers or floats in native byte order; C > 1.

    Raises
    ------
    ImageError
        If the file is missing, empty, truncated, corrupt or of another kind, or holds a z-stack, a time series or
        complex numbers.

    Warns
    -----
    StarpolyWarning
        If a stack of up to four unnamed pages is taken for channels, or a file holds further images.
    """
    path = Path(path)
    image = _decode(path, raw=False)
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise ImageError(f"{path}: expected an image with axes YX or YXC, got shape {image.shape}")
    if image.dtype.kind not in "buif":
        raise ImageError(f"{path}: expected real numbers, got {image.dtype}; save real parts or magnitudes")
    return _native(image)


def read_labels(path: str | Path) -> NDArray:
    """Read a label image.

    Parameters
    ----------
    path : str or Path
        A TIFF, PNG or BMP file; a palette is ignored, its indices are the labels.

    Returns
    -------
    (Y, X) integer array
        As stored; bool becomes uint8, whole numbers in floats int32 or int64, uint64 int64.

    Raises
    ------
    ImageError
        If the file cannot be read (see :func:`read_image`), is a JPEG (lossy), has channels, or numbers that are
        not whole.
    """
    path = Path(path)
    labels = _decode(path, raw=True)
    if labels.ndim == 3 and labels.shape[2] == 1:
        labels = labels[..., 0]
    if labels.ndim != 2 or 0 in labels.shape:
        raise ImageError(
            f"{path}: expected a label image with axes YX, got shape {labels.shape}; save labels as a grey image of ids"
        )
    return _native(_whole_numbers(labels, path))


def read_header(path: str | Path) -> Header:
    """Rows, columns and bytes of an image, from the header alone: the pixels may be truncated or damaged.

    Parameters
    ----------
    path : str or Path
        A TIFF, PNG, JPEG or BMP file. Of a z-stack or a time series the size of a plane is given.

    Raises
    ------
    ImageError
        If the file is missing, empty or of another kind, if not even its header can be read, or if the header of a PNG,
        JPEG or BMP claims far more pixels than the file can hold. (A TIFF may leave out tiles, so it is not judged here.)
    """
    path = Path(path)
    start = first_bytes(path)
    with decoding(path, "an image file with a header"):
        if start.startswith(TIFF_STARTS):
            return tiff_header(path)
        if start.startswith(_RASTER_STARTS):
            return raster_header(path)
    raise _of_another_kind(path)


def _decode(path: Path, *, raw: bool) -> NDArray:
    """Pixels of a file; whatever a decoder raises on untrusted bytes becomes an ImageError."""
    start = first_bytes(path)
    if raw and start.startswith(_JPEG_START):
        raise ImageError(f"{path}: expected labels in a TIFF or PNG file, got a JPEG, which alters ids")
    with decoding(path):
        if start.startswith(TIFF_STARTS):
            return decode_tiff(path, raw=raw)
        if start.startswith(_RASTER_STARTS):
            return decode_raster(path, raw=raw)
    raise _of_another_kind(path)


def _of_another_kind(path: Path) -> ImageError:
    return ImageError(f"{path}: expected a TIFF, PNG, JPEG or BMP image, got something else; convert it")


def first_bytes(path: Path) -> bytes:
    """The first eight bytes of a file, which tell its kind; a clear error where there are none."""
    try:
        with open(path, "rb") as file:
            start = file.read(8)
    except FileNotFoundError as error:
        raise ImageError(f"{path}: expected an image file, got nothing there; check the path") from error
    except IsADirectoryError as error:
        raise ImageError(f"{path}: expected an image file, got a folder") from error
    except OSError as error:
        raise ImageError(f"{path}: expected a readable image file, got: {error.strerror or error}") from error
    if not start:
        raise ImageError(f"{path}: expected an image file, got an empty one (0 bytes); copy it again")
    return start


def _native(image: NDArray) -> NDArray:
    return np.ascontiguousarray(image, dtype=image.dtype.newbyteorder("="))


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
