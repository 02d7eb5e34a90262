"""Fit a network to pairs of images and masks: resumable, with averaged weights, keeps the best by validation."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..config import ModelSpec, NetworkConfig, NormalizationConfig, TrainingConfig
from ..errors import ModelError
from ..io.files.atomic import reserved
from ..network.architectures.registry import ARCHITECTURES, build_network
from ..network.heads.registry import heads_of
from ..network.storage.folder import WEIGHTS_FILE, load_model
from ..network.transfer import transfer_weights
from . import history
from .checkpoint import made_with, restore_checkpoint
from .data import TrainingData
from .description import describe
from .devices import data_parallel
from .groups import group_factors
from .inputs import TrainingInputs
from .learning_rate import AdamW, WarmupCosine
from .loop import Loop, Progress
from .patches import MixedSampler, PatchSampler, Sampler, stream, validation_batches
from .rendering.sampler import with_rendered
from .resuming import (
    FILE_NAME,
    changed_settings,
    changed_since,
    describe_changes,
    describe_progress,
    settings_of,
    state_to_resume,
)
from .self_training import SelfTraining
from .time_budget import MEASURED, fit_length, time_steps

log = logging.getLogger(__name__)

#: Settings that ``minutes`` decide.
_LENGTH = ("epochs", "steps_per_epoch", "validate_every")


def fit(
    folder: Path,
    data: TrainingInputs,
    *,
    training: TrainingConfig,
    network: NetworkConfig | None = None,
    normalization: NormalizationConfig | None = None,
    init: str | Path | None = None,
    resume: bool = False,
    minutes: float | None = None,
    validated: Callable[[int], bool] | None = None,
    after_epoch: Callable[[int], None] | None = None,
) -> ModelSpec:
    """Train a network and save the best one, by validation loss, as a model folder.

    Parameters
    ----------
    folder : Path
        Model folder, created if missing. Also holds ``training.csv`` and the checkpoint.
    data : TrainingInputs
        Unlabelled images (see :mod:`starpoly.training.self_training`) may change between runs until their first
        labelling.
    network, training, normalization : configs
        ``network`` defaults to that of ``init``, else to the default network.
    init : path, optional
        Model folder with initial weights. Matching layers are copied, see :mod:`starpoly.network.transfer`.
    resume : bool
        Continue from the checkpoint in ``folder``. Without a checkpoint, start anew.
    minutes : float, optional
        Time for the training, which decides the number of epochs. A resumed training keeps its number.
    validated : callable, optional
        Whether an epoch is validated beyond those that ``training.validate_every`` asks for.
    after_epoch : callable, optional
        Called with the number of finished epochs after each checkpoint.

    Returns
    -------
    ModelSpec
        Spec of the best model, with untuned thresholds.

    Raises
    ------
    ModelError
        If ``folder`` holds a checkpoint and ``resume`` is False, or a checkpoint with other settings. If ``network``
        differs from that of a StarDist model in ``init``.
    DataError
        If the data cannot be used.
    """
    started = time.monotonic()
    state = state_to_resume(folder, resume)
    if resume and state is None:
        log.info("%s: there is no checkpoint to go on from; the training starts anew", folder)
    if minutes is not None and state is not None:
        log.info("a resumed training keeps its number of epochs; the %g minutes are not counted", minutes)
        training = training.replace(**{name: state["settings"]["training"][name] for name in _LENGTH})
    initial, weights = _initial(init, network)
    if initial is not None:
        network, normalization = network or initial.network, initial.normalization
    network, normalization = network or NetworkConfig(), normalization or NormalizationConfig()
    labelled, validation = (
        TrainingData(
            pairs,
            n_channels=network.n_channels,
            normalization=normalization,
            cache_bytes=training.cache_megabytes << 20,
            n_classes=network.n_classes,
        )
        for pairs in (data.training, data.validation)
    )
    summary = labelled.summarize(validation=validation)
    factors = group_factors(labelled.groups, training.group_balance)

    def prepare(training: TrainingConfig) -> tuple[ModelSpec, PatchSampler | MixedSampler]:
        spec = describe(
            folder.name, data, summary, network=network, training=training, normalization=normalization, start=initial
        )
        patches = PatchSampler(labelled, summary.pixels, spec.network, training, factors)
        return spec, with_rendered(patches, labelled, spec, training)

    spec, sampler = prepare(training)
    if minutes is not None and state is None:
        log.info("%d steps are timed, to see how many fit in the time of %g min", MEASURED, minutes)
        batches = stream(sampler, 0, MEASURED + 1, training.workers)
        seconds, first = time_steps(_compile(spec, training, weights), batches)
        # the network is prepared once more
        preparation = time.monotonic() - started + first
        training = fit_length(training, 60 * minutes, seconds, preparation=preparation)
        log.info("%d epochs of %d steps, %.2g s a step", training.epochs, training.steps_per_epoch, seconds)
        spec, sampler = prepare(training)
    settings = settings_of(network, training, data, summary.contents)
    _refuse_others(folder, state, settings, training)
    with data_parallel(training):
        model = _compile(spec, training, weights)
        progress, sums = _restore(folder, model, state, settings)
        patches = validation_batches(validation, spec.network, training)
        loop = Loop(folder, model, spec, training, settings, patches, progress, sums)
        loop.run(_samplers(folder, data, sampler, loop), validated, after_epoch)
    return load_model(folder)[0]


def _initial(init: str | Path | None, network: NetworkConfig | None) -> tuple[ModelSpec | None, keras.Model | None]:
    """Load the initial model with its weights."""
    if init is None:
        return None, None
    spec, model = load_model(init)
    if spec.network.settings and network not in (None, spec.network):
        raise ModelError(f"{init}: a model of StarDist keeps its network; leave the settings of the network out")
    return spec, model


def _refuse_others(
    folder: Path, state: dict[str, Any] | None, settings: dict[str, Any], training: TrainingConfig
) -> None:
    """Refuse a checkpoint with other settings."""
    if state is not None and (changed := changed_settings(state, settings, training)):
        raise ModelError(
            f"{folder}: the checkpoint was made with other settings: {describe_changes(state, settings, changed)}; "
            "resume with the same, or choose another folder"
        )


def _restore(
    folder: Path, model: keras.Model, state: dict[str, Any] | None, settings: dict[str, Any]
) -> tuple[Progress, list[np.ndarray]]:
    """Restore progress and weights from the checkpoint, and the sums of the losses of an epoch."""
    folder.mkdir(parents=True, exist_ok=True)
    if state is None:
        return Progress(), []
    sums = restore_checkpoint(folder, model)
    for name in (FILE_NAME, WEIGHTS_FILE, history.FILE_NAME):
        with reserved(folder / name):
            pass  # what a run has left beside it that was killed there: a finished training does not write it again
    try:
        progress = Progress(**state["progress"])
    except TypeError as error:
        raise ModelError(
            f"{folder}: expected a checkpoint of a training, got one with other parts; delete it to start anew"
        ) from error
    log.info("%s: continues after %s", folder, describe_progress(state))
    if changes := changed_since(state, settings, made_with()):
        progress.resumed = [*progress.resumed, {"epoch": progress.epoch, **changes}]
        told = ", ".join(
            f"{name} {after}" + ("" if before is None else f", was {before}")
            for name, (before, after) in changes.items()
        )
        log.warning("%s: continues with other versions or images: %s; the result may differ", folder, told)
    return progress, sums


def _samplers(
    folder: Path, data: TrainingInputs, labelled: PatchSampler | MixedSampler, loop: Loop
) -> Callable[[], Sampler]:
    """Source of batches for each epoch."""
    if not data.unlabelled:
        return lambda: labelled
    teaching = SelfTraining(folder, data, labelled, loop.spec, loop.training)
    return lambda: teaching.sampler(loop.model, loop.progress.epoch, loop.progress.rounds)


def _compile(spec: ModelSpec, training: TrainingConfig, start: keras.Model | None) -> keras.Model:
    network = spec.network
    keras.utils.set_random_seed(training.seed)
    model = build_network(spec.network, "mixed_bfloat16" if training.precision == "bfloat16" else "float32")
    pretrain = ARCHITECTURES[network.architecture].pretrain
    if start is not None and (fresh := transfer_weights(start, model)):
        log.info("layers that start with fresh weights: %s", ", ".join(fresh))
    elif start is None and pretrain is not None and training.pretrained:
        pretrain(model)
    optimizer = AdamW(
        WarmupCosine(training.learning_rate, training.warmup_steps, training.epochs * training.steps_per_epoch),
        weight_decay=training.weight_decay,
        global_clipnorm=5.0,
        use_ema=training.ema > 0,
        ema_momentum=training.ema or 0.99,
    )
    losses = {head.name: head.loss(network, training) for head in heads_of(network)}
    model.compile(optimizer, loss=losses)
    optimizer.build(model.trainable_variables)
    return model
