"""Open an image for segmentation: small ones in memory, large ones tile by tile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ImageError, StarpolyError, TooLargeError, without_warnings
from ..images.axes import to_yxc
from ..io.readers.array import ArraySource
from ..io.readers.blocks import warn_of_cost
from ..io.readers.header import Header
from ..io.readers.images import open_source, read_header, read_image
from ..io.readers.source import DerivedSource, Source
from ..io.readers.view import SourceView
from ..io.writers.pyramid import check_pixel_size
from ..network.memory import format_size
from .part import ImagePart
from .planes import ChosenPlanes

#: Pixels above which an image is read, segmented and written tile by tile.
LARGEST_HELD = 32_000_000
#: Bytes per pixel for labels and their working copies, in addition to the image's pixels.
_LABEL_BYTES = 12


class NotHeldError(StarpolyError):
    """An image, or a plane of a stack, is too large to be segmented as a whole."""


class HeldSource(DerivedSource):
    """A source whose pixels are in memory.

    Parameters
    ----------
    source : Source
        Read completely on construction.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.pixels = np.asarray(source)

    @property
    def in_memory(self) -> bool:
        """See :attr:`Source.in_memory`."""
        return True

    def made_by(self) -> tuple[Callable[..., Source], tuple[Any, ...]]:
        """See :meth:`Source.made_by`."""
        return HeldSource, (self._source,)

    def read(self, box: Any, channels: Any) -> np.ndarray:
        """See :meth:`Source.read`."""
        pixels = self.pixels[box.slices]
        return pixels if tuple(channels) == tuple(range(self.shape[2])) else pixels[..., list(channels)]


def open_image(image: Any, part: ImagePart, memory: int | None = None, *, hold: bool = True) -> Source:
    """Open a part of an image.

    Parameters
    ----------
    image : path, Source or array-like
        See :func:`starpoly.io.open_source`.
    part : ImagePart
    memory : int, optional
        Bytes for the whole process.
    hold : bool
        Read a small image into memory, as a :class:`HeldSource`.

    Raises
    ------
    ImageError
        If it cannot be read.
    """
    size = check_pixel_size(part.pixel_size, "pixel size")
    if part.axes is not None:
        image = _in_order(image, part.axes)
    header = _header(image)
    whole = hold and part.is_whole and part.channels is None  # channels may be what makes an image of a stack
    if whole and header is not None and _is_small(header.shape, header.n_bytes, memory):
        # decoding the whole file is faster than region by region
        array = ArraySource(read_image(image), image, channel_names=header.channel_names)
        source: Source = SourceView(array, None, None, size or header.pixel_size)
        source.bounds, source.position, source.single_axes = header.bounds, header.position, header.single_axes
    else:
        source = open_source(image, level=part.level, channels=part.channels, roi=part.roi, pixel_size=size)
    source.single_axes = part.kept(source.single_axes)
    return _held_if_small(source, memory) if hold else source


def open_plane(planes: ChosenPlanes, number: int, memory: int | None = None, *, hold: bool = True) -> Source:
    """Open a plane of a stack, as :func:`open_image` opens an image.

    Parameters
    ----------
    planes : ChosenPlanes
    number : int
    memory, hold
        As for :func:`open_image`.
    """
    source = planes.open(number)
    warn_of_cost(source.name, source.read_warning)
    return _held_if_small(source, memory) if hold else source


def _held_if_small(source: Source, memory: int | None) -> Source:
    if not _is_small(source.shape[:2], source.nbytes, memory):
        return source
    try:
        return HeldSource(source)
    except BaseException:
        source.close()
        raise


def open_all_channels(image: Any, part: ImagePart) -> Source:
    """Open all channels of a part of an image, by region, to measure in; without repeating warnings."""
    if part.axes is not None:
        image = _in_order(image, part.axes)
    with without_warnings():
        return open_source(image, level=part.level, roi=part.roi)


def _in_order(image: Any, axes: str) -> Any:
    """An array with axes YX or YXC."""
    if isinstance(image, str | Path):
        raise ImageError(
            f"{image}: expected a file to name its axes itself, got axes {axes!r} beside it; leave them out"
        )
    return to_yxc(image, axes)[0]


def _header(image: Any) -> Header | None:
    if not isinstance(image, str | Path):
        return None
    try:
        return read_header(image)
    except ImageError:
        return None  # reading reports the error


def _is_small(shape: tuple[int, int], n_bytes: int, memory: int | None) -> bool:
    n_pixels = shape[0] * shape[1]
    return n_pixels <= LARGEST_HELD and (memory is None or n_bytes + _LABEL_BYTES * n_pixels <= memory)


def check_memory(image: Any, memory: int | None) -> None:
    """Refuse an image that must be decoded whole and exceeds the memory.

    Parameters
    ----------
    image : path or array-like
    memory : int or None
        Bytes for the whole process.

    Raises
    ------
    TooLargeError
        If the file cannot be read by region and exceeds the memory.
    """
    header = None if memory is None else _header(image)
    if memory is not None and header is not None and not header.by_region and header.n_bytes > memory:
        raise TooLargeError(
            f"expected an image that can be held in {format_size(memory)}, got {header.shape[0]} x "
            f"{header.shape[1]} pixels, which need {format_size(header.n_bytes)}; raise --memory or save it as a tiled TIFF"
        )
