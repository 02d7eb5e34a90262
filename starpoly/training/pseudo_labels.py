"""Pseudo-labels: confident objects and background of a model's prediction; the rest is ignored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..detection.detector import Detector
from ..geometry.rasterize import render_labels
from ..polygons import StarPolygons
from ..suppression.greedy import suppress

#: Least probability of a known class, relative to all object classes.
SURE_CLASS = 0.9


@dataclass(frozen=True)
class PseudoLabels:
    """Confident labels of an image.

    Parameters
    ----------
    labels : (Y, X) int32
        0 background, 1..n objects, -1 ignored.
    n_doubtful : int
        Number of detected but ignored objects.
    classes : (n + 1,) int64 or None
        Class of each label, 0 where unknown.
    """

    labels: NDArray[np.int32]
    n_doubtful: int
    classes: NDArray[np.int64] | None = None

    @property
    def n_objects(self) -> int:
        """Number of labelled objects."""
        return int(self.labels.max(initial=0))


def pseudo_labels(model: Detector, image: NDArray, score: float, background: float) -> PseudoLabels:
    """Label an image with a model's confident predictions.

    Parameters
    ----------
    model : Detector
    image : (Y, X[, C]) array
        Raw intensities.
    score : float
        Least score of a labelled object.
    background : float
        Largest probability of a background pixel, outside all objects.

    Raises
    ------
    ImageError
        If the model does not support the image.
    """
    candidates = model.find_candidates(image, background)
    found = suppress(candidates, model.thresholds.nms)
    found = found.take(found.score_order())
    drawn = render_labels(found, image.shape[:2]).astype(np.int32)
    drawn = np.where(_other_pieces(drawn), -1, drawn)
    sure = found.probabilities >= score
    visible = np.isin(np.arange(1, len(found) + 1), drawn)
    kept = sure & visible
    new_ids = np.where(kept, np.cumsum(kept), -1)
    labels = np.concatenate([[0], new_ids, [-1]]).astype(np.int32)[drawn]
    labels[(labels == 0) & _pixels(candidates, image.shape[:2], model.spec.network.grid)] = -1
    return PseudoLabels(labels, int((visible & ~sure).sum()), _classes(found, kept))


def _pixels(candidates: StarPolygons, shape: tuple[int, int], grid: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels around the candidates' centres, up to the next grid points."""
    near = np.zeros(shape, bool)
    y, x = np.clip(np.rint(candidates.points).astype(np.intp), 0, np.array(shape) - 1).T
    near[y, x] = True
    return ndimage.binary_dilation(near, np.ones((2 * grid[0] - 1, 2 * grid[1] - 1), bool))


def _other_pieces(labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Pixels of all but the largest piece of each object: pieces cut off by a better object are doubtful."""
    other = np.zeros(labels.shape, bool)
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        pieces, n = ndimage.label(labels[box] == label, np.ones((3, 3)))
        if n > 1:
            largest = 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
            other[box] |= (pieces > 0) & (pieces != largest)
    return other


def _classes(found: StarPolygons, kept: NDArray[np.bool_]) -> NDArray[np.int64] | None:
    if found.class_probabilities is None or found.classes is None:
        return None
    of_objects = found.class_probabilities[kept, 1:]
    share = of_objects.max(axis=1, initial=0) / np.maximum(of_objects.sum(axis=1), np.float32(1e-6))
    return np.concatenate([[0], np.where(share >= SURE_CLASS, found.classes[kept], 0)]).astype(np.int64)
