"""Margins without data: what stitching, registration, rotation or a round field of view leaves black around an image.

A margin has one value, or is NaN, reaches a corner of the image and lies apart from all other intensities. Its value says nothing about
the specimen, yet counted among the intensities it would take most of the contrast of an image in transmitted light.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .axes import with_channels
from .percentiles import ChannelSummary

STRAY = 0.01
"""Percentile of the other intensities that must lie above the margin's: hardly one may lie in between."""
MIN_GAP = 0.25
"""Smallest distance between a margin and the darkest of the other intensities, as a part of their range. None of 764
micrographs has a value that would count as a margin with 0.15."""
MAX_SHARE = 0.6
"""Largest part of an image that is margin: where more is black, cells were cut out."""


def darkest_corners(image: Any) -> NDArray:
    """The smallest value in the four corners of an image, by channel: what a margin would have.

    Parameters
    ----------
    image : (Y, X) or (Y, X, C) array-like
        Anything with ``shape`` and slicing.

    Returns
    -------
    (C,) array
        Of the image's dtype; NaN if it is in a corner.
    """
    height, width = image.shape[:2]
    corners = [image[y : y + 1, x : x + 1] for y in {0, height - 1} for x in {0, width - 1}]
    return np.concatenate([with_channels(np.asarray(corner)) for corner in corners]).min(axis=(0, 1))


def margin_floor(summary: ChannelSummary, value: Any, stray: float, low: float, high: float) -> float | None:
    """The intensity up to which pixels are margin, half-way to the darkest others: -inf for NaN; None without a margin.

    Parameters
    ----------
    summary : ChannelSummary
        Of the channel, with ``value`` counted apart.
    value : number
        The one that a margin would have.
    stray, low, high : float
        Of the other values: the percentile `STRAY` and those that become 0 and 1.
    """
    if not 0 < summary.share_apart <= MAX_SHARE:
        return None
    if np.isnan(value):
        return -np.inf
    if value != summary.minimum or not low - float(value) >= MIN_GAP * (high - low) > 0:
        return None
    floor = (float(value) + low) / 2
    return floor if stray > floor else None
