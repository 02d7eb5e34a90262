"""Training loop: step, validate, keep the best weights, write the checkpoint."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from ..config import ModelSpec, TrainingConfig
from ..io.console import progress_bar
from ..network.storage.folder import save_model
from .average import averaged_weights
from .checkpoint import save_checkpoint
from .history import TensorBoardLog, write_history
from .patches import Batch, Sampler, stream

log = logging.getLogger(__name__)


@dataclass
class Progress:
    """Progress of a training, stored in the checkpoint."""

    epoch: int = 0
    best_loss: float = float("inf")
    best_epoch: int = 0
    seconds: float = 0.0
    rounds: list[dict[str, Any]] = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Loop:
    """A training, ready to run.

    Parameters
    ----------
    folder : Path
        Model folder for the best model, the checkpoint and the log.
    model : keras.Model
        Compiled.
    spec : ModelSpec
        Spec of the model.
    training : TrainingConfig
    settings : dict
        Settings that a resumed training must share, stored in the checkpoint.
    validation : list of Batch
    progress : Progress
        Updated during training.
    """

    folder: Path
    model: keras.Model
    spec: ModelSpec
    training: TrainingConfig
    settings: dict[str, Any]
    validation: list[Batch]
    progress: Progress

    def run(self, next_sampler: Callable[[], Sampler], after_epoch: Callable[[int], None] | None = None) -> None:
        """Train the remaining epochs.

        Parameters
        ----------
        next_sampler : callable
            Returns the sampler of the next epoch. Called before each epoch.
        after_epoch : callable, optional
            Called with the number of finished epochs after each checkpoint.
        """
        progress, per_epoch = self.progress, self.training.steps_per_epoch
        board = TensorBoardLog(self.folder)
        total = self.training.epochs * per_epoch
        with progress_bar(total=total, initial=progress.epoch * per_epoch, desc="training", unit="step") as bar:
            while progress.epoch < self.training.epochs:
                started = time.monotonic()
                record = self._epoch(next_sampler(), _Bar(bar))
                progress.seconds += time.monotonic() - started
                record["seconds"] = progress.seconds
                self._write_down(record, board)
                if after_epoch is not None:
                    after_epoch(progress.epoch)

    def _epoch(self, sampler: Sampler, bar: keras.callbacks.Callback) -> dict[str, float]:
        """Train one epoch; return its losses."""
        progress, per_epoch = self.progress, self.training.steps_per_epoch
        first = progress.epoch * per_epoch
        batches = stream(sampler, first, first + per_epoch, self.training.workers)
        row = self.model.fit(
            batches, steps_per_epoch=per_epoch, epochs=1, shuffle=False, verbose=0, callbacks=[bar]
        ).history
        progress.epoch += 1
        record = {"epoch": float(progress.epoch), **{name: values[-1] for name, values in row.items()}}
        if progress.epoch % self.training.validate_every == 0 or progress.epoch == self.training.epochs:
            record |= self._validate()
        return record

    def _validate(self) -> dict[str, float]:
        """Validation losses of the averaged weights; save the weights if they are the best so far."""
        progress = self.progress
        with averaged_weights(self.model):
            losses = _losses(self.model, self.validation)
            if losses["val_loss"] < progress.best_loss:
                progress.best_loss, progress.best_epoch = losses["val_loss"], progress.epoch
                save_model(self.folder, _with_provenance(self.spec, progress), self.model)
        return losses

    def _write_down(self, record: dict[str, float], board: TensorBoardLog) -> None:
        self.progress.history.append(record)
        write_history(self.folder, self.progress.history)
        board.add(record)
        save_checkpoint(self.folder, self.model, {"settings": self.settings, "progress": vars(self.progress)})
        log.info("epoch %d: %s", self.progress.epoch, record)


def _with_provenance(spec: ModelSpec, progress: Progress) -> ModelSpec:
    provenance = {**spec.training, "best_epoch": progress.best_epoch, "validation_loss": progress.best_loss}
    if progress.rounds:
        provenance["unlabelled"] = progress.rounds
    return spec.replace(training=provenance)


def _losses(model: keras.Model, batches: list[Batch]) -> dict[str, float]:
    rows = []
    for images, targets in batches:
        rows.append(model.test_on_batch(images, targets, return_dict=True))
        model.reset_metrics()
    return {f"val_{name}": float(np.mean([row[name] for row in rows])) for name in rows[0]}


class _Bar(keras.callbacks.Callback):
    """Shows steps and losses on a tqdm bar."""

    def __init__(self, bar: tqdm) -> None:
        super().__init__()
        self._bar = bar

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._bar.update()
        if not self._bar.disable and logs:
            self._bar.set_postfix(
                {name.removesuffix("_loss"): f"{value:.3f}" for name, value in logs.items()}, refresh=False
            )
