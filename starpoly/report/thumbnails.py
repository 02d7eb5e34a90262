"""Small pictures of images with the outlines of their objects."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import StarpolyError
from ..io.readers.images import open_source
from ..io.readers.source import Source
from ..io.readers.thumbnail import subsample
from ..io.writers.overlay import draw_overlay

if TYPE_CHECKING:
    from .entries import Entry

#: Longest side of a thumbnail in pixels.
SIDE = 192
_QUALITY = 75


def shrink(source: Source) -> NDArray:
    """Every k-th pixel of a source, so that the longest side is at most :data:`SIDE`."""
    return subsample(source, -(-max(source.shape[:2]) // SIDE))


def small_image(entry: Entry, shape: tuple[int, int]) -> NDArray | None:
    """The image of an entry made small, None if it cannot be had.

    Parameters
    ----------
    entry : Entry
    shape : (int, int)
        Rows and columns of the labels. An image of another size has changed since, or is another one, and is not shown.
    """
    if entry.image is None:
        return None
    try:
        with open_source(entry.image, level=entry.level, roi=entry.roi) as source:
            return shrink(source) if source.shape[:2] == shape else None
    except StarpolyError:
        return None  # the labels are shown without it


def draw_thumbnail(labels: NDArray, image: NDArray | None, overlay: NDArray | None) -> bytes:
    """A JPEG of outlines over the image, or of a finished overlay, or of outlines alone.

    Parameters
    ----------
    labels : (y, x) integers
        Made small.
    image : (y, x, channels) or None
        Of the same size.
    overlay : (y, x, 3) uint8 or None
        To be shown where there is no image.
    """
    from PIL import Image

    if image is None and overlay is not None:
        picture = overlay
    else:
        picture = draw_overlay(np.zeros(labels.shape, np.uint8) if image is None else image, labels, max_side=None)
    stream = io.BytesIO()
    # colour at full resolution: the outlines are one pixel wide
    Image.fromarray(picture).save(stream, format="JPEG", quality=_QUALITY, subsampling=0)
    return stream.getvalue()
