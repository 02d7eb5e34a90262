"""Draw object outlines over their image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import ImageError
from ...images.display import bands, to_display
from ..files.atomic import new_file

MAX_SIDE = 4096
"""Larger images are drawn at a whole fraction of their size."""

_GOLDEN = 0.6180339887498949


def label_colors(labels: ArrayLike, *, dark: bool = True) -> NDArray[np.uint8]:
    """Colours that depend on an object's id alone, so that an object looks the same in every picture.

    Parameters
    ----------
    labels : (...) integers
        Ids of objects.
    dark : bool
        Bright colours for a dark background, or deep ones, of the same hues, for a bright one.

    Returns
    -------
    (..., 3) uint8
        Red, green, blue. Hues of successive ids are a golden angle apart, hence far from each other.
    """
    ids = np.asarray(labels).astype(np.float64)
    hue = np.mod(ids * _GOLDEN, 1.0)
    saturation, value = (0.75, 1.0) if dark else (1.0, 0.7)
    # a channel is full near its own hue (0, 1/3, 2/3 of the circle) and falls off linearly
    distance = np.abs(np.mod(hue[..., None] - np.array([0, 1, 2]) / 3 + 0.5, 1.0) - 0.5)
    pure = np.clip(2 - 6 * distance, 0, 1)
    return np.rint(255 * value * (1 - saturation + saturation * pure)).astype(np.uint8)


def draw_overlay(image: NDArray, labels: Any, *, max_side: int | None = MAX_SIDE) -> NDArray[np.uint8]:
    """Draw the outline of every object over the image.

    Each outline is one pixel wide, inside its object, in a colour that depends on the id alone; between touching
    objects both outlines show. Grey images are stretched between percentiles, RGB in all channels alike.

    Parameters
    ----------
    image : (Y, X) or (Y, X, C) array
        Raw intensities.
    labels : (Y, X) integer array
        0 background. Anything with ``shape`` and slicing, if it need not be reduced.
    max_side : int or None
        Longest side of the picture; a larger image is reduced by the smallest whole factor that fits. None for any.

    Returns
    -------
    (y, x, 3) uint8

    Raises
    ------
    ImageError
        If image and labels differ in size.
    """
    if image.ndim not in (2, 3) or image.shape[:2] != labels.shape:
        raise ImageError(f"overlay: expected image and labels of one size, got {image.shape[:2]} and {labels.shape}")
    step = 1 if max_side is None else -(-max(labels.shape) // max_side)
    if step > 1:
        image, labels = image[::step, ::step], labels[::step, ::step]
    picture = to_display(image)
    dark = float(picture.mean()) < 128
    for rows in bands(labels.shape):
        # with a row above and below, to see where objects end
        above, below = min(1, rows.start), min(1, labels.shape[0] - rows.stop)
        around = np.asarray(labels[rows.start - above : rows.stop + below, :])
        inside = slice(above, around.shape[0] - below)
        y, x = np.nonzero((inner_outlines(around) & (around > 0))[inside])
        picture[rows.start + y, x] = label_colors(around[inside][y, x], dark=dark)
    return picture


def write_overlay(path: str | Path, image: NDArray, labels: Any, *, max_side: int | None = MAX_SIDE) -> None:
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
