"""Pixels of napari layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import napari


def pixels_of(layer: napari.layers.Layer) -> NDArray:
    """A layer's data, at the finest resolution."""
    return np.asarray(layer.data[0] if layer.multiscale else layer.data)


def placement_of(layer: napari.layers.Layer) -> dict[str, Any]:
    """How a layer lies in the world, as settings of another layer of the same axes; those that this napari has.

    An RGB layer's transform has no axis for colour, so it fits the labels.
    """
    names = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
    return {name: getattr(layer, name) for name in names if hasattr(layer, name)}
