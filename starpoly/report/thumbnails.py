"""Thumbnails of images with object outlines."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import StarpolyError
from ..io.readers.source import Source
from ..io.readers.thumbnail import subsample
from ..io.writers.overlay import draw_overlay
from .plane_reading import open_planes

if TYPE_CHECKING:
    from .entries import Entry

#: Longest side of a thumbnail in pixels.
SIDE = 192
_QUALITY = 75


def shrink(source: Source) -> NDArray:
    """Subsample a source to at most :data:`SIDE` pixels on its longest side."""
    return subsample(source, -(-max(source.shape[:2]) // SIDE))


def small_image(entry: Entry, shape: tuple[int, int], lengths: tuple[int, ...] = ()) -> NDArray | None:
    """Read and subsample the image of an entry; None if it is unavailable.

    Parameters
    ----------
    entry : Entry
    shape : (int, int)
        Rows and columns of the labels. An image of another size does not match them and is not shown.
    lengths : tuple of int
        Planes of the labels along each axis; of a stack with the same the plane in the middle is shown.
    """
    if entry.image is None:
        return None
    try:
        with open_planes(entry.image, entry.scene) as planes:
            if planes.lengths != lengths:
                return None
            with planes.open_middle(entry.level, entry.roi) as source:
                return shrink(source) if source.shape[:2] == shape else None
    except (StarpolyError, OSError, ValueError, IndexError):
        return None  # the thumbnail shows the labels alone


def draw_thumbnail(labels: NDArray, image: NDArray | None, overlay: NDArray | None) -> bytes:
    """Draw a JPEG: outlines over the image, else the overlay, else outlines alone.

    Parameters
    ----------
    labels : (y, x) integers
        Subsampled label image.
    image : (y, x, channels) or None
        Image of the same size.
    overlay : (y, x, 3) uint8 or None
        Fallback if there is no image.
    """
    from PIL import Image

    if image is None and overlay is not None:
        picture = overlay
    else:
        picture = draw_overlay(np.zeros(labels.shape, np.uint8) if image is None else image, labels, max_side=None)
    stream = io.BytesIO()
    # no chroma subsampling: outlines are one pixel wide
    Image.fromarray(picture).save(stream, format="JPEG", quality=_QUALITY, subsampling=0)
    return stream.getvalue()
