"""Class head: class of the object at each grid point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...config import NetworkConfig, TrainingConfig
from .head import Features, Head, Loss
from .label_patch import LabelPatch

if TYPE_CHECKING:
    import keras


class Classes(Head):
    """Class probabilities, background first; the target is ``[one-hot classes ..., weight]``, all zero if unknown."""

    name = "classes"

    def channels(self, network: NetworkConfig) -> int:
        return network.n_classes + 1 if network.n_classes else 0

    def build(self, features: Features, network: NetworkConfig) -> keras.KerasTensor:
        from keras import layers

        return layers.Conv2D(
            network.n_classes + 1, 1, padding="same", activation="softmax", name=self.name, dtype="float32"
        )(features.shared)

    def fill_target(self, patch: LabelPatch, out: NDArray[np.float32]) -> None:
        labels, classes = patch.on_grid, patch.classes
        if classes is None:
            classes = np.zeros(int(labels.max(initial=0)) + 1, np.int64)
        of_pixel = np.asarray(classes)[labels]
        one_hot = np.eye(out.shape[-1] - 1, dtype=np.float32)[of_pixel]
        one_hot[(labels > 0) & (of_pixel == 0)] = 0
        out[..., :-1], out[..., -1] = one_hot, patch.weight

    def loss(self, network: NetworkConfig, training: TrainingConfig) -> Loss:
        from ..losses import class_loss

        return class_loss(training.class_weights or (1.0,) * (network.n_classes + 1))


CLASSES = Classes()
