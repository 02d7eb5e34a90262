"""Outlines of objects over their image, to look at."""

from __future__ import annotations

import colorsys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import NormalizationConfig
from ..errors import ImageError, StarpolyWarning
from ..normalize import fit_normalizer
from .atomic import new_file

MAX_SIDE = 4096
"""Larger images are drawn at a whole fraction of their size."""

_N_COLORS = 251  # prime, so that neighbouring ids seldom repeat a pattern
_AT_ONCE = 1 << 18  # pixels
_GOLDEN = 0.618033988749895
_PERCENTILES = NormalizationConfig(low=0.5, high=99.8)


def draw_overlay(image: NDArray, labels: Any, *, max_side: int = MAX_SIDE) -> NDArray[np.uint8]:
    """Draw the outline of every object over the image.

    Each outline is one pixel wide, inside its object, in a colour that depends on the id alone; between touching
    objects both outlines show. Grey images are stretched between percentiles, RGB in all channels alike.

    Parameters
    ----------
    image : (Y, X) or (Y, X, C) array
        Raw intensities.
    labels : (Y, X) integer array
        0 background. Anything with ``shape`` and slicing, if it need not be reduced.
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
    if step > 1:
        image, labels = image[::step, ::step], labels[::step, ::step]
    picture = _to_display(image)
    colors = _colors(dark=float(picture.mean()) < 128)
    for rows in _bands(labels.shape):
        # with a row above and below, to see where objects end
        above, below = min(1, rows.start), min(1, labels.shape[0] - rows.stop)
        around = np.asarray(labels[rows.start - above : rows.stop + below, :])
        inside = slice(above, around.shape[0] - below)
        y, x = np.nonzero((inner_outlines(around) & (around > 0))[inside])
        picture[rows.start + y, x] = colors[around[inside][y, x].astype(np.int64) % _N_COLORS]
    return picture


def write_overlay(path: str | Path, image: NDArray, labels: Any, *, max_side: int = MAX_SIDE) -> None:
    """Write :func:`draw_overlay` as a PNG file.

    Raises
    ------
    ImageError
        If image and labels differ in size; OutputError if the file cannot be written.
    """
    from PIL import Image

    picture = Image.fromarray(draw_overlay(image, labels, max_side=max_side))
    with new_file(path) as temporary:
        picture.save(temporary, format="PNG")


def _bands(shape: tuple[int, int]) -> Iterator[slice]:
    """Rows that are worked on at once, so that the copies of them stay small."""
    n = max(1, _AT_ONCE // shape[1])
    for start in range(0, shape[0], n):
        yield slice(start, min(start + n, shape[0]))


def _to_display(image: NDArray) -> NDArray[np.uint8]:
    """Any image as 8-bit RGB."""
    image = (image if image.ndim == 3 else image[..., None])[..., :3]
    height, width, n_channels = image.shape
    # one stretch for all channels of RGB keeps the colours
    alike = image.reshape(height, 3 * width) if n_channels == 3 else image
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StarpolyWarning)  # said when the image was normalised for the network
        normalizer = fit_normalizer(alike, _PERCENTILES)
    picture = np.zeros((height, width, 3), np.uint8)
    for rows in _bands((height, width)):
        stretched = normalizer(alike[rows])
        np.clip(stretched, 0, 1, out=stretched)
        stretched *= 255
        shown = np.rint(stretched, out=stretched).astype(np.uint8).reshape(-1, width, n_channels)
        picture[rows, :, : 3 if n_channels == 1 else n_channels] = shown
    return picture


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
