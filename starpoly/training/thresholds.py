"""Probability and suppression thresholds, chosen on labelled images by average precision.

Greedy suppression depends only on better-scored candidates, and a pixel belongs to the best-scored polygon. So objects
at a higher probability threshold are an unchanged subset of those at a lower one. One detection with a low threshold
gives the average precision at all higher ones.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from ..config import Thresholds
from ..detection.detector import Detector
from ..errors import ConfigError, DataError
from ..evaluation.scored import ScoredMatches, match_scored
from ..io.console import progress_bar
from ..suppression.greedy import suppress
from .calibration import fit_calibration
from .data import Pair
from .groups import object_weights

log = logging.getLogger(__name__)

#: IoU thresholds over which the average precision is averaged.
IOU_THRESHOLDS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9)
NMS_THRESHOLDS = (0.3, 0.4, 0.5)
#: Smallest probability threshold considered.
LOWEST_PROBABILITY = 0.15


class NothingFoundError(DataError):
    """Thresholds cannot be tuned: no true objects, or none detected."""


def best_probability(matches: ScoredMatches, iou_thresholds: Sequence[float] = IOU_THRESHOLDS) -> tuple[float, float]:
    """The probability threshold with the best mean average precision, and its value.

    Average precision is TP / (TP + FP + FN), like StarDist's ``accuracy``. It is evaluated at every threshold where it
    can change.

    Returns
    -------
    (threshold, value) : (float, float)
        The threshold lies halfway between neighbouring scores.
    """
    order = np.argsort(-matches.scores, kind="stable")
    scores, ious, weights = matches.scores[order].astype(np.float64), matches.ious[order], matches.weights[order]
    right = (np.cumsum(weights * (ious >= iou)) for iou in iou_thresholds)
    value = np.mean([_precision(each, np.cumsum(weights), matches.n_true) for each in right], axis=0)
    # objects of one score are kept or dropped together
    value[:-1][scores[1:] == scores[:-1]] = -1
    best = int(np.argmax(value))
    following = scores[best + 1] if best + 1 < len(scores) else LOWEST_PROBABILITY
    return float((scores[best] + following) / 2), float(value[best])


def _precision(true_positives: NDArray, n_kept: NDArray, n_true: float) -> NDArray[np.float64]:
    return true_positives / (n_kept + n_true - true_positives)


def confident_score(matches: ScoredMatches, chance: float, iou: float = 0.5) -> float | None:
    """The smallest score whose objects are correct with at least the given probability.

    Isotonic regression estimates the probability at each score; it never falls as the score rises. An average over all
    objects above a score would overrate those just above it.

    Parameters
    ----------
    matches : ScoredMatches
    chance : float
        From 0 to 1.
    iou : float
        Least IoU of a correct object.

    Returns
    -------
    float or None
        None if no score reaches that probability.
    """
    order = np.argsort(matches.scores, kind="stable")
    if not len(order):
        return None
    right = (matches.ious[order] >= iou).astype(np.float64)
    chances = isotonic_regression(right, weights=matches.weights[order]).x
    reached = np.flatnonzero(chances >= chance)
    return float(matches.scores[order[reached[0]]]) if len(reached) else None


def score_objects(
    model: Detector,
    pairs: Sequence[Pair],
    *,
    nms_threshs: Sequence[float] = NMS_THRESHOLDS,
    progress: bool = True,
) -> dict[float, ScoredMatches]:
    """Scored matches of all objects above :data:`LOWEST_PROBABILITY`, for each overlap threshold.

    Parameters
    ----------
    model, pairs, nms_threshs, progress
        As for :func:`tune`.

    Raises
    ------
    NothingFoundError
        If the images hold no object, or the model finds none.
    """
    found: dict[float, list[ScoredMatches]] = {threshold: [] for threshold in nms_threshs}
    for pair in progress_bar(pairs, shown=progress, desc="tuning thresholds", unit="image", leave=False):
        y_true = pair.read_labels()
        candidates = model.find_candidates(pair.read_image(), LOWEST_PROBABILITY)
        for threshold, matches in found.items():
            matches.append(match_scored(suppress(candidates, threshold), y_true))
    pooled = {threshold: _pool(pairs, matches) for threshold, matches in found.items()}
    any_pool = next(iter(pooled.values()))
    if not any_pool.n_true or not len(any_pool.scores):
        what = "true objects" if not any_pool.n_true else "objects that the model finds"
        raise NothingFoundError(
            f"expected {what} in the validation images, got none; train longer, or check images and masks"
        )
    return pooled


def _pool(pairs: Sequence[Pair], matches: Sequence[ScoredMatches]) -> ScoredMatches:
    """All images together; groups count alike."""
    weights = object_weights([pair.group for pair in pairs], [each.n_true for each in matches])
    return ScoredMatches.concatenate([each.times(weight) for each, weight in zip(matches, weights, strict=True)])


def best_thresholds(scored: dict[float, ScoredMatches], iou_threshs: Sequence[float] = IOU_THRESHOLDS) -> Thresholds:
    """The thresholds with the best mean average precision over the IoU thresholds."""
    best = {threshold: best_probability(matches, iou_threshs) for threshold, matches in scored.items()}
    log.info(
        "average precision by overlap threshold: %s",
        ", ".join(f"{nms:g}: {score:.3f}" for nms, (_, score) in best.items()),
    )
    nms = max(best, key=lambda threshold: best[threshold][1])
    return Thresholds(prob=round(best[nms][0], 4), nms=nms)


@dataclass(frozen=True)
class Tuned:
    """Tuned thresholds and calibration of the scores."""

    thresholds: Thresholds
    calibration: tuple[tuple[float, float], ...]


def tune(
    model: Detector,
    pairs: Sequence[Pair],
    *,
    nms_threshs: Sequence[float] = NMS_THRESHOLDS,
    iou_threshs: Sequence[float] = IOU_THRESHOLDS,
    progress: bool = True,
) -> Tuned:
    """Choose thresholds for a model on labelled images, and calibrate its scores.

    Parameters
    ----------
    model : Detector
    pairs : sequence of Pair
        Labelled images outside the training set. If they have groups, these count alike.
    nms_threshs : sequence of float
        Candidate overlap thresholds.
    iou_threshs : sequence of float
        IoU thresholds over which the average precision is averaged. At least 0.5, where matches are unique.
    progress : bool
        Show a bar on a terminal.

    Returns
    -------
    Tuned
        Thresholds with the best mean average precision, pooled over images, and the calibration of
        :func:`starpoly.training.calibration.fit_calibration`.

    Raises
    ------
    NothingFoundError
        If the images hold no object, or the model finds none.
    ConfigError
        If a threshold is out of range, or the list is empty.
    """
    _check("nms_threshs", nms_threshs, 0.0)
    _check("iou_threshs", iou_threshs, 0.5)
    scored = score_objects(model, pairs, nms_threshs=nms_threshs, progress=progress)
    thresholds = best_thresholds(scored, iou_threshs)
    return Tuned(thresholds, fit_calibration(scored[thresholds.nms]))


def _check(name: str, thresholds: Sequence[float], lowest: float) -> None:
    if not len(thresholds) or not all(lowest <= threshold <= 1 for threshold in thresholds):
        raise ConfigError(f"{name}: expected one or more numbers from {lowest:g} to 1, got {list(thresholds)}")
