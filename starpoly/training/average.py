"""Moving average of the weights, used for validation and the saved model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras


@contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """Swap in the optimiser's averaged weights within the block, if it keeps an average."""
    averages = [v for v in model.optimizer.variables if v.name.endswith("_average")]
    if not averages:
        yield
        return
    trained = [keras.ops.convert_to_numpy(v.value) for v in model.trainable_variables]
    for variable, average in zip(model.trainable_variables, averages, strict=True):
        # a copy: JAX deletes the arrays that a step is given, and this one is the optimiser's, too
        variable.assign(keras.ops.convert_to_numpy(average.value))
    try:
        yield
    finally:
        for variable, value in zip(model.trainable_variables, trained, strict=True):
            variable.assign(value)
