"""Reconstruction of objects by star-convex polygons: the upper bound for any network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import DataError
from ..geometry.boundary import boundary_probability
from ..geometry.distances import ray_distances
from ..geometry.rasterize import render_labels
from ..polygons import StarPolygons
from .label_overlaps import overlaps
from .metrics import DatasetMatching, pool, score


def reconstruct(labels: NDArray, n_rays: int = 32) -> tuple[NDArray[np.int32], StarPolygons]:
    """Redraw the objects of a label image from ideal star-convex polygons.

    Parameters
    ----------
    labels : (Y, X) integers
        0 background, > 0 objects, < 0 ignored.
    n_rays : int
        Number of rays.

    Returns
    -------
    labels : (Y, X) int32
        One polygon per object, centred on the pixel farthest from the object's boundary.
    polygons : StarPolygons
        In the order of the labels.
    """
    positive = np.maximum(np.asarray(labels), 0).astype(np.int64)
    boxes = ndimage.find_objects(positive)
    probability = boundary_probability(positive)
    centres = np.array(
        [
            np.unravel_index(np.argmax(np.where(positive[box] == label, probability[box], -1)), positive[box].shape)
            + np.array([side.start for side in box])
            for label, box in enumerate(boxes, start=1)
            if box is not None
        ],
        np.int64,
    ).reshape(-1, 2)
    distances = ray_distances(positive, n_rays)[centres[:, 0], centres[:, 1]]
    polygons = StarPolygons(centres.astype(np.float32), distances, np.ones(len(centres), np.float32))
    return render_labels(polygons, positive.shape).astype(np.int32), polygons


@dataclass(frozen=True)
class Reconstruction:
    """Scores of the reconstruction for one number of rays.

    Parameters
    ----------
    n_rays : int
    scores : tuple of DatasetMatching
        One per IoU threshold.
    """

    n_rays: int
    scores: tuple[DatasetMatching, ...]

    @property
    def mean_iou(self) -> float:
        """Mean IoU of the objects matched at the lowest threshold."""
        return self.scores[0].mean_matched_score


def reconstruction_scores(
    masks: Iterable[NDArray],
    n_rays: Sequence[int] = (8, 16, 32, 64),
    thresholds: Sequence[float] = (0.5, 0.7, 0.8, 0.9),
) -> list[Reconstruction]:
    """Score the reconstruction of label images for each number of rays: an upper bound for star-convex models.

    Parameters
    ----------
    masks : iterable of (Y, X) integer arrays
    n_rays : sequence of int
    thresholds : sequence of float
        IoU thresholds.

    Raises
    ------
    DataError
        If there is no object.
    """
    masks = [np.maximum(mask, 0) for mask in masks]
    if not any(mask.any() for mask in masks):
        raise DataError("expected masks with objects in them, got background alone in every mask")
    scores = ([score(overlaps(mask, reconstruct(mask, n)[0]), thresholds) for mask in masks] for n in n_rays)
    return [
        Reconstruction(n, tuple(map(pool, zip(*images, strict=True)))) for n, images in zip(n_rays, scores, strict=True)
    ]
