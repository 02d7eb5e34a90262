"""How long a training gets, from the minutes that there are."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..config import TrainingConfig
from ..errors import warn
from ..io.console import duration
from .patches import Batch

if TYPE_CHECKING:
    import keras

#: Steps that are timed after the first one, which traces the network, and the seconds after which fewer will do.
MEASURED = 10
_ENOUGH = 10.0
#: Share of the time for optimiser steps and validation; checkpoints and thresholds take the rest.
_SHARE = 0.8
#: Seconds of a patch in validation, of those in a step, which goes back through the network, too.
_FORWARD = 1 / 3
#: Least number of epochs, so that the best of several is kept.
_LEAST_EPOCHS = 4


def fit_length(
    training: TrainingConfig, seconds: float, step_seconds: float, *, preparation: float = 0.0
) -> TrainingConfig:
    """The same training with as many epochs as fit.

    Parameters
    ----------
    training : TrainingConfig
    seconds : float
        Those given.
    step_seconds : float
        Of one optimiser step.
    preparation : float
        Seconds until the first of them.

    Returns
    -------
    TrainingConfig
        With at least four epochs: shorter ones where there are fewer steps.

    Warns
    -----
    StarpolyWarning
        If the time does not suffice for a step an epoch, which is taken nevertheless.

    Examples
    --------
    >>> fit_length(TrainingConfig(), 3600, 0.5).epochs
    56
    """
    available = _SHARE * (seconds - preparation)
    steps = int(available / step_seconds)
    if steps < _LEAST_EPOCHS:
        steps = _LEAST_EPOCHS
        needed = preparation + steps * step_seconds / _SHARE
        warn(
            f"minutes: expected time for {steps} steps of {step_seconds:.2g} s after {preparation:.0f} s of preparation, got "
            f"{seconds:.0f} s; these few are taken, which takes {duration(needed)}; give more for a useful model"
        )
    per_epoch = min(training.steps_per_epoch, steps // _LEAST_EPOCHS)
    validation = _FORWARD * step_seconds * training.validation_patches / training.batch_size
    epochs = max(_LEAST_EPOCHS, int(available / (per_epoch * step_seconds + validation / training.validate_every)))
    every = max(1, min(training.validate_every, epochs // _LEAST_EPOCHS))
    return training.replace(epochs=epochs, steps_per_epoch=per_epoch, validate_every=every)


def time_steps(model: keras.Model, batches: Iterator[Batch]) -> tuple[float, float]:
    """Seconds of an optimiser step, and of the first, which prepares the network; the model's weights change.

    Parameters
    ----------
    model : keras.Model
        Compiled.
    batches : iterator of Batch
        At least two.
    """
    times = [time.monotonic()]
    for images, targets in batches:
        model.train_on_batch(images, targets)
        times.append(time.monotonic())
        if len(times) > 2 and times[-1] - times[1] > _ENOUGH:
            break
    return max(1e-3, (times[-1] - times[1]) / (len(times) - 2)), times[1] - times[0]
