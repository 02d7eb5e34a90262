"""A Keras model for engines, with outputs clipped to the bounds of the model's description."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..config import ModelSpec
from .heads.registry import HEADS

if TYPE_CHECKING:
    import keras


def bounded(model: keras.Model, spec: ModelSpec) -> Callable[[Any], dict[str, Any]]:
    """Function from a batch to the model's outputs, in the layout of :class:`~starpoly.network.DenseOutput`."""

    def run(batch: Any) -> dict[str, Any]:
        outputs = model(batch, training=False)
        return {name: HEADS[name].bound(values, spec) for name, values in outputs.items()}

    return run


def bounded_in(precision: str, model: keras.Model, spec: ModelSpec) -> Callable[[Any], dict[str, Any]]:
    """The same function in ``precision`` "float32" or "bfloat16"."""
    if precision != "bfloat16":
        return bounded(model, spec)
    from .bfloat16 import in_bfloat16

    return bounded(in_bfloat16(spec.network, model), spec)
