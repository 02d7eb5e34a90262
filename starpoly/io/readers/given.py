"""What Python hands in as an image: a path, a source or an array of any library."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .array import ArraySource
from .array_like import as_array
from .images import read_header, read_image, read_pixel_size
from .pixel_size import PixelSize
from .source import Source


def as_image(image: Any, *, n_channels: int = 0, squeeze: bool = True, named: bool = False) -> NDArray | Source:
    """An image in memory, or a source if it is one already, a large lazy array, or, with ``named``, a file that names channels.

    Parameters
    ----------
    image : path, Source or array-like
        A file is read whole, see :func:`starpoly.io.read_image`; array-likes of :func:`~starpoly.io.readers.array_like.as_array`.
    n_channels, squeeze
        As for :func:`~starpoly.io.readers.array_like.as_array`.
    named : bool
        Whether names of channels are kept.

    Raises
    ------
    ImageTypeError
        If it is none of these; the message says what to pass.
    ImageError
        If it cannot be read.
    """
    if isinstance(image, Source):
        return image
    if isinstance(image, str | os.PathLike):
        pixels = read_image(image)
        names = read_header(image).channel_names if named and pixels.ndim > 2 else ()
        return ArraySource(pixels, image, channel_names=names) if any(names) else pixels
    array = as_array(image, n_channels=n_channels, squeeze=squeeze)
    return array if isinstance(array, np.ndarray) or len(array.shape) not in (2, 3) else ArraySource(array)


def is_in_memory(image: Any) -> bool:
    """Whether the pixels of an array or a source are held in memory."""
    return bool(getattr(image, "in_memory", isinstance(image, np.ndarray)))


def pixel_size_of(image: Any) -> PixelSize | None:
    """Micrometres per pixel (y, x) of what was handed in; None if it does not say."""
    if isinstance(image, str | os.PathLike):
        return read_pixel_size(image)
    return image.pixel_size if isinstance(image, Source) else None
