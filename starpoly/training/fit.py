"""Fit a network to pairs of images and masks: resumable, averaged, the best by validation kept."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from .. import __version__
from ..config import ModelSpec, NetworkConfig, NormalizationConfig, SizeRange, TrainingConfig
from ..errors import ModelError
from ..network.architectures.registry import build_network
from ..network.heads.registry import heads_of
from ..network.storage.folder import load_model, save_model
from ..network.transfer import transfer_weights
from .average import averaged_weights
from .checkpoint import read_state, restore_checkpoint, save_checkpoint
from .data import DataSummary, Pair, TrainingData
from .groups import kind_factors
from .history import TensorBoardLog, write_history
from .patches import Batch, PatchSampler, Sampler, stream, validation_batches
from .self_training import SelfTraining, Unlabelled
from .unlabelled import labelling_epochs

log = logging.getLogger(__name__)
#: Room above the largest object met in training, for the bound on predicted distances.
_DISTANCE_ROOM = 1.25
#: Where images are brought to a size, the bound is this many times the largest median diameter that is looked at.
_DISTANCE_BY_SIZE = 2.5


@dataclass
class Progress:
    """Where a training stands; goes into the checkpoint."""

    epoch: int = 0
    best_loss: float = float("inf")
    best_epoch: int = 0
    seconds: float = 0.0
    rounds: list[dict[str, Any]] = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)


def fit(
    folder: Path,
    train_pairs: Sequence[Pair],
    val_pairs: Sequence[Pair],
    *,
    network: NetworkConfig | None = None,
    training: TrainingConfig,
    normalization: NormalizationConfig | None = None,
    class_names: tuple[str, ...] = (),
    init: str | Path | None = None,
    resume: bool = False,
    licence: str = "",
    unlabelled: Unlabelled | None = None,
    after_epoch: Callable[[int], None] | None = None,
) -> ModelSpec:
    """Train a network and leave the best one, by validation loss, as a model folder.

    Parameters
    ----------
    folder : Path
        Model folder, made if missing; also takes ``training.csv`` and the checkpoint.
    train_pairs, val_pairs : sequence of Pair
        See :mod:`starpoly.training.data`.
    network, training, normalization : configs
        Without a ``network``, that of ``init``, or else the default one.
    class_names : tuple of str
        Names of the classes 1..n_classes.
    init : path, optional
        Model folder whose weights are the start, as far as they fit, see :mod:`starpoly.network.transfer`.
    resume : bool
        Go on from the checkpoint in ``folder``; without one, start anew.
    licence : str
        Licence of the data, kept in the model.
    unlabelled : Unlabelled, optional
        Images to learn from without labels, see :mod:`starpoly.training.self_training`. May be added to a
        training, or changed, until it has labelled them for the first time.
    after_epoch : callable, optional
        Called with the number of finished epochs once their checkpoint is written.

    Returns
    -------
    ModelSpec
        Of the best model; thresholds are not tuned yet.

    Raises
    ------
    ModelError
        If ``folder`` holds a checkpoint and ``resume`` is False, or of a training with other settings; if another
        ``network`` is to start from a model of StarDist.
    DataError
        If the data cannot be used.
    """
    normalization = normalization or NormalizationConfig()
    state = read_state(folder)
    if state is not None and not resume:
        raise ModelError(
            f"{folder}: holds an unfinished or finished training; go on with --resume, or choose another folder"
        )
    spec = start = None
    if init is not None:
        spec, start = load_model(init)
        if spec.network.settings and network not in (None, spec.network):
            raise ModelError(f"{init}: a model of StarDist keeps its network; leave the settings of the network out")
        network, normalization = network or spec.network, spec.normalization
    network = network or NetworkConfig()
    data, val_data = (
        TrainingData(
            pairs,
            n_channels=network.n_channels,
            normalization=normalization,
            cache_bytes=training.cache_megabytes << 20,
            n_classes=network.n_classes,
        )
        for pairs in (train_pairs, val_pairs)
    )
    summary = data.summarize()
    settings = _settings(network, training, data, unlabelled)
    spec = _describe(
        folder.name, spec, network, normalization, training, summary, class_names, licence, (data, val_data)
    )
    if unlabelled is None:
        spec.training["settings"].pop("unlabelled")
    if state is not None and (changed := _changed(state, settings, training)):
        raise ModelError(
            f"{folder}: the checkpoint was made with other settings ({', '.join(changed)}); resume with the same, or choose another folder"
        )

    model = _compile(spec, training, start)
    progress = Progress()
    folder.mkdir(parents=True, exist_ok=True)
    if state is not None:
        restore_checkpoint(folder, model)
        progress = Progress(**state["progress"])
    sampler = PatchSampler(
        data, summary.pixels, spec.network, training, kind_factors(data.kinds, training.kind_balance)
    )
    validation = validation_batches(val_data, spec.network, training)
    teaching = None if unlabelled is None else SelfTraining(folder, unlabelled, val_pairs, sampler, spec, training)

    def sampler_for_next_epoch() -> Sampler:
        return sampler if teaching is None else teaching.sampler(model, progress.epoch, progress.rounds)

    _run(folder, model, spec, settings, progress, sampler_for_next_epoch, validation, training, after_epoch)
    return load_model(folder)[0]


def _describe(
    name: str,
    start: ModelSpec | None,
    network: NetworkConfig,
    normalization: NormalizationConfig,
    training: TrainingConfig,
    summary: DataSummary,
    class_names: tuple[str, ...],
    licence: str,
    data: tuple[TrainingData, TrainingData],
) -> ModelSpec:
    low, median, high = np.percentile(summary.diameters, (5, 50, 95)).round(2)
    return ModelSpec(
        name=name,
        network=network,
        normalization=normalization,
        max_distance=_longest_distance(summary, start, training.sizes),
        object_diameter=(float(low), float(median), float(high)),
        class_names=class_names or (start.class_names if start else ()),
        licence=licence,
        ray_context=training.ray_context,
        sizes=training.sizes,
        training={
            "starpoly": __version__,
            "backend": keras.backend.backend(),
            "keras": keras.__version__,
            "initial_model": start.name if start else "",
            "images": len(data[0]),
            "objects": int(summary.n_objects.sum()),
            "validation_images": len(data[1]),
            "settings": training.to_dict(),
        },
    )


def _longest_distance(summary: DataSummary, start: ModelSpec | None, sizes: SizeRange) -> float:
    """The bound on predicted distances, in pixels.

    The reach of a candidate, and with it the halo of tiles and what has to wait at their borders, grows with it: an object that is far
    larger than its neighbours is no reason to make everything slow where images are brought to a size.
    """
    longest = max(float(np.ceil(_DISTANCE_ROOM * summary.longest)), start.max_distance if start else 0.0)
    return min(longest, float(np.ceil(_DISTANCE_BY_SIZE * sizes.largest))) if sizes.target else longest


def _settings(
    network: NetworkConfig, training: TrainingConfig, data: TrainingData, unlabelled: Unlabelled | None
) -> dict[str, Any]:
    """What a resumed training must share with the one that it continues, as JSON gives it back."""
    labelled = training.to_dict()
    settings = {
        "network": network.to_dict(),
        "training": labelled,
        "images": [data.name(index) for index in range(len(data))],
    }
    if any(data.kinds):
        settings["kinds"] = data.kinds
    of_unlabelled = labelled.pop("unlabelled")
    if unlabelled is not None:
        settings["unlabelled"] = {**of_unlabelled, "images": [image.name for image in unlabelled.images]}
    return json.loads(json.dumps(settings))


def _changed(state: dict[str, Any], settings: dict[str, Any], training: TrainingConfig) -> list[str]:
    """Which settings of a checkpoint are not those of now. Before the first labelling it is open what will be labelled."""
    before = state["settings"]
    names = set(before) | set(settings)
    if not state["progress"].get("rounds") and (
        "unlabelled" not in settings or state["progress"]["epoch"] <= labelling_epochs(training)[0]
    ):
        names -= {"unlabelled"}
    return sorted(name for name in names if before.get(name) != settings.get(name))


def _compile(spec: ModelSpec, training: TrainingConfig, start: keras.Model | None) -> keras.Model:
    network = spec.network
    keras.utils.set_random_seed(training.seed)
    model = build_network(spec.network, "mixed_bfloat16" if training.precision == "bfloat16" else "float32")
    if start is not None and (fresh := transfer_weights(start, model)):
        log.info("layers that start with fresh weights: %s", ", ".join(fresh))
    steps = training.epochs * training.steps_per_epoch
    warmup = min(training.warmup_steps, steps // 2)
    rate = keras.optimizers.schedules.CosineDecay(
        training.learning_rate / 50,
        max(1, steps - warmup),
        0.01,
        warmup_target=training.learning_rate,
        warmup_steps=max(1, warmup),
    )
    optimizer = keras.optimizers.AdamW(
        rate,
        weight_decay=training.weight_decay,
        global_clipnorm=5.0,
        use_ema=training.ema > 0,
        ema_momentum=training.ema or 0.99,
    )
    losses = {head.name: head.loss(network, training) for head in heads_of(network)}
    model.compile(optimizer, loss=losses)
    optimizer.build(model.trainable_variables)
    return model


def _run(
    folder: Path,
    model: keras.Model,
    spec: ModelSpec,
    settings: dict[str, Any],
    progress: Progress,
    sampler_for_next_epoch: Callable[[], Sampler],
    validation: list[Batch],
    training: TrainingConfig,
    after_epoch: Callable[[int], None] | None,
) -> None:
    per_epoch = training.steps_per_epoch
    total = training.epochs * per_epoch
    board = TensorBoardLog(folder)
    with tqdm(total=total, initial=progress.epoch * per_epoch, desc="training", unit="step", disable=None) as bar:
        while progress.epoch < training.epochs:
            started = time.monotonic()
            first = progress.epoch * per_epoch
            batches = stream(sampler_for_next_epoch(), first, first + per_epoch, training.workers)
            row = model.fit(
                batches, steps_per_epoch=per_epoch, epochs=1, shuffle=False, verbose=0, callbacks=[_Bar(bar)]
            ).history
            progress.epoch += 1
            record = {"epoch": float(progress.epoch), **{name: values[-1] for name, values in row.items()}}
            if progress.epoch % training.validate_every == 0 or progress.epoch == training.epochs:
                with averaged_weights(model):
                    record.update(_validate(model, validation))
                    if record["val_loss"] < progress.best_loss:
                        progress.best_loss, progress.best_epoch = record["val_loss"], progress.epoch
                        save_model(folder, _with_provenance(spec, progress), model)
            progress.seconds += time.monotonic() - started
            record["seconds"] = progress.seconds
            progress.history.append(record)
            write_history(folder, progress.history)
            board.add(record)
            save_checkpoint(folder, model, {"settings": settings, "progress": vars(progress)})
            log.info("epoch %d: %s", progress.epoch, record)
            if after_epoch is not None:
                after_epoch(progress.epoch)


def _with_provenance(spec: ModelSpec, progress: Progress) -> ModelSpec:
    provenance = {**spec.training, "best_epoch": progress.best_epoch, "validation_loss": progress.best_loss}
    if progress.rounds:
        provenance["unlabelled"] = progress.rounds
    return spec.replace(training=provenance)


def _validate(model: keras.Model, batches: list[Batch]) -> dict[str, float]:
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
