"""Outlines of objects over their image, to look at."""

from __future__ import annotations

import colorsys
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..config import NormalizationConfig
from ..errors import ImageError, StarpolyWarning
from ..normalize import fit_normalizer
from .atomic import atomic_path

MAX_SIDE = 4096
"""Larger images are drawn at a whole fraction of their size."""

_N_COLORS = 251  # prime, so that neighbouring ids seldom repeat a pattern
_GOLDEN = 0.618033988749895
_PERCENTILES = NormalizationConfig(low=0.5, high=99.8)


def draw_overlay(image: NDArray, labels: NDArray, *, max_side: int = MAX_SIDE) -> NDArray[np.uint8]:
    """Draw the outline of every object over the image.

    Each outline is one pixel wide, inside its object, in a colour that depends on the id alone; between touching
    objects both outlines show. Grey images are stretched between percentiles, RGB in all channels alike.

    Parameters
    ----------
    image : (Y, X) or (Y, X, C) array
        Raw intensities.
    labels : (Y, X) integer array
        0 background.
    max_side : int
        Longest side of the picture; a larger image is reduced by the smallest whole factor that fits.

    Returns
    -------
    (y, x, 3) uint8

    Raises
    ------
    ImageError
        If image and labels differ in size.
    """
    if image.shape[:2] != labels.shape:
        raise ImageError(f"overlay: expected image and labels of one size, got {image.shape[:2]} and {labels.shape}")
    step = -(-max(labels.shape) // max_side)
    picture = _to_display(image[::step, ::step])
    labels = labels[::step, ::step]
    rows, columns = np.nonzero(inner_outlines(labels) & (labels > 0))
    colors = _colors(dark=float(picture.mean()) < 128)
    picture[rows, columns] = colors[labels[rows, columns].astype(np.int64) % _N_COLORS]
    return picture


def write_overlay(path: str | Path, image: NDArray, labels: NDArray, *, max_side: int = MAX_SIDE) -> None:
    """Write :func:`draw_overlay` as a PNG file.

    Raises
    ------
    ImageError
        If image and labels differ in size or the file cannot be written.
    """
    from PIL import Image

    picture = Image.fromarray(draw_overlay(image, labels, max_side=max_side))
    try:
        with atomic_path(path) as temporary:
            picture.save(temporary, format="PNG")
    except OSError as error:
        raise ImageError(f"{path}: cannot be written ({error.strerror or error}); free space or choose another folder") from error


def _to_display(image: NDArray) -> NDArray[np.uint8]:
    """Any image as 8-bit RGB."""
    image = image if image.ndim == 3 else image[..., None]
    height, width, n_channels = image.shape
    if n_channels == 3:
        # one stretch for all channels keeps the colours
        flat = image.reshape(height, 3 * width)
        stretched = _stretch(flat).reshape(height, width, 3)
    elif n_channels == 1:
        stretched = np.repeat(_stretch(image), 3, axis=2)
    else:
        stretched = np.zeros((height, width, 3), np.float32)
        stretched[..., : min(n_channels, 3)] = _stretch(image[..., :3])
    return np.rint(255 * stretched).astype(np.uint8)


def _stretch(image: NDArray) -> NDArray[np.float32]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StarpolyWarning)  # said when the image was normalised for the network
        normalizer = fit_normalizer(image, _PERCENTILES)
    return np.clip(normalizer(image), 0, 1)


def inner_outlines(labels: NDArray) -> NDArray[np.bool_]:
    """Pixels of objects that have a pixel of something else above, below, left or right of them.

    Parameters
    ----------
    labels : (height, width) integers
        Label image. Beyond the image's border lies more of the same: an object that is cut has no outline there.

    Returns
    -------
    (height, width) bool
    """
    edge = np.zeros(labels.shape, bool)
    down, right = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    edge[1:] |= down
    edge[:-1] |= down
    edge[:, 1:] |= right
    edge[:, :-1] |= right
    return edge & (labels != 0)


def _colors(*, dark: bool) -> NDArray[np.uint8]:
    """Colours by id: hues a golden section apart, bright on dark images and deep on bright ones."""
    saturation, value = (0.75, 1.0) if dark else (1.0, 0.7)
    hues = (np.arange(_N_COLORS) * _GOLDEN) % 1
    colors = [colorsys.hsv_to_rgb(hue, saturation, value) for hue in hues]
    return np.rint(255 * np.array(colors)).astype(np.uint8)
