"""Training loop: step, validate, keep the best weights, write the checkpoint."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..config import ModelSpec, TrainingConfig
from ..errors import ModelError
from ..io.console import duration
from ..network.storage.folder import save_model
from .average import averaged_weights
from .checkpoint import made_with, remove_checkpoint, save_checkpoint
from .history import TensorBoardLog, write_history
from .patches import Batch, Sampler, stream
from .progress_callbacks import StepProgress, StopWhenDiverged, TimedCheckpoints

log = logging.getLogger(__name__)


@dataclass
class Progress:
    """Progress of a training, stored in the checkpoint: finished epochs, and steps of the one that is not."""

    epoch: int = 0
    step: int = 0
    best_loss: float = float("inf")
    best_epoch: int = 0
    seconds: float = 0.0
    rounds: list[dict[str, Any]] = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)
    resumed: list[dict[str, Any]] = field(default_factory=list)


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
    sums : list of array
        Of the losses of an epoch that a checkpoint interrupts, see ``loss_sums``.
    """

    folder: Path
    model: keras.Model
    spec: ModelSpec
    training: TrainingConfig
    settings: dict[str, Any]
    validation: list[Batch]
    progress: Progress
    sums: list[np.ndarray] = field(default_factory=list)

    def run(
        self,
        next_sampler: Callable[[], Sampler],
        validated: Callable[[int], bool] | None = None,
        after_epoch: Callable[[int], None] | None = None,
    ) -> None:
        """Train the remaining epochs.

        Parameters
        ----------
        next_sampler : callable
            Returns the sampler of the next epoch. Called before each epoch.
        validated : callable, optional
            Whether an epoch is validated beyond those that ``training.validate_every`` asks for.
        after_epoch : callable, optional
            Called with the number of finished epochs after each checkpoint.
        """
        progress, per_epoch = self.progress, self.training.steps_per_epoch
        _make_loss_metrics(self.model, self.validation[0])
        board = TensorBoardLog(self.folder)
        total, done = self.training.epochs * per_epoch, progress.epoch * per_epoch + progress.step
        shown = StepProgress(total, done)
        clock = _Clock(progress.seconds)
        timed = TimedCheckpoints(lambda step, sums: self._save(step, clock.seconds, sums), per_epoch)
        if done < total:
            log.info("step %d of %d; the first one prepares the network and takes longer", done + 1, total)
        try:
            while progress.epoch < self.training.epochs:
                record = self._epoch(next_sampler(), shown, timed)
                if self._is_validated(progress.epoch) or (validated is not None and validated(progress.epoch)):
                    record |= self._validate()
                record["seconds"] = progress.seconds = clock.seconds
                self._write_down(record, board)
                if after_epoch is not None:
                    clock.stop()
                    after_epoch(progress.epoch)
                    clock.go_on()
        finally:
            shown.close()

    def _epoch(self, sampler: Sampler, shown: StepProgress, timed: TimedCheckpoints) -> dict[str, float]:
        """Train one epoch, or the rest of it; return its losses."""
        progress, per_epoch = self.progress, self.training.steps_per_epoch
        first = progress.epoch * per_epoch
        batches = stream(sampler, first + progress.step, first + per_epoch, self.training.workers)
        timed.begin_epoch(progress.step, self.sums if progress.step else ())
        row = self.model.fit(
            batches,
            steps_per_epoch=per_epoch - progress.step,
            epochs=1,
            shuffle=False,
            verbose=0,
            callbacks=[StopWhenDiverged(), timed, shown],
        ).history
        self._check_finite(row["loss"][-1], progress.epoch + 1)
        progress.epoch, progress.step = progress.epoch + 1, 0
        record = {"epoch": float(progress.epoch), **{name: values[-1] for name, values in row.items()}}
        return record

    def _check_finite(self, loss: float, epoch: int) -> None:
        """Refuse losses that are no numbers, before a checkpoint holds their weights."""
        if np.isfinite(loss):
            return
        if not self.progress.history:
            remove_checkpoint(self.folder)  # of some steps of this epoch: nobody can go on from there
        best = self.progress.best_epoch
        kept = f"; the model of epoch {best} is kept" if best else ""
        raise ModelError(
            f"{self.folder}: expected finite losses, got {loss:g} in epoch {epoch}; train anew with a learning rate below "
            f"{self.training.learning_rate:g}{kept}"
        )

    def _is_validated(self, epoch: int) -> bool:
        return epoch % self.training.validate_every == 0 or epoch == self.training.epochs

    def _validate(self) -> dict[str, float]:
        """Validation losses of the averaged weights; save the weights if they are the best so far."""
        progress = self.progress
        with averaged_weights(self.model):
            losses = _losses(self.model, self.validation)
            self._check_finite(losses["val_loss"], progress.epoch)
            if losses["val_loss"] < progress.best_loss:
                progress.best_loss, progress.best_epoch = losses["val_loss"], progress.epoch
                save_model(self.folder, _with_provenance(self.spec, progress), self.model)
        return losses

    def _write_down(self, record: dict[str, float], board: TensorBoardLog) -> None:
        self.progress.history.append(record)
        write_history(self.folder, self.progress.history)
        board.add(record)
        self._save(0, self.progress.seconds)
        told = ", ".join(f"{name} {value:.4g}" for name, value in record.items() if name not in ("epoch", "seconds"))
        log.info("epoch %d, %s after the start: %s", self.progress.epoch, duration(record["seconds"]), told)

    def _save(self, step: int, seconds: float, sums: Sequence[np.ndarray] = ()) -> None:
        """Write a checkpoint after so many steps of the epoch."""
        progress = {**vars(self.progress), "step": step, "seconds": seconds}
        state = {"settings": self.settings, "progress": progress, "made_with": made_with()}
        save_checkpoint(self.folder, self.model, state, sums)


def _make_loss_metrics(model: keras.Model, batch: Batch) -> None:
    """Let Keras make the metrics of the losses, before TensorFlow traces a step: if the step makes them, it is traced twice."""
    _, targets = batch
    true = {name: values[:1] for name, values in targets.items()}
    found = {
        name: keras.ops.zeros((*true[name].shape[:-1], output.shape[-1]), output.dtype)
        for name, output in model.output.items()
    }
    model.compute_loss(y=true, y_pred=found)
    model.reset_metrics()


def _with_provenance(spec: ModelSpec, progress: Progress) -> ModelSpec:
    provenance = {**spec.training, "best_epoch": progress.best_epoch, "validation_loss": progress.best_loss}
    if progress.rounds:
        provenance["unlabelled"] = progress.rounds
    if progress.resumed:
        provenance["resumed"] = progress.resumed
    return spec.replace(training=provenance)


def _losses(model: keras.Model, batches: list[Batch]) -> dict[str, float]:
    rows = []
    for images, targets in batches:
        rows.append(model.test_on_batch(images, targets, return_dict=True))
        model.reset_metrics()
    return {f"val_{name}": float(np.mean([row[name] for row in rows])) for name in rows[0]}


class _Clock:
    """Seconds of training: those before, and those since, without what is stopped."""

    def __init__(self, before: float) -> None:
        self._before = before
        self.go_on()

    @property
    def seconds(self) -> float:
        """Until now."""
        return self._before + time.monotonic() - self._since

    def stop(self) -> None:
        """Keep what has passed."""
        self._before = self.seconds

    def go_on(self) -> None:
        """Count from now."""
        self._since = time.monotonic()
