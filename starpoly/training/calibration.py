"""What the scores of a model are worth, measured on labelled images that it was not trained on."""

from __future__ import annotations

import numpy as np
from scipy.optimize import isotonic_regression

from ..evaluation.scored import ScoredMatches

#: Objects are counted in up to so many groups of neighbouring scores.
_MOST_GROUPS = 20
#: ... of at least so many objects.
_LEAST_OBJECTS = 10


def fit_calibration(matches: ScoredMatches, iou: float = 0.5) -> tuple[tuple[float, float], ...]:
    """How the chance of being right grows with the score.

    Objects are sorted by score and divided into groups of equal numbers; the chance of a group is the share of its objects
    whose IoU with a true object is at least ``iou``, made monotone by isotonic regression (Zadrozny & Elkan, Transforming
    classifier scores into accurate multiclass probability estimates, KDD 2002).

    Parameters
    ----------
    matches : ScoredMatches
        Of objects of all scores, also low ones.
    iou : float
        An object is right from this IoU on.

    Returns
    -------
    tuple of (score, chance)
        Mean score and chance of each group, ascending; empty without objects.
    """
    n_groups = min(_MOST_GROUPS, max(1, len(matches.scores) // _LEAST_OBJECTS))
    if not len(matches.scores):
        return ()
    order = np.argsort(matches.scores, kind="stable")
    groups = np.array_split(order, n_groups)
    scores = [float(matches.scores[group].astype(np.float64).mean()) for group in groups]
    right = [float((matches.ious[group] >= iou).mean()) for group in groups]
    chances = isotonic_regression(right, weights=[len(group) for group in groups]).x
    return tuple((round(score, 4), round(float(chance), 4)) for score, chance in zip(scores, chances, strict=True))
