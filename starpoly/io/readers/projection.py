"""Projections of planes, region by region."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...errors import ConfigError
from ...images.exact_floats import exact_float
from ...tiling import Box
from .source import DerivedSource, Source

FOCUS_RADIUS = 7
"""Pixels to each side over which sharpness is summed for a focus projection: about the size of a small nucleus."""

_MARGIN = FOCUS_RADIUS + 1


class ProjectedSource(DerivedSource):
    """The projection of planes of one size along z.

    ``max`` is the largest value of each pixel and channel, ``mean`` the mean, as float32 (float64 of wide numbers); ``focus`` takes each pixel from
    the plane that is sharpest there: sharpness is the sum of squared differences to the next pixels along y and x, over
    all channels and a window of 15 x 15 pixels, and of equally sharp planes the first counts. No pixel depends on the
    region that is read. Memory: a few times the region.

    Parameters
    ----------
    openers : sequence of callables
        Each opens a plane. Planes are opened for every region, one after the other.
    method : {"max", "mean", "focus"}

    Raises
    ------
    ConfigError
        For another method.
    """

    def __init__(self, openers: Sequence[Callable[[], Source]], method: str) -> None:
        if method not in METHODS:
            raise ConfigError(f"project: expected one of {', '.join(METHODS)}, got {method!r}")
        first = openers[0]()
        super().__init__(first, dtype=exact_float(first.dtype) if method == "mean" else first.dtype)
        self._openers, self._project = tuple(openers), METHODS[method]

    def read(self, box: Box, channels: Sequence[int]) -> NDArray:
        """See :meth:`Source.read`."""
        return self._project(self._planes, box, self.shape, self.dtype)[..., list(channels)]

    def _planes(self, box: Box) -> Iterator[NDArray]:
        """All channels of a box, plane by plane."""
        for opener in self._openers:
            with opener() as plane:
                yield plane[box.slices]


_Planes = Callable[[Box], Iterator[NDArray]]


def _max(planes: _Planes, box: Box, shape: tuple[int, int, int], dtype: DTypeLike) -> NDArray:
    largest: NDArray | None = None
    for plane in planes(box):
        largest = plane if largest is None else np.fmax(largest, plane)  # NaN counts only where all are
    assert largest is not None
    return largest


def _mean(planes: _Planes, box: Box, shape: tuple[int, int, int], dtype: DTypeLike) -> NDArray:
    total, n = np.zeros((*box.shape, shape[2])), 0
    for plane in planes(box):
        total += plane
        n += 1
    return (total / n).astype(dtype)


def _focus(planes: _Planes, box: Box, shape: tuple[int, int, int], dtype: DTypeLike) -> NDArray:
    around = Box(box.y0 - _MARGIN, box.x0 - _MARGIN, box.y1 + _MARGIN, box.x1 + _MARGIN).clip(shape[:2])
    inside = Box(box.y0 - around.y0, box.x0 - around.x0, box.y1 - around.y0, box.x1 - around.x0).slices
    best = np.full(box.shape, -1.0)
    pixels = np.zeros((*box.shape, shape[2]), dtype)
    for plane in planes(around):
        sharpness = _sharpness(plane)[inside]
        sharper = sharpness > best
        best[sharper], pixels[sharper] = sharpness[sharper], plane[inside][sharper]
    return pixels


def _sharpness(plane: NDArray) -> NDArray[np.float64]:
    """Squared differences to the next pixels, summed over channels and a window; 0 beyond the plane, and for NaN."""
    energy = np.zeros(plane.shape[:2])
    for channel in range(plane.shape[2]):
        values = plane[..., channel].astype(np.float64)
        energy[:-1] += np.nan_to_num(np.diff(values, axis=0) ** 2, posinf=0.0)
        energy[:, :-1] += np.nan_to_num(np.diff(values, axis=1) ** 2, posinf=0.0)
    return _window_sums(_window_sums(energy, 0), 1)


def _window_sums(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Sums over a window along an axis, added from its start to its end whatever the region."""
    widths = [(FOCUS_RADIUS, FOCUS_RADIUS) if other == axis else (0, 0) for other in (0, 1)]
    padded = np.pad(values, widths)
    length = values.shape[axis]
    total = np.zeros(values.shape)
    for shift in range(2 * FOCUS_RADIUS + 1):
        total += padded[shift : shift + length] if axis == 0 else padded[:, shift : shift + length]
    return total


METHODS: dict[str, Callable[[_Planes, Box, tuple[int, int, int], DTypeLike], NDArray]] = {
    "max": _max,
    "mean": _mean,
    "focus": _focus,
}
"""Projections by name."""
