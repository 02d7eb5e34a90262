"""Decode TIFF files: axes, colour and alpha as the file's own metadata say."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError, StarpolyWarning
from .color import apply_palette, cmyk_to_rgb

MAX_UNNAMED_CHANNELS = 4
"""A stack whose axis has no name holds channels if it has at most this many pages; else it is taken for a z-stack."""

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
        _check_extent(series, path)
        if len(tiff.series) > 1 and not raw:
            message = f"{path}: expected one image, got {len(tiff.series)}; the first is used"
            warnings.warn(message, StarpolyWarning, stacklevel=4)
        image, axes = _order_axes(series.asarray(), series.axes, path)
        return image if raw else _to_intensities(image, axes, series.keyframe, path)


def _check_extent(series: Any, path: Path) -> None:
    """Refuse before anything is allocated what cannot be whole."""
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
        raise ImageError(f"{path}: expected {expected} strips or tiles, got {chunks}; the file is damaged, copy it again")
    if len(series.shape) < 2 or 0 in series.shape:
        raise ImageError(f"{path}: expected an image with axes YX or YXC, got shape {series.shape}")
    check_claim(series.nbytes, path)


def check_claim(n_bytes: int, path: Path) -> None:
    """Refuse a header that claims far more pixels than the file can hold (deflate packs at most 1:1032)."""
    size = path.stat().st_size
    if n_bytes > 1 << 30 and n_bytes > 1100 * size:
        raise ImageError(
            f"{path}: expected at most {1100 * size} bytes of pixels in a file of {size}, got a header for {n_bytes}"
        )


def _order_axes(image: NDArray, axes: str, path: Path) -> tuple[NDArray, str]:
    """To YX or YXC; the second value names the axes, with S (samples), C or Q (unnamed) for the channels."""
    if image.ndim != len(axes):  # tifffile's metadata and data disagree
        axes = "Q" * (image.ndim - 2) + "YX"
    single = tuple(axis for axis, name in enumerate(axes) if name not in "YX" and image.shape[axis] == 1)
    image = image.squeeze(single)
    axes = "".join(name for axis, name in enumerate(axes) if axis not in single)
    if set(axes) == {"Y", "X"} and len(axes) == 2:
        return image.transpose([axes.index("Y"), axes.index("X")]), "YX"
    if len(axes) != 3 or "Y" not in axes or "X" not in axes:
        raise _stack_error(image, axes, path)
    channel = next(axis for axis, name in enumerate(axes) if name not in "YX")
    if axes[channel] not in "SC":
        channel = _unnamed_channel_axis(image, axes, path)
    name = axes[channel] if axes[channel] in "SC" else "Q"
    return np.moveaxis(image, channel, -1), f"YX{name}"


def _unnamed_channel_axis(image: NDArray, axes: str, path: Path) -> int:
    """Which axis of a stack without axis names holds the channels, by its length."""
    if not set(axes) & set("ZT"):
        for axis in (0, 2):
            others = [length for other, length in enumerate(image.shape) if other != axis]
            if image.shape[axis] <= MAX_UNNAMED_CHANNELS < min(others):
                message = f"{path}: expected axes YX or YXC, got shape {image.shape}; its axis {axis} is taken for channels"
                warnings.warn(message, StarpolyWarning, stacklevel=6)
                return axis
    raise _stack_error(image, axes, path)


def _stack_error(image: NDArray, axes: str, path: Path) -> ImageError:
    return ImageError(
        f"{path}: expected one image with axes YX or YXC, got a stack with axes {axes} and shape {image.shape}; "
        "save its planes as single files, or a projection of it"
    )


def _to_intensities(image: NDArray, axes: str, page: Any, path: Path) -> NDArray:
    """Undo palette, CMYK and inverted grey; drop alpha."""
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
        image = np.iinfo(image.dtype).max - image
    return image


def _without_alpha(image: NDArray, page: Any) -> NDArray:
    n_colors = 3 if page.photometric.name in ("RGB", "YCBCR") else 1
    alpha = any(int(kind) in (1, 2) for kind in page.extrasamples) or image.shape[2] == 4
    if n_colors == 1 and not any(int(kind) in (1, 2) for kind in page.extrasamples):
        return image
    return image[..., :n_colors] if alpha and image.shape[2] == n_colors + 1 else image
