"""Any image as 8-bit RGB, for display."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import NormalizationConfig
from ..errors import without_warnings
from .normalization import fit_normalizer

_AT_ONCE = 1 << 18
"""Pixels stretched at once, so that the float copies stay small."""
_PERCENTILES = NormalizationConfig(low=0.5, high=99.8)
"""Percentiles that become black and white."""


def to_display(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Stretch an image between percentiles.

    Parameters
    ----------
    image : (Y, X) or (Y, X, C) array
        Raw intensities of any real dtype. The first three channels are red, green and blue, stretched alike; of
        two, the third colour stays dark; one is grey.

    Returns
    -------
    (Y, X, 3) uint8
    """
    image = (image if image.ndim == 3 else image[..., None])[..., :3]
    height, width, n_channels = image.shape
    # one stretch for all channels of RGB keeps the colours
    alike = image.reshape(height, 3 * width) if n_channels == 3 else image
    with without_warnings():  # given already when the image was normalised for the network
        normalizer = fit_normalizer(alike, _PERCENTILES)
    picture = np.zeros((height, width, 3), np.uint8)
    for rows in bands((height, width)):
        stretched = normalizer(alike[rows])
        np.clip(stretched, 0, 1, out=stretched)
        stretched *= 255
        shown = np.rint(stretched, out=stretched).astype(np.uint8).reshape(-1, width, n_channels)
        picture[rows, :, : 3 if n_channels == 1 else n_channels] = shown
    return picture


def bands(shape: tuple[int, int]) -> Iterator[slice]:
    """Slices of rows to work on at once, so that copies stay small."""
    n = max(1, _AT_ONCE // shape[1])
    for start in range(0, shape[0], n):
        yield slice(start, min(start + n, shape[0]))
