"""Where a segmented part lies in its file: from pixels of the part to pixels of the full resolution, and to micrometres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from .readers.source import Source

PIXEL_SIZES = (1e-6, 1e6)
"""Range of pixel sizes in micrometres that are believed: a picometre to a metre."""
_DECIMALS = 3
"""Of coordinates in pixels of the full resolution."""


@dataclass(frozen=True)
class Frame:
    """Place of an image in level 0, the full resolution, of the file that it is a part of.

    Pixels of level 0 are those of the file as its reader counts them, also where a scanner left borders empty.

    Parameters
    ----------
    step : (float, float)
        Pixels (y, x) of level 0 per pixel of the image.
    offset : (float, float)
        Pixels (y, x) of level 0 before the corner of the image's first pixel.
    bounds : (int, int)
        First pixel (y, x) of level 0 that the scanner recorded (OpenSlide's ``bounds-y`` and ``bounds-x``). QuPath counts
        from there.
    position : (float, float), optional
        Where the file says that the centre of the image's first pixel lies, in micrometres (y, x). Default: level 0
        begins at (0, 0).
    single_axes : tuple of (str, float or None)
        As those of a :class:`~starpoly.io.Source`.
    """

    step: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)
    bounds: tuple[int, int] = (0, 0)
    position: tuple[float, float] | None = None
    single_axes: tuple[tuple[str, float | None], ...] = ()

    @classmethod
    def of(cls, source: Source) -> Frame:
        """The frame of a region of a level, as a source is opened."""
        level, full = source.levels[min(source.level, len(source.levels) - 1)], source.levels[0]
        y, x = (_downsample(*lengths) for lengths in zip(full, level, strict=True))
        position = source.position
        if position is not None:
            size = source.pixel_size or (1.0, 1.0)
            position = position[0] + source.offset[0] * size[0], position[1] + source.offset[1] * size[1]
        offset = source.offset[0] * y, source.offset[1] * x
        return cls((y, x), offset, source.bounds, position, source.single_axes)

    @property
    def is_whole(self) -> bool:
        """Whether pixels of the image are pixels of level 0."""
        return self.step == (1.0, 1.0) and self.offset == (0.0, 0.0)

    def place(self, ring: NDArray[np.float64], *, from_bounds: bool = False) -> NDArray[np.float64]:
        """Vertices of an outline in level 0.

        Parameters
        ----------
        ring : (k, 2) float64
            Vertices ``(x, y)`` in pixels of the image, the origin at its corner.
        from_bounds : bool
            Count from the corner of the recorded area, as QuPath does.

        Returns
        -------
        (k, 2) float64
            Vertices ``(x, y)``, the origin at the corner of level 0.
        """
        bounds = self.bounds if from_bounds else (0, 0)
        if self.is_whole and bounds == (0, 0):
            return ring
        shift = np.subtract(self.offset, bounds)[::-1]
        return np.round(ring * self.step[::-1] + shift, _DECIMALS) + 0.0  # no -0.0

    def centres(self, y: ArrayLike, x: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Points ``y`` and ``x``, centres of pixels at integers, in level 0."""
        placed = (
            (np.asarray(at, np.float64) + 0.5) * step + offset - 0.5
            for at, step, offset in zip((y, x), self.step, self.offset, strict=True)
        )
        return next(placed), next(placed)

    def extent(self, shape: Sequence[int]) -> tuple[float, float]:
        """Where an image of this height and width ends in level 0, along y and x."""
        return self.offset[0] + shape[0] * self.step[0], self.offset[1] + shape[1] * self.step[1]

    def scale(self, pixel_size: tuple[float, float] | None) -> tuple[float, float]:
        """Length of a pixel (y, x): micrometres or, where they are not known, pixels of level 0."""
        return self.step if pixel_size is None else pixel_size

    def translation(self, pixel_size: tuple[float, float] | None) -> tuple[float, float]:
        """Centre of the image's first pixel (y, x), in the unit of :meth:`scale`, from the centre of the first of level 0."""
        if self.position is not None and pixel_size is not None:
            return self.position
        placed = [
            (offset + 0.5 * step - 0.5) * (size / step)
            for offset, step, size in zip(self.offset, self.step, self.scale(pixel_size), strict=True)
        ]
        return placed[0], placed[1]


def _downsample(full: int, level: int) -> float:
    """Pixels of the full resolution per pixel of a level; whole where the lengths allow it, as they are rounded."""
    whole = max(1, round(full / level))
    return float(whole) if full // whole <= level <= -(-full // whole) else full / level
