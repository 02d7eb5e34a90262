"""A Keras model as engines run it: its answers within the bounds that the model's description sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from ..config import ModelSpec

# no polygon shrinks to a point: StarDist's bound, kept so that its models give the same numbers
MIN_DISTANCE = 1e-3


def bounded(model: keras.Model, spec: ModelSpec) -> Callable[[Any], dict[str, Any]]:
    """A function from a batch to the model's answers, as :class:`~starpoly.network.dense_output.DenseOutput` has them."""

    def run(batch: Any) -> dict[str, Any]:
        outputs = dict(model(batch, training=False))
        outputs["probability"] = outputs["probability"][..., 0]
        outputs["distances"] = keras.ops.clip(outputs["distances"], MIN_DISTANCE, spec.max_distance)
        return outputs

    return run


def bounded_in(precision: str, model: keras.Model, spec: ModelSpec) -> Callable[[Any], dict[str, Any]]:
    """The same, computed in ``precision``, "float32" or "bfloat16"."""
    if precision != "bfloat16":
        return bounded(model, spec)
    from .bfloat16 import in_bfloat16

    return bounded(in_bfloat16(spec.network, model), spec)
