"""Colour conversion of TIFF samples: palettes, CMYK, inverted grey and alpha."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError
from ...images.channels import apply_palette, cmyk_to_rgb

_UNCONVERTED = ("CIELAB", "ICCLAB", "ITULAB", "LOGL", "LOGLUV", "CFA")


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
    return _inverted(image) if photometric == "MINISWHITE" else image


def _inverted(image: NDArray) -> NDArray:
    """The other way round; not bool: tifffile writes masks as min-is-white, and means them as they are."""
    if image.dtype.kind == "f":
        return -image
    return image if image.dtype.kind == "b" else ~image


def _without_alpha(image: NDArray, page: Any) -> NDArray:
    n_colors = 3 if page.photometric.name in ("RGB", "YCBCR") else 1
    alpha = any(int(kind) in (1, 2) for kind in page.extrasamples) or image.shape[2] == 4
    if n_colors == 1 and not any(int(kind) in (1, 2) for kind in page.extrasamples):
        return image
    return image[..., :n_colors] if alpha and image.shape[2] == n_colors + 1 else image
