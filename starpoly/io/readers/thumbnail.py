"""Thumbnails: every k-th pixel of a source."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...tiling import cut_along
from .source import Source

_AT_ONCE = 1 << 23  # bytes


def subsample(source: Source, step: int) -> NDArray:
    """Every ``step``-th pixel of a source along both axes, from its first, read piece by piece.

    Parameters
    ----------
    source : Source
    step : int

    Returns
    -------
    (ceil(Y / step), ceil(X / step), C) array
    """
    height, width, n_channels = source.shape
    small = np.empty((-(-height // step), -(-width // step), n_channels), source.dtype)
    most = max(1, _AT_ONCE // (n_channels * source.dtype.itemsize))
    for box in cut_along((height, width), source.block, most, origin=source.offset):
        part = source[box.slices][-box.y0 % step :: step, -box.x0 % step :: step]
        small[-(-box.y0 // step) : -(-box.y1 // step), -(-box.x0 // step) : -(-box.x1 // step)] = part
    return small
