"""Detection and segmentation scores of label images, with StarDist's definitions and names."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..io.readers.label_doubts import warn_of_doubts
from .assignment import assign
from .label_overlaps import Overlaps, overlaps


@dataclass(frozen=True)
class Matching:
    """Scores at one threshold.

    Attributes
    ----------
    criterion : str
        "iou", or "iot" / "iop": shared pixels over the true / the predicted object's area.
    thresh : float
        Smallest score of a match.
    fp, tp, fn : int
        Predicted objects without a match, matched pairs, true objects without a match.
    precision : float
        tp / (tp + fp); 0 if tp is 0, like all ratios here.
    recall : float
        tp / (tp + fn).
    accuracy : float
        tp / (tp + fp + fn), often called average precision (AP).
    f1 : float
        2 tp / (2 tp + fp + fn).
    n_true, n_pred : int
        Number of objects.
    mean_true_score, mean_matched_score : float
        Sum of the matched pairs' scores over n_true, and over tp.
    panoptic_quality : float
        That sum over tp + fp / 2 + fn / 2 (Kirillov et al., CVPR 2019, equation 1).
    """

    criterion: str
    thresh: float
    fp: int
    tp: int
    fn: int
    precision: float
    recall: float
    accuracy: float
    f1: float
    n_true: int
    n_pred: int
    mean_true_score: float
    mean_matched_score: float
    panoptic_quality: float

    @classmethod
    def from_counts(cls, criterion: str, thresh: float, tp: int, n_true: int, n_pred: int, total: float) -> Matching:
        """Compute all scores from the counts and the sum of matched scores."""
        fp, fn = n_pred - tp, n_true - tp
        return Matching(
            criterion=criterion,
            thresh=thresh,
            fp=fp,
            tp=tp,
            fn=fn,
            precision=_over(tp, n_pred),
            recall=_over(tp, n_true),
            accuracy=_over(tp, tp + fp + fn),
            f1=_over(2 * tp, 2 * tp + fp + fn),
            n_true=n_true,
            n_pred=n_pred,
            mean_true_score=float(np.float32(total) / np.float32(n_true)) if n_true else 0.0,  # as StarDist rounds it
            mean_matched_score=_over(total, tp),
            panoptic_quality=_over(total, tp + fp / 2 + fn / 2),
        )

    def to_dict(self) -> dict[str, Any]:
        """The scores by name, as plain JSON types."""
        return dataclasses.asdict(self)


def _over(value: float, size: float) -> float:
    return float(value) / size if size else 0.0


@dataclass(frozen=True)
class DatasetMatching(Matching):
    """Scores of several images.

    Attributes
    ----------
    by_image : bool
        Whether scores are averaged over images, rather than pooled over all objects.
    """

    by_image: bool


@overload
def matching(y_true: NDArray[Any], y_pred: NDArray[Any], thresh: float = ..., criterion: str = ...) -> Matching: ...
@overload
def matching(
    y_true: NDArray[Any], y_pred: NDArray[Any], thresh: Iterable[float], criterion: str = ...
) -> tuple[Matching, ...]: ...
def matching(
    y_true: NDArray[Any], y_pred: NDArray[Any], thresh: float | Iterable[float] = 0.5, criterion: str = "iou"
) -> Matching | tuple[Matching, ...]:
    """Match true and predicted objects one to one and score the prediction.

    The assignment has the most pairs at or above the threshold, then the largest sum of scores (see
    ``starpoly.evaluation.assignment``). Scores are rounded to single precision, like StarDist's: three shared pixels of
    five reach a threshold of 0.1 * 6.

    Parameters
    ----------
    y_true, y_pred : integer arrays of the same shape
        Label images ``(y, x)`` (any number of axes works); 0 is background, ids need not be consecutive.
    thresh : float or several
        Between 0 and 1, inclusive. Several cost little more than one.
    criterion : {"iou", "iot", "iop"}
        Shared pixels over the union, over the true or over the predicted object's area.

    Returns
    -------
    Matching, or a tuple of them if ``thresh`` holds several
        Equal to the result of ``stardist.matching.matching`` in StarDist 0.9.2.

    Raises
    ------
    DataError
        If an array is no label image (not integers, negative ids), shapes differ, a threshold lies outside 0 to 1, or
        the criterion is unknown.

    Warns
    -----
    StarpolyWarning
        If nothing matches, and an array looks like a foreground mask or like the image itself.
    """
    single, thresholds = _thresholds(thresh)
    table = overlaps(y_true, y_pred)
    results = score(table, thresholds, criterion)
    if table.n_true and table.n_pred and not any(one.tp for one in results):
        _warn_of_doubts(y_true=y_true, y_pred=y_pred)
    return results[0] if single else results


def score(table: Overlaps, thresholds: Sequence[float], criterion: str = "iou") -> tuple[Matching, ...]:
    """Like :func:`matching`, for a given table of overlaps."""
    scores = table.scores(criterion).astype(np.float32)
    return tuple(_score_one(table, scores, thresh, criterion) for thresh in thresholds)


@overload
def matching_dataset(
    y_true: Iterable[NDArray[Any]],
    y_pred: Iterable[NDArray[Any]],
    thresh: float = ...,
    criterion: str = ...,
    by_image: bool = ...,
) -> DatasetMatching: ...
@overload
def matching_dataset(
    y_true: Iterable[NDArray[Any]],
    y_pred: Iterable[NDArray[Any]],
    thresh: Iterable[float],
    criterion: str = ...,
    by_image: bool = ...,
) -> tuple[DatasetMatching, ...]: ...
def matching_dataset(
    y_true: Iterable[NDArray[Any]],
    y_pred: Iterable[NDArray[Any]],
    thresh: float | Iterable[float] = 0.5,
    criterion: str = "iou",
    by_image: bool = False,
) -> DatasetMatching | tuple[DatasetMatching, ...]:
    """Score several images, like ``stardist.matching.matching_dataset``.

    Parameters
    ----------
    y_true, y_pred : iterables of label images
        Images in the same order. Generators are consumed one image at a time. A (Y, X) array is one image, an array
        with more axes a stack.
    thresh, criterion
        See :func:`matching`.
    by_image : bool
        False: pool the objects of all images. True: average ratios over images (counts are still sums).

    Raises
    ------
    DataError
        As for :func:`matching`, and if there are no images or the numbers of images differ.
    """
    single, thresholds = _thresholds(thresh)
    images: list[tuple[Matching, ...]] = []
    for true, pred in zip_longest(_images(y_true), _images(y_pred)):
        if true is None or pred is None:
            raise DataError(f"expected as many true as predicted label images, got only {len(images)} of one of them")
        images.append(matching(true, pred, thresholds, criterion))
    results = tuple(pool(stats, by_image) for stats in zip(*images, strict=True))
    if not results:
        raise DataError("expected at least one pair of label images and one threshold, got none")
    return results[0] if single else results


def average_precision(
    y_true: Iterable[NDArray[Any]], y_pred: Iterable[NDArray[Any]], thresh: float | Iterable[float] = 0.5
) -> float | tuple[float, ...]:
    """TP / (TP + FP + FN), pooled over one or several images: ``accuracy`` of :func:`matching_dataset`.

    Parameters
    ----------
    y_true, y_pred, thresh
        As for :func:`matching_dataset`.
    """
    single, thresholds = _thresholds(thresh)
    results = tuple(stats.accuracy for stats in matching_dataset(y_true, y_pred, thresholds))
    return results[0] if single else results


def pool(stats: Sequence[Matching], by_image: bool = False) -> DatasetMatching:
    """Join the scores of several images at one threshold and criterion; see :func:`matching_dataset`.

    Raises
    ------
    DataError
        If there are none, or thresholds or criteria differ.
    """
    if len({(image.criterion, image.thresh) for image in stats}) != 1:
        raise DataError("expected scores of at least one image, all at the same threshold and criterion")
    total = np.float32(0)  # single precision, in StarDist's order of addition
    for image in stats:
        total += np.float32(image.mean_true_score) * np.float32(image.n_true)
    tp, n_true, n_pred = (sum(getattr(image, name) for image in stats) for name in ("tp", "n_true", "n_pred"))
    pooled = Matching.from_counts(stats[0].criterion, stats[0].thresh, tp, n_true, n_pred, float(total)).to_dict()
    if by_image:
        for name in ("precision", "recall", "accuracy", "f1", "mean_matched_score", "panoptic_quality"):
            pooled[name] = sum(getattr(image, name) for image in stats) / len(stats)
        mean_true_scores = [np.float32(image.mean_true_score) for image in stats]
        pooled["mean_true_score"] = float(sum(mean_true_scores, np.float32(0)) / np.float32(len(stats)))
    return DatasetMatching(**pooled, by_image=by_image)


def _images(labels: Iterable[NDArray[Any]]) -> Iterable[NDArray[Any]]:
    """The images of a data set. A 2D array is one image, not one per row."""
    return [labels] if isinstance(labels, np.ndarray) and labels.ndim == 2 else labels


def _warn_of_doubts(**given: Any) -> None:
    """Nothing matches: perhaps since one of two is a foreground mask, or the image itself."""
    for name, labels in given.items():
        if labels.ndim == 2:
            warn_of_doubts(np.asarray(labels), name)


def _thresholds(thresh: float | Iterable[float]) -> tuple[bool, tuple[float, ...]]:
    """The thresholds, and whether a single number was given."""
    single = np.ndim(thresh) == 0 and not isinstance(thresh, Iterable)  # type: ignore[arg-type]
    values = tuple(float(value) for value in ([thresh] if single else thresh))  # type: ignore[union-attr, arg-type, list-item]
    for value in values:
        if not (math.isfinite(value) and 0 <= value <= 1):
            raise DataError(f"thresh: expected numbers from 0 to 1, got {value}")
    return single, values


def _score_one(table: Overlaps, scores: NDArray[np.float32], thresh: float, criterion: str) -> Matching:
    matched = assign(table.true_index, table.pred_index, scores, thresh)
    tp = len(matched)
    if thresh == 0:  # then disjoint objects match too, with score 0
        tp = min(table.n_true, table.n_pred)
    return Matching.from_counts(criterion, thresh, tp, table.n_true, table.n_pred, float(scores[matched].sum()))
