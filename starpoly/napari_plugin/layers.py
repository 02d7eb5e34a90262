"""Pixels of napari layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import napari


def pixels_of(layer: napari.layers.Layer) -> NDArray:
    """A layer's data, at the finest resolution."""
    return np.asarray(layer.data[0] if layer.multiscale else layer.data)
