"""Probability head: object probability of each grid point, highest well inside an object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...config import ModelSpec, NetworkConfig, TrainingConfig
from .head import Features, Head, Loss
from .label_patch import LabelPatch

if TYPE_CHECKING:
    import keras


class Probability(Head):
    """The normalised distance to the object's boundary; the target is ``[probability, weight]``."""

    name = "probability"

    def channels(self, network: NetworkConfig) -> int:
        return 1

    def build(self, features: Features, network: NetworkConfig) -> keras.KerasTensor:
        from keras import initializers, layers

        # objects are rare: initialise near the prior, not at one half
        rare = initializers.Constant(-2.0)
        return layers.Conv2D(
            1, 1, padding="same", activation="sigmoid", bias_initializer=rare, name=self.name, dtype="float32"
        )(features.shared)

    def fill_target(self, patch: LabelPatch, out: NDArray[np.float32]) -> None:
        out[..., 0], out[..., 1] = patch.probability, patch.weight

    def loss(self, network: NetworkConfig, training: TrainingConfig) -> Loss:
        from ..losses import probability_loss

        return probability_loss

    def bound(self, values: Any, spec: ModelSpec) -> Any:
        return values[..., 0]


PROBABILITY = Probability()
