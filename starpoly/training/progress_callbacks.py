"""What a training says of its steps, and the checkpoints that it writes between two epochs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from ..io.console import duration, progress_bar

log = logging.getLogger(__name__)

#: Leaves room for the bar itself in 60 columns.
_BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{remaining} left{postfix}]"
#: Steps after which the time that is left is said.
_MEASURED = 20
#: Seconds until the first checkpoint between two epochs, and between any two later ones.
FIRST_CHECKPOINT, NEXT_CHECKPOINT = 60.0, 600.0
#: Share of the time that checkpoints may take.
_SHARE = 0.02


class StepProgress(keras.callbacks.Callback):
    """Shows steps and loss on a bar, and says once how long the training takes.

    The first step of a process traces the network, which takes as long as many steps: bar and estimate begin after it.

    Parameters
    ----------
    total, done : int
        Steps of the training, and those that are finished.
    """

    def __init__(self, total: int, done: int) -> None:
        super().__init__()
        self._total, self._done = total, done
        self._bar: tqdm | None = None
        self._started = (0, 0.0)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Count a step."""
        self._done += 1
        if self._bar is None:
            self._bar = progress_bar(
                total=self._total, initial=self._done, desc="training", unit="step", bar_format=_BAR
            )
            self._started = self._done, time.monotonic()
            return
        if logs and not self._bar.disable:
            self._bar.set_postfix_str(f"loss {logs['loss']:.3f}", refresh=False)  # more would leave no room for the bar
        self._bar.update()
        first, since = self._started
        if self._done - first == _MEASURED:
            self._say((time.monotonic() - since) / _MEASURED)

    def _say(self, seconds: float) -> None:
        left = self._total - self._done
        log.info("about %s for the %d steps left, %.2g s a step", duration(left * seconds), left, seconds)

    def close(self) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()


class StopWhenDiverged(keras.callbacks.Callback):
    """Ends an epoch at the first loss that is not finite, without a word."""

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Look at the loss."""
        if logs and not np.isfinite(logs["loss"]):
            self.model.stop_training = True


class TimedCheckpoints(keras.callbacks.Callback):
    """Writes checkpoints between two epochs: the first after a minute, later ones every ten. Not under JAX.

    Parameters
    ----------
    save : callable
        Writes a checkpoint, given the finished steps of the epoch and :func:`loss_sums`.
    steps_per_epoch : int
    """

    def __init__(self, save: Callable[[int, list[np.ndarray]], None], steps_per_epoch: int) -> None:
        super().__init__()
        self._save, self._per_epoch = save, steps_per_epoch
        self._step = 0
        self._sums: Sequence[np.ndarray] = ()
        # JAX gives its arrays away within an epoch
        self._due = float("inf") if keras.backend.backend() == "jax" else time.monotonic() + FIRST_CHECKPOINT

    def begin_epoch(self, step: int, sums: Sequence[np.ndarray]) -> None:
        """Count the steps of an epoch from ``step`` on; ``sums`` are the sums of its losses until there."""
        self._step, self._sums = step, sums

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Count a step; write a checkpoint if it is time."""
        self._step += 1
        if self._sums:
            for variable, before in zip(self.model.metrics_variables, self._sums, strict=True):
                variable.assign(before + np.asarray(variable))
            self._sums = ()
        started = time.monotonic()
        if started < self._due or self._step >= self._per_epoch or not np.isfinite((logs or {}).get("loss", 0.0)):
            return
        self._save(self._step, loss_sums(self.model))
        now = time.monotonic()
        self._due = now + max(NEXT_CHECKPOINT, (now - started) / _SHARE)


def loss_sums(model: Any) -> list[np.ndarray]:
    """Sums of the losses of the epoch so far, and their counts."""
    return [np.asarray(variable) for variable in model.metrics_variables]
