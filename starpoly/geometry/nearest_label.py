"""Labels that expand into the background around them, each pixel to the nearest object."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..tiling import Box

LARGEST_DISTANCE = 1024
"""Largest distance in pixels: every region is drawn with a margin as wide."""

_ROUNDING = 1e-9
"""Share by which a squared distance may exceed the limit: 0.3 um are three pixels of 0.1 um."""


@dataclass(frozen=True)
class Reach:
    """How far labels expand.

    Parameters
    ----------
    distance : float
        In pixels along x.
    aspect : float
        Height of a pixel divided by its width.

    Raises
    ------
    ConfigError
        If the distance is not positive, or more than :data:`LARGEST_DISTANCE` pixels along an axis.
    """

    distance: float
    aspect: float = 1.0

    def __post_init__(self) -> None:
        if not (0 < self.distance < math.inf and max(self.pixels) <= LARGEST_DISTANCE):
            raise ConfigError(
                f"expand: expected a distance above 0, of at most {LARGEST_DISTANCE} pixels, got {self.distance:g} pixels"
            )

    @property
    def limit(self) -> float:
        """Largest squared distance, in squared pixels along x."""
        return self.distance**2 * (1 + _ROUNDING)

    @property
    def pixels(self) -> tuple[int, int]:
        """Whole pixels (y, x) within the distance."""
        widest = self.distance * math.sqrt(1 + _ROUNDING)
        return math.floor(widest / self.aspect), math.floor(widest)


def expand_to_nearest(labels: NDArray, reach: Reach, inner: Box | None = None, step: int = 1) -> NDArray:
    """Expand labels into the background around them.

    A pixel without a label takes that of the nearest pixel with one, if that is within reach: distances are Euclidean,
    between centres of pixels, and exact. Of several labels at the same distance it takes the smallest. A pixel therefore
    depends on none beyond its reach.

    Parameters
    ----------
    labels : (Y, X) unsigned or signed integers
        0 background, 1..n objects.
    reach : Reach
    inner : Box, optional
        Pixels to expand; the others are only seen. Default: all.
    step : int
        Only every ``step``-th pixel of ``inner`` along both axes.

    Returns
    -------
    (y, x) array
        Of the dtype of ``labels``.
    """
    from ._kernels_nearest_label import nearest_in_columns, nearest_in_rows

    inner = inner or Box(0, 0, *labels.shape)
    n_rows, n_columns = (-(-length // step) for length in inner.shape)
    if not (n_rows and n_columns and labels.any()):
        return np.zeros((n_rows, n_columns), labels.dtype)
    gap, near = nearest_in_columns(np.ascontiguousarray(labels), inner.y0, step, n_rows, reach.pixels[0])
    return nearest_in_rows(gap, near, inner.x0, step, n_columns, reach.aspect**2, reach.limit)
