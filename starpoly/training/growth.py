"""Mask growth, chosen on labelled images by average precision.

Labels that follow the foreground everywhere help spread cells and cost dense tissue: they take the pixels of objects that
were missed, and of gaps that the network does not see. What decides is how sure the foreground must be. So both are searched:
the foreground probability and the distance.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..config import MaskGrowth, Thresholds
from ..detection.detector import Detector
from ..evaluation.scored import match_scored_labels
from ..io.console import progress_bar
from ..labels.mask_growth import ForegroundMask
from ..labels.whole import WholeLabels
from ..tiling import Box
from .data import Pair
from .groups import object_weights

log = logging.getLogger(__name__)

#: Distances searched, in pixels of the image as the network sees it.
DISTANCES = (1, 2, 4, 8, 16, 32)
#: Foreground probabilities searched.
LEVELS = (0.95, 0.9, 0.8, 0.7, 0.6, 0.5)
#: Least gain in mean average precision: growth that brings less would be chosen by chance.
LEAST_GAIN = 0.002


def tune_growth(
    model: Detector,
    pairs: Sequence[Pair],
    thresholds: Thresholds,
    iou_threshs: Sequence[float],
    *,
    progress: bool = True,
) -> MaskGrowth:
    """How far labels are to follow the foreground.

    Every pair of :data:`DISTANCES` and :data:`LEVELS` is tried.

    Parameters
    ----------
    model : Detector
    pairs : sequence of Pair
        Labelled images outside the training set. If they have groups, these count alike.
    thresholds : Thresholds
        Those that the model will have.
    iou_threshs : sequence of float
        IoU thresholds over which the average precision is averaged.
    progress : bool
        Show a bar on a terminal.

    Returns
    -------
    MaskGrowth
        With the best mean average precision, pooled over images; of equal ones the first, the most cautious. None if the gain
        is below :data:`LEAST_GAIN`, or the model does not predict the foreground.
    """
    if not model.has_foreground:
        return MaskGrowth()
    choices = [MaskGrowth(), *(MaskGrowth(distance, level) for level in LEVELS for distance in DISTANCES)]
    counts = np.zeros((len(pairs), len(choices), len(iou_threshs) + 2))
    for number, pair in enumerate(progress_bar(pairs, shown=progress, desc="tuning masks", unit="image", leave=False)):
        y_true = pair.read_labels()
        for row, labels in enumerate(_grown(model, pair.read_image(), thresholds)):
            counts[number, row] = _count(labels, y_true, iou_threshs)
    weights = object_weights([pair.group for pair in pairs], counts[:, 0, 0].tolist())
    counts = np.tensordot(weights, counts, 1)
    n_true, n_found, right = counts[:, :1], counts[:, 1:2], counts[:, 2:]
    values = (right / np.maximum(n_true + n_found - right, 1e-9)).mean(axis=1)
    best = int(np.argmax(values))
    best = best if values[best] >= values[0] + LEAST_GAIN else 0
    chosen = choices[best]
    said = "masks that grow into the foreground gain too little"
    if best:
        said = f"with masks grown by {chosen.distance:g} px where the foreground is above {chosen.foreground:g} {values[best]:.3f}"
    log.info("mean average precision %.3f, %s", values[0], said)
    return chosen


def _grown(model: Detector, image: NDArray, thresholds: Thresholds) -> list[NDArray]:
    """Labels of an image without growth, and with each that is searched."""
    found = model.detect(image, prob_threshold=thresholds.prob, nms_threshold=thresholds.nms)
    shape = (int(image.shape[0]), int(image.shape[1]))
    plain = WholeLabels(found.polygons, shape).labels
    probability = model.predict_foreground(image, scale=found.scale)
    grown = [plain]
    for level in LEVELS:
        for distance in DISTANCES:
            mask = ForegroundMask(shape, distance, level, rescaled=True)
            mask.begin(probability.shape)
            mask.put(Box(0, 0, *probability.shape), probability > level)
            grown.append(mask.expand(plain))
    return grown


def _count(labels: NDArray, y_true: NDArray, iou_threshs: Sequence[float]) -> list[float]:
    """True objects, objects found, and how many of these are right at each IoU."""
    matches = match_scored_labels(labels, np.ones(int(labels.max(initial=0)), np.float32), y_true)
    return [matches.n_true, len(matches.ious), *(int((matches.ious >= iou).sum()) for iou in iou_threshs)]
