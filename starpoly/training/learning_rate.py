"""Learning rate: a linear rise, then half a cosine (Loshchilov and Hutter, 2017)."""

from __future__ import annotations

import math
from typing import Any

import keras


class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """From a fiftieth of the highest rate up to it, and down to a hundredth.

    As Keras's ``CosineDecay``, but without branches: weight decay asks for the rate once per variable, and TensorFlow needs
    seconds to trace a branch for each.

    Parameters
    ----------
    highest : float
    warmup : int
        Steps of the rise; at most half of all.
    steps : int
        All steps.
    """

    def __init__(self, highest: float, warmup: int, steps: int) -> None:
        super().__init__()
        self._highest, self._given = highest, (warmup, steps)
        rise = min(warmup, steps // 2)
        self._fall, self._rise = max(1, steps - rise), max(1, rise)

    def __call__(self, step: Any) -> Any:
        """The rate at a step, counted from 0."""
        at = keras.ops.cast(step, "float32")
        low = self._highest / 50
        rising = low + (self._highest - low) * at / self._rise
        share = keras.ops.clip((at - self._rise) / self._fall, 0.0, 1.0)
        falling = self._highest * (0.01 + 0.99 * 0.5 * (1.0 + keras.ops.cos(math.pi * share)))
        return keras.ops.where(at < self._rise, rising, falling)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as Keras stores them."""
        return {"highest": self._highest, "warmup": self._given[0], "steps": self._given[1]}
