"""Foreground head: foreground probability of every pixel, not only on the grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...config import NetworkConfig, TrainingConfig
from ...geometry.foreground import foreground_cells
from ..grid_cells import to_cells, to_pixels
from ..symmetry import Symmetry
from .head import Features, Head, Loss
from .label_patch import LabelPatch

if TYPE_CHECKING:
    import keras

#: Pixels within this distance, in pixels, of both foreground and background ...
BOUNDARY_PIXELS = 3
#: ... get this weight, as they define the outline.
NEAR_BOUNDARY = 4.0


class Foreground(Head):
    """One channel per pixel of a grid cell, row by row, as in sub-pixel convolution (Shi et al., CVPR 2016).

    The target is ``[foreground ..., weights ...]``. The weight is :data:`NEAR_BOUNDARY` near boundaries, 0 for ignored
    pixels and 1 elsewhere.
    """

    name = "foreground"

    def channels(self, network: NetworkConfig) -> int:
        return network.grid[0] * network.grid[1] if network.foreground_filters else 0

    def target_channels(self, network: NetworkConfig) -> int:
        return 2 * self.channels(network)

    def build(self, features: Features, network: NetworkConfig) -> keras.KerasTensor:
        from keras import layers

        from ..architectures.unet import convolution

        x = convolution(features.decoded, network.foreground_filters, "foreground_features", network)
        return layers.Conv2D(
            self.channels(network), 1, padding="same", activation="sigmoid", name=self.name, dtype="float32"
        )(x)

    def n_weights(self, decoded: int, shared: int, network: NetworkConfig) -> int:
        from ..architectures.plan import convolution_weights

        features = convolution_weights(network, decoded, network.foreground_filters)
        return features + super().n_weights(decoded, network.foreground_filters, network)

    def fill_target(self, patch: LabelPatch, out: NDArray[np.float32]) -> None:
        foreground_cells(patch.labels, patch.grid, BOUNDARY_PIXELS, NEAR_BOUNDARY, out)

    def loss(self, network: NetworkConfig, training: TrainingConfig) -> Loss:
        from ..losses import foreground_loss

        return foreground_loss(training.foreground_weight)

    def realign(
        self, values: NDArray, symmetry: Symmetry, grid: tuple[int, int]
    ) -> tuple[NDArray, NDArray[np.float32] | int]:
        """Undo a symmetry pixel by pixel: a mirror image swaps the sides of a cell."""
        if symmetry == Symmetry():
            return values, 1
        pixels = np.stack([to_pixels(cells, grid) for cells in values])
        shape = pixels.shape[1:]
        for axis, flipped in ((1, symmetry.flipped_y), (2, symmetry.flipped_x)):
            if flipped:  # pixel j of the mirror image is pixel length - step - j
                pixels = np.flip(pixels.take(range(pixels.shape[axis] - grid[axis - 1] + 1), axis), axis)
        if symmetry.transposed:
            pixels, shape = pixels.swapaxes(1, 2), shape[::-1]
        beyond = [(0, length - have) for length, have in zip(shape, pixels.shape[1:], strict=True)]
        seen = np.pad(np.ones(pixels.shape[1:], np.float32), beyond)
        return np.stack([to_cells(np.pad(window, beyond), grid) for window in pixels]), to_cells(seen, grid)


FOREGROUND = Foreground()
