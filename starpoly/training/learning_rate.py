"""Learning rate: a linear rise, then half a cosine (Loshchilov and Hutter, 2017); and an optimizer that asks for it once a step."""

from __future__ import annotations

import math
from typing import Any

import keras


class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """From a fiftieth of the highest rate up to it, and down to a hundredth.

    As Keras's ``CosineDecay``, but without branches, which TensorFlow is slow to trace.

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


class AdamW(keras.optimizers.AdamW):
    """Keras's, but the rate of a step is computed once.

    Keras's weight decay asks for it once per variable; to trace the schedule anew for each takes a fifth of the time until the
    first step.
    """

    _rate: Any = None

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Update the variables with these gradients."""
        self._rate = super().learning_rate
        try:
            super().apply(grads, trainable_variables)
        finally:
            # a tensor of the graph that is traced now means nothing in another
            self._rate = None

    @property
    def learning_rate(self) -> Any:
        """The rate of the step that is taken, or of the next one."""
        return super().learning_rate if self._rate is None else self._rate
