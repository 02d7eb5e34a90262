"""Calibrate scores to confidence on labelled images outside the training set."""

from __future__ import annotations

import numpy as np
from scipy.optimize import isotonic_regression

from ..evaluation.scored import ScoredMatches

#: Maximum number of score groups.
_MOST_GROUPS = 20
#: Minimum number of objects per group.
_LEAST_OBJECTS = 10


def fit_calibration(matches: ScoredMatches, iou: float = 0.5) -> tuple[tuple[float, float], ...]:
    """Fit the probability of a correct object as a function of its score.

    Objects are sorted by score and divided into groups of equal size. The probability of a group is the share of its
    objects with IoU >= ``iou`` to a true object. Isotonic regression makes it monotone (Zadrozny & Elkan, Transforming
    classifier scores into accurate multiclass probability estimates, KDD 2002).

    Parameters
    ----------
    matches : ScoredMatches
        Matches of objects of all scores, including low ones.
    iou : float
        Least IoU of a correct object.

    Returns
    -------
    tuple of (score, chance)
        Mean score and probability of each group, ascending; empty without objects.
    """
    n_groups = min(_MOST_GROUPS, max(1, len(matches.scores) // _LEAST_OBJECTS))
    if not len(matches.scores):
        return ()
    order = np.argsort(matches.scores, kind="stable")
    groups = np.array_split(order, n_groups)
    scores = [float(matches.scores[group].astype(np.float64).mean()) for group in groups]
    right = [float(np.average(matches.ious[group] >= iou, weights=matches.weights[group])) for group in groups]
    chances = isotonic_regression(right, weights=[matches.weights[group].sum() for group in groups]).x
    return tuple((round(score, 4), round(float(chance), 4)) for score, chance in zip(scores, chances, strict=True))
