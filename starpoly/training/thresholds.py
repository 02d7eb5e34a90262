"""Probability and suppression thresholds, chosen on labelled images by average precision.

Greedy suppression decides an object by better-scored candidates alone, and a pixel belongs to the
best-scored polygon. So what a higher probability threshold finds is a part of what a lower one
finds, unchanged, and one detection with a low threshold tells the average precision at all higher ones.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from tqdm import tqdm

from ..config import Thresholds
from ..errors import DataError
from ..evaluation.scored import ScoredMatches, match_scored
from ..suppression.greedy import suppress
from .calibration import fit_calibration
from .data import Pair

if TYPE_CHECKING:
    from ..model import StarPoly2D

log = logging.getLogger(__name__)

#: IoU thresholds over which the average precision is averaged.
IOU_THRESHOLDS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9)
NMS_THRESHOLDS = (0.3, 0.4, 0.5)
#: No probability threshold below this is considered.
LOWEST_PROBABILITY = 0.15


def best_probability(matches: ScoredMatches, iou_thresholds: Sequence[float] = IOU_THRESHOLDS) -> tuple[float, float]:
    """The probability threshold with the best mean average precision, and that precision.

    Average precision is TP / (TP + FP + FN), as StarDist's ``accuracy``; it is evaluated at every
    threshold at which it can change.

    Returns
    -------
    (threshold, value) : (float, float)
        The threshold lies half way between the scores that it divides.
    """
    order = np.argsort(-matches.scores, kind="stable")
    scores, ious = matches.scores[order].astype(np.float64), matches.ious[order]
    n_kept = np.arange(1, len(scores) + 1)
    value = np.mean([_precision(np.cumsum(ious >= iou), n_kept, matches.n_true) for iou in iou_thresholds], axis=0)
    # objects of one score are kept or dropped together
    value[:-1][scores[1:] == scores[:-1]] = -1
    best = int(np.argmax(value))
    following = scores[best + 1] if best + 1 < len(scores) else LOWEST_PROBABILITY
    return float((scores[best] + following) / 2), float(value[best])


def _precision(true_positives: NDArray, n_kept: NDArray, n_true: int) -> NDArray[np.float64]:
    return true_positives / (n_kept + n_true - true_positives)


def confident_score(matches: ScoredMatches, chance: float, iou: float = 0.5) -> float | None:
    """The score from which on an object is right with at least the given chance.

    The chance is estimated at each score by isotonic regression: it never falls as the score rises. An
    average over all objects above a score would let the sure ones vouch for the doubtful ones.

    Parameters
    ----------
    matches : ScoredMatches
    chance : float
        From 0 to 1.
    iou : float
        An object is right if its best IoU is at least this.

    Returns
    -------
    float or None
        None if no object comes with that chance.
    """
    order = np.argsort(matches.scores, kind="stable")
    if not len(order):
        return None
    chances = isotonic_regression((matches.ious[order] >= iou).astype(np.float64)).x
    reached = np.flatnonzero(chances >= chance)
    return float(matches.scores[order[reached[0]]]) if len(reached) else None


def score_objects(model: StarPoly2D, pairs: Sequence[Pair], *, progress: bool = True) -> dict[float, ScoredMatches]:
    """Scored matches of all objects above :data:`LOWEST_PROBABILITY`, for each of :data:`NMS_THRESHOLDS`.

    Parameters
    ----------
    model, pairs, progress
        As for :func:`tune_thresholds`.

    Raises
    ------
    DataError
        If the images hold no object, or the model finds none.
    """
    found: dict[float, list[ScoredMatches]] = {threshold: [] for threshold in NMS_THRESHOLDS}
    for pair in tqdm(pairs, desc="tuning thresholds", unit="image", leave=False, disable=None if progress else True):
        y_true = pair.read_labels()
        candidates = model.find_candidates(pair.read_image(), LOWEST_PROBABILITY)
        for threshold, matches in found.items():
            matches.append(match_scored(suppress(candidates, threshold), y_true))
    pooled = {threshold: ScoredMatches.concatenate(matches) for threshold, matches in found.items()}
    if not pooled[NMS_THRESHOLDS[0]].n_true or not len(pooled[NMS_THRESHOLDS[0]].scores):
        raise DataError(
            "tuning thresholds: expected images with objects that the model finds, got none; train longer or check the masks"
        )
    return pooled


def best_thresholds(scored: dict[float, ScoredMatches]) -> Thresholds:
    """The thresholds with the best mean average precision over :data:`IOU_THRESHOLDS`."""
    best = {threshold: best_probability(matches) for threshold, matches in scored.items()}
    log.info(
        "average precision by overlap threshold: %s",
        ", ".join(f"{nms:g}: {score:.3f}" for nms, (_, score) in best.items()),
    )
    nms = max(best, key=lambda threshold: best[threshold][1])
    return Thresholds(prob=round(best[nms][0], 4), nms=nms)


@dataclass(frozen=True)
class Tuned:
    """What was found out on labelled images: the best thresholds, and what scores are worth with them."""

    thresholds: Thresholds
    calibration: tuple[tuple[float, float], ...]


def tune(model: StarPoly2D, pairs: Sequence[Pair], *, progress: bool = True) -> Tuned:
    """Choose thresholds for a model on labelled images, and calibrate its scores.

    Parameters
    ----------
    model : StarPoly2D
    pairs : sequence of Pair
        Images and label images that the model was not trained on.
    progress : bool
        Show a bar on a terminal.

    Returns
    -------
    Tuned
        Thresholds with the best mean average precision, pooled over images, over :data:`IOU_THRESHOLDS`; and the
        calibration, see :func:`starpoly.training.calibration.fit_calibration`.

    Raises
    ------
    DataError
        If the images hold no object, or the model finds none.
    """
    scored = score_objects(model, pairs, progress=progress)
    thresholds = best_thresholds(scored)
    return Tuned(thresholds, fit_calibration(scored[thresholds.nms]))


def tune_thresholds(model: StarPoly2D, pairs: Sequence[Pair], *, progress: bool = True) -> Thresholds:
    """The thresholds alone; as :func:`tune`."""
    return tune(model, pairs, progress=progress).thresholds
