"""Fit a trained model to labelled images without touching its network: thresholds, calibration, mask growth, object sizes."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .._version import __version__
from ..config import ModelSpec
from ..detection.detector import Detector
from ..errors import DataError, StarpolyError, without_warnings
from ..evaluation.report import Sample, evaluate
from ..model_zoo import find_model
from ..network.storage.folder import copy_model
from .data import Pair, TrainingData
from .growth import tune_growth
from .thresholds import IOU_THRESHOLDS, NMS_THRESHOLDS, tune

log = logging.getLogger(__name__)

#: Least gain in mean average precision, times the root of the number of objects. What a few objects gain by less is chance: on
#: validation images of kinds that the model knows, thresholds tuned on one image lose .002 on the others.
_LEAST_GAIN = 0.15
#: Images by which a model is judged before a training; more take long and say little more.
_BASELINE_IMAGES = 20


@dataclass(frozen=True)
class Scores:
    """Average precision of a model, pooled over images, in the mean over their groups.

    Attributes
    ----------
    ap : float
        At IoU 0.5.
    mean_ap : float
        In the mean over IoU 0.5 to 0.9.
    """

    ap: float
    mean_ap: float

    def __str__(self) -> str:
        return f"AP at IoU 0.5 {self.ap:.3f}, mean AP {self.mean_ap:.3f}"


@dataclass(frozen=True)
class Tuning:
    """A tuned model.

    Attributes
    ----------
    spec : ModelSpec
        Of the tuned model.
    before, after : Scores
        Of the untouched and of the tuned model, on the images that it was tuned on.
    n_images, n_objects : int
        Images, and objects in their masks.
    """

    spec: ModelSpec
    before: Scores
    after: Scores
    n_images: int
    n_objects: int


def tune_model(
    model: str | Path, pairs: Sequence[Pair], output: str | Path | None = None, *, progress: bool = False
) -> Tuning:
    """Tune a model on a few labelled images and write it as a new one; its network stays.

    Tuned are the thresholds, the calibration, the object diameter and how far masks follow the foreground
    (``starpoly.training.thresholds``, ``starpoly.training.growth``). Thresholds and masks stay those of the model where
    the mean average precision gains less than 0.15, divided by the root of the number of objects.

    Parameters
    ----------
    model : str or path
        Name or folder of a model.
    pairs : sequence of Pair
        Labelled images, see :func:`find_pairs` and :func:`array_pairs`; best those that the model was not trained on. If
        they have groups, these count alike.
    output : path, optional
        Model folder to write; its name becomes the model's name. Default: none.
    progress : bool
        Show bars on a terminal.

    Returns
    -------
    Tuning

    Raises
    ------
    DataError
        If there are no pairs, they hold no object, or the model finds none.
    ModelError
        If there is no such model, or the folder cannot be written.
    """
    if not len(pairs):
        raise DataError("tune: expected at least one image with its mask, got none")
    folder = find_model(model)
    detector = Detector.from_pretrained(folder)
    diameters, start = look_through(detector, pairs, progress=progress), detector.spec
    with without_warnings():  # of images that are read again
        before = score_model(detector, pairs)
        detector.spec = spec = tuned_spec(detector, pairs, progress=progress)
        after = score_model(detector, pairs)
    if after.mean_ap - before.mean_ap < _LEAST_GAIN / math.sqrt(len(diameters)):
        spec, after = spec.replace(thresholds=start.thresholds, mask_growth=start.mask_growth), before
    record = {"starpoly": __version__, "from": spec.name, "images": len(pairs), "objects": len(diameters)}
    low, median, high = (float(value) for value in np.percentile(diameters, (5, 50, 95)).round(2))
    spec = spec.replace(object_diameter=(low, median, high), training={**spec.training, "tuned": record})
    if output is not None:
        spec = spec.replace(name=Path(output).resolve().name)
        copy_model(folder, output, spec)
    return Tuning(spec, before, after, len(pairs), len(diameters))


def look_through(model: Detector, pairs: Sequence[Pair], *, progress: bool = True) -> NDArray[np.float64]:
    """Diameters of all true objects, in pixels; what is wrong with images and masks is told, by their names.

    Raises
    ------
    DataError
        If a pair cannot be used, or there is no object.
    """
    spec = model.spec
    # each is read once: nothing is to be kept
    data = TrainingData(pairs, n_channels=spec.network.n_channels, normalization=spec.normalization, cache_bytes=0)
    return data.summarize(progress=progress).diameters


def tuned_spec(
    model: Detector,
    pairs: Sequence[Pair],
    *,
    nms_threshs: Sequence[float] = NMS_THRESHOLDS,
    iou_threshs: Sequence[float] = IOU_THRESHOLDS,
    progress: bool = True,
) -> ModelSpec:
    """The model's spec with thresholds, calibration and mask growth chosen on labelled images.

    Parameters
    ----------
    model, pairs, nms_threshs, iou_threshs, progress
        As for :func:`starpoly.training.thresholds.tune`.

    Raises
    ------
    NothingFoundError
        If the images hold no object, or the model finds none.
    ConfigError
        If a threshold is out of range, or the list is empty.
    """
    tuned = tune(model, pairs, nms_threshs=nms_threshs, iou_threshs=iou_threshs, progress=progress)
    growth = tune_growth(model, pairs, tuned.thresholds, iou_threshs, progress=progress)
    return model.spec.replace(thresholds=tuned.thresholds, calibration=tuned.calibration, mask_growth=growth)


def score_model(model: Detector, pairs: Sequence[Pair]) -> Scores:
    """Average precision of a model, pooled over the labelled images of each group, in the mean over groups."""
    by_group: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_group.setdefault(pair.group, []).append(pair)
    found = [_score(model, of_group) for of_group in by_group.values()]
    return Scores(*(float(value) for value in np.mean([(each.ap, each.mean_ap) for each in found], axis=0)))


def _score(model: Detector, pairs: Sequence[Pair]) -> Scores:
    samples = (
        Sample(pair.name, np.maximum(pair.read_labels(), 0), model.predict_instances(pair.read_image())[0])
        for pair in pairs
    )
    pooled = evaluate(samples, IOU_THRESHOLDS).scope("pooled")
    return Scores(pooled[0].ap or 0.0, float(np.mean([row.ap or 0.0 for row in pooled])))


def log_baseline(start: Path, pairs: Sequence[Pair]) -> None:
    """Log how good the initial model of a training is on validation images, untouched and only tuned."""
    try:
        with without_warnings():  # the training tells them
            tuning = tune_model(start, _some(pairs))
    except StarpolyError as error:  # other channels, or nothing found: the training may mend that
        log.info("%s cannot be scored on the validation images as it is: %s", start.name, error)
        return
    log.info("%s on %d validation images, untouched: %s", start.name, tuning.n_images, tuning.before)
    log.info("%s only tuned on these (starpoly tune): %s", start.name, tuning.after)


def log_trained(folder: Path, pairs: Sequence[Pair]) -> None:
    """Log how good a trained model is on the images on which :func:`log_baseline` scored the initial one."""
    with without_warnings():
        scores = score_model(Detector.from_pretrained(folder), _some(pairs))
    log.info("%s trained and tuned: %s", folder.name, scores)


def _some(pairs: Sequence[Pair]) -> list[Pair]:
    return list(pairs[:: max(1, -(-len(pairs) // _BASELINE_IMAGES))])
