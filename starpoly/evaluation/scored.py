"""Scored objects against true ones: precision and recall by score, and reliability of scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..geometry.rasterize import render_labels
from ..polygons import StarPolygons
from .ignored import is_ignored
from .label_overlaps import overlaps


@dataclass(frozen=True)
class ScoredMatches:
    """Scores and best IoUs of predicted objects, pooled over images.

    Parameters
    ----------
    scores : (n,) float32
    ious : (n,) float64
        Best IoU of each object with a true object.
    n_true : float
        Number of true objects, weighted.
    weights : (n,) float64, optional
        How much each object counts. Default: 1.
    """

    scores: NDArray[np.float32]
    ious: NDArray[np.float64]
    n_true: float
    weights: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        if len(self.weights) != len(self.scores):
            object.__setattr__(self, "weights", np.ones(len(self.scores)))

    def times(self, weight: float) -> ScoredMatches:
        """The same objects, each of which counts as ``weight``."""
        return replace(self, n_true=self.n_true * weight, weights=self.weights * weight)

    @classmethod
    def concatenate(cls, parts: Sequence[ScoredMatches]) -> ScoredMatches:
        """Pool several images."""
        return cls(
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.ious for part in parts]),
            sum(part.n_true for part in parts),
            np.concatenate([part.weights for part in parts]),
        )


def match_scored(polygons: StarPolygons, y_true: NDArray) -> ScoredMatches:
    """Match polygons in score order with a label image.

    Above an IoU of 0.5, an object has at most one partner. So its best IoU determines the thresholds at which it is a
    true positive.

    Parameters
    ----------
    polygons : StarPolygons
    y_true : (Y, X) integer array
        0 background, < 0 ignored: objects of which more than half lies there are left out.
    """
    return match_scored_labels(render_labels(polygons, y_true.shape), polygons.probabilities, y_true)


def match_scored_labels(labels: NDArray, scores: NDArray[np.float32], y_true: NDArray) -> ScoredMatches:
    """As :func:`match_scored`, for labels 1..n and their scores (n,)."""
    labels = labels.astype(np.int64)
    table = overlaps(np.maximum(y_true, 0), np.where(y_true < 0, 0, labels))
    ious = np.zeros(len(scores) + 1)
    np.maximum.at(ious, table.pred_labels[table.pred_index].astype(np.intp), table.scores("iou"))
    counts = ~is_ignored(y_true, labels, len(scores))[1:]
    return ScoredMatches(scores[counts], ious[1:][counts], table.n_true)


@dataclass(frozen=True)
class PrecisionRecall:
    """Precision and recall as functions of the least score.

    Parameters
    ----------
    scores : (n,) float64
        All distinct scores, descending.
    precision : (n,) float64
    recall : (n,) float64
    """

    scores: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]


def precision_recall(matches: ScoredMatches, iou: float = 0.5) -> PrecisionRecall:
    """Precision and recall over the probability threshold.

    Parameters
    ----------
    matches : ScoredMatches
    iou : float
        An object is right if its best IoU is at least this; from 0.5 on.

    Raises
    ------
    DataError
        If there are no true objects, or the IoU is below 0.5.
    """
    _check(iou)
    if matches.n_true < 1:
        raise DataError("precision and recall: expected at least one true object, got none; give images with objects")
    order = np.argsort(-matches.scores, kind="stable")
    scores = matches.scores[order].astype(np.float64)
    right = np.cumsum(matches.ious[order] >= iou)
    # objects of one score are kept or dropped together
    last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True)) if len(scores) else np.zeros(0, np.intp)
    return PrecisionRecall(scores[last], right[last] / (last + 1), right[last] / matches.n_true)


@dataclass(frozen=True)
class Reliability:
    """Objects in score bins.

    Parameters
    ----------
    edges : (n_bins + 1,) float64
    counts : (n_bins,) int64
        Number of objects per bin.
    scores, right : (n_bins,) float64
        Mean score and share of correct objects; NaN for an empty bin.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    scores: NDArray[np.float64]
    right: NDArray[np.float64]

    @property
    def error(self) -> float:
        """Expected calibration error; NaN without objects."""
        total = int(self.counts.sum())
        filled = self.counts > 0
        return float((self.counts * np.abs(self.scores - self.right))[filled].sum() / total) if total else float("nan")


def reliability(matches: ScoredMatches, iou: float = 0.5, n_bins: int = 10) -> Reliability:
    """Share of correct objects by score.

    The score of a star-convex model reflects the predicted distance of the centre from the boundary. It is not the
    probability of a correct object; this function relates the two.

    Parameters
    ----------
    matches : ScoredMatches
    iou : float
        An object is right if its best IoU is at least this; from 0.5 on.
    n_bins : int
        Bins of equal width over [0, 1].

    Raises
    ------
    DataError
        If the IoU is below 0.5, or there are no bins.
    """
    _check(iou)
    if n_bins < 1:
        raise DataError(f"reliability: expected at least one bin, got {n_bins}")
    edges = np.linspace(0, 1, n_bins + 1)
    scores = matches.scores.astype(np.float64)
    index = np.clip((scores * n_bins).astype(np.intp), 0, n_bins - 1)
    counts = np.bincount(index, minlength=n_bins)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(index, weights=scores, minlength=n_bins) / counts
        right = np.bincount(index, weights=matches.ious >= iou, minlength=n_bins) / counts
    return Reliability(edges, counts, mean, right)


def _check(iou: float) -> None:
    if not 0.5 <= iou <= 1:
        raise DataError(f"iou: expected a number from 0.5, where an object has one partner at most, to 1, got {iou}")
