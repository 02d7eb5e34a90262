"""Distance head: distance to the object's boundary along each ray, in full-resolution pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...config import ModelSpec, NetworkConfig, TrainingConfig
from ...geometry.distances import fill_ray_distances
from ..symmetry import Symmetry
from .head import Features, Head, Loss
from .label_patch import LabelPatch

if TYPE_CHECKING:
    import keras

#: smallest distance in pixels: no polygon shrinks to a point. StarDist's bound, so its models give the same results.
MIN_DISTANCE = 1e-3


class Distances(Head):
    """Ray distances; the target is ``[distances ..., probability, weight * object_weight]``."""

    name = "distances"

    def channels(self, network: NetworkConfig) -> int:
        return network.n_rays

    def target_channels(self, network: NetworkConfig) -> int:
        return network.n_rays + 2

    def build(self, features: Features, network: NetworkConfig) -> keras.KerasTensor:
        from keras import layers

        # bias 1 gives softplus 1.31: objects start at a plausible size
        rays = layers.Conv2D(
            network.n_rays, 1, padding="same", activation=network.distance_activation, bias_initializer="ones",
            name="distance_rays", dtype="float32",
        )(features.shared)  # fmt: skip
        return layers.Rescaling(network.distance_scale, name=self.name, dtype="float32")(rays)

    def fill_target(self, patch: LabelPatch, out: NDArray[np.float32]) -> None:
        weights = np.stack([patch.probability, patch.weight * patch.object_weight], axis=-1)
        fill_ray_distances(patch.labels, out.shape[-1] - 2, patch.grid, out, weights)

    def loss(self, network: NetworkConfig, training: TrainingConfig) -> Loss:
        from ..losses import distance_loss

        return distance_loss(
            network.n_rays,
            mae_weight=training.mae_weight,
            iou_weight=training.iou_weight,
            background_weight=training.background_weight,
            scale=network.distance_scale,
        )

    def bound(self, values: Any, spec: ModelSpec) -> Any:
        from keras import ops

        return ops.clip(values, MIN_DISTANCE, spec.max_distance)

    def realign(self, values: NDArray, symmetry: Symmetry, grid: tuple[int, int]) -> tuple[NDArray, int]:
        return symmetry.of_answer(values)[..., symmetry.rays(values.shape[-1])], 1


DISTANCES = Distances()
