"""Decode TIFF files: axes, colour and alpha as the file's own metadata say."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError, StarpolyWarning
from ...images.channels import apply_palette, cmyk_to_rgb
from ...parallel import n_threads
from .axes import arrange_axes
from .header import Header

_UNCONVERTED = ("CIELAB", "ICCLAB", "ITULAB", "LOGL", "LOGLUV", "CFA")


def decode_tiff(path: Path, *, raw: bool = False) -> NDArray:
    """Read the first image of a TIFF file at full resolution.

    Parameters
    ----------
    path : Path
        The file.
    raw : bool
        Stored numbers as they are: no palette, no colour conversion, alpha kept. For label images.

    Returns
    -------
    (Y, X) or (Y, X, C) array

    Raises
    ------
    ImageError
        For a stack along z or time, a file shorter than it says, or a colour space that is not converted. Decoders
        raise other errors on corrupt data.
    """
    import tifffile

    # an OME-TIFF may name other files; an image from outside must not choose what is read
    with tifffile.TiffFile(path, _multifile=False) as tiff:
        series = tiff.series[0]
        check_extent(series, path)
        check_claim(series.nbytes, path)
        if len(tiff.series) > 1 and not raw:
            message = f"{path}: expected one image, got {len(tiff.series)}; the first is used"
            warnings.warn(message, StarpolyWarning, stacklevel=4)
        stored = series.asarray(maxworkers=n_threads())
        arrangement = arrange_axes(stored.shape, series.axes, path)
        image = arrangement(stored)
        return image if raw else to_intensities(image, arrangement.names, series.keyframe, path)


def tiff_header(path: Path) -> Header:
    """Size of the first image of a TIFF file; of a stack, of one plane. Pixels need not be there.

    Raises
    ------
    ImageError
        If the size is none. tifffile raises other errors where not even the first page's tags can be read.
    """
    import tifffile

    with tifffile.TiffFile(path, _multifile=False) as tiff:
        shape, n_bytes = _size(tiff, path)
    if not (len(shape) == 2 and min(shape) > 0):
        raise ImageError(f"{path}: expected an image of at least one pixel, got shape {shape}")
    return Header(shape, n_bytes, by_region=True)


def _size(tiff: Any, path: Path) -> tuple[tuple[int, int], int]:
    """Rows and columns of an image, and bytes of all its channels."""
    page = tiff.pages.first
    size, n_bytes = (int(page.imagelength), int(page.imagewidth)), int(page.nbytes)
    try:
        series = tiff.series[0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # said when it is read
            rows, columns, _ = arrange_axes(series.shape, series.axes, path).lengths(series.shape)
    except Exception:  # a stack, or later pages that cannot be read: the first page has the size of every plane
        return size, n_bytes
    return (rows, columns), int(series.nbytes)


def check_extent(series: Any, path: Path) -> None:
    """Refuse before anything is allocated what cannot be whole: strips or tiles missing, or beyond the file's end."""
    size = path.stat().st_size
    ends = [
        offset + count
        for page in series.pages
        if page is not None
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False)
    ]
    if max(ends, default=0) > size:
        raise ImageError(f"{path}: expected {max(ends)} bytes, got {size}; the file is truncated, copy it again")
    chunks, expected = len(series.keyframe.dataoffsets), math.prod(series.keyframe.chunked)
    if chunks < expected and not series.keyframe.is_contiguous:
        raise ImageError(
            f"{path}: expected {expected} strips or tiles, got {chunks}; the file is damaged, copy it again"
        )
    if len(series.shape) < 2 or 0 in series.shape:
        raise ImageError(f"{path}: expected an image with axes YX or YXC, got shape {series.shape}")


def check_claim(n_bytes: int, path: Path) -> None:
    """Refuse a header that claims far more pixels than the file can hold (deflate packs at most 1:1032)."""
    size = path.stat().st_size
    if n_bytes > 1 << 30 and n_bytes > 1100 * size:
        raise ImageError(
            f"{path}: expected at most {1100 * size} bytes of pixels in a file of {size}, got a header for {n_bytes}"
        )


def to_intensities(image: NDArray, axes: str, page: Any, path: Path) -> NDArray:
    """Undo palette, CMYK and inverted grey; drop alpha.

    Pixel by pixel: of a crop with all its samples it gives the crop of the result.

    Parameters
    ----------
    image : (Y, X) or (Y, X, C) array
        As stored.
    axes : str
        As :class:`~starpoly.io.readers.axes.Arrangement` names them.
    page : tifffile.TiffPage
        Says what the numbers mean.
    path : Path
        For messages.

    Raises
    ------
    ImageError
        For a colour space that is not converted.
    """
    photometric = page.photometric.name
    jpeg = "JPEG" in page.compression.name
    if photometric in _UNCONVERTED or (photometric == "YCBCR" and not jpeg):
        raise ImageError(f"{path}: expected grey, RGB, CMYK or palette colours, got {photometric}; convert it to RGB")
    if photometric == "PALETTE" and not page.is_imagej and page.colormap is not None and axes == "YX":
        return apply_palette(image, np.asarray(page.colormap).T)  # ImageJ's palettes are for display only
    if photometric == "SEPARATED" and axes == "YXS" and image.shape[2] >= 4:
        return cmyk_to_rgb(image)
    if axes == "YXS":
        image = _without_alpha(image, page)
    if photometric == "MINISWHITE" and image.dtype.kind == "u":
        image = ~image  # not bool: tifffile writes masks as min-is-white, and means them as they are
    return image


def _without_alpha(image: NDArray, page: Any) -> NDArray:
    n_colors = 3 if page.photometric.name in ("RGB", "YCBCR") else 1
    alpha = any(int(kind) in (1, 2) for kind in page.extrasamples) or image.shape[2] == 4
    if n_colors == 1 and not any(int(kind) in (1, 2) for kind in page.extrasamples):
        return image
    return image[..., :n_colors] if alpha and image.shape[2] == n_colors + 1 else image
