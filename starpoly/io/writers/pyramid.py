"""Label images by region: the protocols, and tiles of every pyramid level in file order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError
from ...tiling import Box, cut
from ..frame import PIXEL_SIZES, Frame


class RegionLabels(Protocol):
    """A label image read by region, such as :class:`starpoly.labels.LazyLabels`. Calls may block."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint16 or uint32."""
        ...

    def region(self, box: Box, step: int = 1) -> NDArray:
        """Every ``step``-th pixel of a box, from its first."""
        ...


class LabelStack(Protocol):
    """The label images of a stack of planes."""

    @property
    def axes(self) -> str:
        """Axes of the stack beside Y and X, in order: letters of ``"TZ"``, at least one."""
        ...

    @property
    def lengths(self) -> tuple[int, ...]:
        """Planes along each of them."""
        ...

    @property
    def starts(self) -> Sequence[float]:
        """Where each of them starts in the image, in steps of it."""
        ...

    @property
    def steps(self) -> Sequence[float | None]:
        """Micrometres between z-slices and seconds between time points, for each of them; None if not known."""
        ...

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of a plane in pixels."""
        ...

    @property
    def pixel_size(self) -> tuple[float, float] | None:
        """Micrometres per pixel (y, x)."""
        ...

    @property
    def frame(self) -> Frame:
        """Where the planes lie in their file."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint16 or uint32, for all planes."""
        ...

    def planes(self) -> Iterator[RegionLabels]:
        """The planes in order, the last axis fastest; each is read before the next one."""
        ...


def check_labels(labels: RegionLabels, path: str | Path) -> None:
    """Refuse an empty image and other dtypes than uint16 and uint32.

    Raises
    ------
    ImageError
        If the shape is not (Y, X) > 0 or the dtype neither uint16 nor uint32.
    """
    if len(labels.shape) != 2 or min(labels.shape) < 1 or labels.dtype not in (np.uint16, np.uint32):
        raise ImageError(
            f"{path}: expected labels (Y, X) in uint16 or uint32, got {labels.dtype} of shape {labels.shape}"
        )


def check_pixel_size(pixel_size: tuple[float, float] | None, path: str | Path) -> tuple[float, float] | None:
    """Pixel sizes ``(y, x)`` as plain floats.

    Raises
    ------
    ImageError
        If they are not positive numbers.
    """
    if pixel_size is None:
        return None
    least, most = PIXEL_SIZES
    if len(pixel_size) != 2 or not all(least <= size <= most for size in pixel_size):
        raise ImageError(
            f"{path}: expected positive pixel sizes (y, x) in micrometres, from {least:g} to {most:g}, got {pixel_size}"
        )
    return float(pixel_size[0]), float(pixel_size[1])


def level_shape(shape: tuple[int, int], step: int) -> tuple[int, int]:
    """Height and width of the picture of every ``step``-th pixel."""
    return -(-shape[0] // step), -(-shape[1] // step)


def pyramid_steps(shape: tuple[int, int], smallest: int) -> list[int]:
    """Steps 1, 2, 4 ... up to the first whose picture has at most ``smallest`` pixels a side."""
    steps = [1]
    while max(level_shape(shape, steps[-1])) > smallest:
        steps.append(2 * steps[-1])
    return steps


def pull(labels: RegionLabels, step: int, tile: int) -> Iterator[tuple[Box, NDArray]]:
    """The level of ``step`` in tiles, row by row: where each lies in the level, and its pixels.

    Levels are subsampled, so ids never mix.
    """
    height, width = labels.shape
    for box in cut(level_shape(labels.shape, step), tile):
        whole = Box(box.y0 * step, box.x0 * step, min(box.y1 * step, height), min(box.x1 * step, width))
        yield box, labels.region(whole, step)
