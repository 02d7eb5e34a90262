"""Self-training on unlabelled images: the averaged model labels them a few times during training.

Pseudo-labels (Lee 2013) come from a weight-averaged teacher (Tarvainen & Valpola 2017). Only confident labels count,
and the student sees stronger augmentation (Sohn et al. 2020). Each batch depends on the seed, the step and the round's
labels. The labels are stored on disk, so a resumed training uses the same.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..config import ModelSpec, TrainingConfig
from ..detection.detector import Detector
from ..errors import warn
from ..network.architectures.registry import build_network
from .average import averaged_weights
from .data import TrainingData
from .inputs import TrainingInputs
from .patches import MixedSampler, PatchSampler, Sampler
from .rounds import Round, label_images, read_round
from .thresholds import NothingFoundError, best_thresholds, confident_score, score_objects
from .unlabelled import cropped, labelling_epochs

log = logging.getLogger(__name__)
FOLDER = "pseudo-labels"


class SelfTraining:
    """Provides the batches of each epoch; starts a round of pseudo-labelling when due.

    Parameters
    ----------
    folder : Path
        Model folder. Labels go to its sub-folder ``pseudo-labels``.
    data : TrainingInputs
        Validation images determine the score threshold of confident objects.
    labelled : PatchSampler or MixedSampler
        Sampler of the labelled images.
    spec : ModelSpec
    training : TrainingConfig
    """

    def __init__(
        self,
        folder: Path,
        data: TrainingInputs,
        labelled: PatchSampler | MixedSampler,
        spec: ModelSpec,
        training: TrainingConfig,
    ) -> None:
        self._folder = folder / FOLDER
        self._images = [cropped(image, index, training) for index, image in enumerate(data.unlabelled)]
        self._validation = data.validation
        self._labelled = labelled
        self._spec = spec
        self._training = training
        self._epochs = labelling_epochs(training)
        self._current: tuple[int, Sampler] = (0, labelled)

    def sampler(self, model: keras.Model, epoch: int, rounds: list[dict[str, Any]]) -> Sampler:
        """The sampler of the next epoch.

        Parameters
        ----------
        model : keras.Model
            Compiled. Its averaged weights become the teacher's in a new round.
        epoch : int
            Number of finished epochs.
        rounds : list of dict
            One row per round of labelling so far; a new round is appended.
        """
        number = sum(at <= epoch for at in self._epochs)
        if number != self._current[0]:
            if len(rounds) < number:
                found, row = self._label(model, number)
                rounds.append({"epoch": epoch, **row})
                self._forget(number - 1)
            else:
                found = (
                    read_round(self._round(number), rounds[-1]["labels_sha256"])
                    if rounds[-1]["labels_sha256"]
                    else None
                )
            self._current = number, self._mixed(found)
        return self._current[1]

    def _round(self, number: int) -> Path:
        return self._folder / f"round{number}"

    def _forget(self, number: int) -> None:
        if number:
            shutil.rmtree(self._round(number), ignore_errors=True)

    def _label(self, model: keras.Model, number: int) -> tuple[Round | None, dict[str, Any]]:
        """Label all images with the averaged model; None if no score is reliable."""
        settings = self._training.unlabelled
        teacher = self._teacher(model)
        try:
            scored = score_objects(teacher, self._validation)
        except NothingFoundError:
            scored = {}
        score = None
        if scored:
            thresholds = best_thresholds(scored)
            teacher.spec = teacher.spec.replace(thresholds=thresholds)
            score = confident_score(scored[thresholds.nms], settings.confidence)
        if score is None:
            warn(
                f"round {number} of labelling: no object of the validation images is found with a chance of {settings.confidence}; "
                "the unlabelled images are not used, train longer before it",
                stacklevel=4,
            )
            return None, {"score": None, "labels_sha256": "", "images": len(self._images), "images_used": 0}
        found = label_images(self._round(number), teacher, self._images, score=score, background=settings.background)
        row = {"score": round(score, 4), "labels_sha256": found.digest, **found.summary()}
        log.info("round %d of labelling: %s", number, row)
        return found, row

    def _teacher(self, model: keras.Model) -> Detector:
        """The averaged model, in float32."""
        network = build_network(self._spec.network)
        with averaged_weights(model):
            network.set_weights(model.get_weights())
        return Detector.of_network(self._spec, network)

    def _mixed(self, found: Round | None) -> Sampler:
        if found is None or not found.usable:
            if found is not None:
                warn("no unlabelled image holds an object that the model is sure of; they are not used", stacklevel=4)
            return self._labelled
        network, training = self._spec.network, self._training
        data = TrainingData(
            found.pairs(self._images),
            n_channels=network.n_channels,
            normalization=self._spec.normalization,
            cache_bytes=training.cache_megabytes << 20,
            n_classes=network.n_classes,
        )
        used = [found.images[index] for index in found.usable]
        sampler = PatchSampler(
            data,
            np.array([image.pixels for image in used]),
            network,
            training.replace(augment=training.unlabelled.augment),
            trust=np.array([image.certainty for image in used]),
        )
        return MixedSampler(self._labelled, sampler, training.unlabelled.share, network, training)
