"""The undecided candidates of an image, in arrays with free places."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import StarpolyError
from ..geometry.rays import ray_directions
from ..polygons import StarPolygons, rank_by_score
from ..tiling import Box
from .checks import bad_distances, check_values

_ROUNDING = 1e-6
"""Relative error of distances in float32, several times over."""


class CandidatePool:
    """Candidates in memory: parallel arrays whose free places later candidates take.

    Candidates added together keep their order, so a stable sort ranks equal scores in the order given.
    """

    def __init__(self, like: StarPolygons) -> None:
        from ..geometry import _kernels_nms as kernels

        n_classes = 0 if like.class_probabilities is None else like.class_probabilities.shape[1]
        self.points = np.empty((0, 2), np.float32)
        self.distances = np.empty((0, like.n_rays), np.float32)
        self.probabilities = np.empty(0, np.float32)
        self.classes = np.empty((0, n_classes), np.float32)
        self.features = np.empty((0, kernels.N_FEATURES), np.float64)
        self.state = np.empty(0, np.uint8)
        self._free = kernels.FREE
        self._pending = kernels.PENDING

    @property
    def is_held(self) -> NDArray[np.bool_]:
        """Which places hold a candidate."""
        return self.state != self._free

    @property
    def n_held(self) -> int:
        """Number of places that hold a candidate."""
        return int(np.count_nonzero(self.is_held))

    def add(self, candidates: StarPolygons, features: NDArray, which: NDArray[np.intp]) -> None:
        """Put the candidates of the indices ``which`` in free places."""
        classes = candidates.class_probabilities
        n_classes = 0 if classes is None else classes.shape[1]
        if (candidates.n_rays, n_classes) != (self.distances.shape[1], self.classes.shape[1]):
            raise StarpolyError(
                f"suppression: expected {self.distances.shape[1]} rays and {self.classes.shape[1]} class columns as "
                f"in the first region, got {candidates.n_rays} and {n_classes}"
            )
        self._make_room(len(which))
        places = np.flatnonzero(self.state == self._free)[: len(which)]
        self.points[places] = candidates.points[which]
        self.distances[places] = candidates.distances[which]
        self.probabilities[places] = candidates.probabilities[which]
        self.features[places] = features[which]
        self.state[places] = self._pending
        if classes is not None:
            self.classes[places] = classes[which]

    def _make_room(self, n: int) -> None:
        size = len(self.state)
        missing = n - int(np.count_nonzero(~self.is_held))
        if missing <= 0:
            return
        filled, size = size, size + max(missing, size // 2)
        for name in ("points", "distances", "probabilities", "classes", "features", "state"):
            old = getattr(self, name)
            new = np.zeros((size, *old.shape[1:]), old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)
        self.state[filled:] = self._free

    def take(self, rows: NDArray[np.intp]) -> StarPolygons:
        """The polygons at ``rows``."""
        classes = self.classes[rows] if self.classes.shape[1] else None
        return StarPolygons(self.points[rows], self.distances[rows], self.probabilities[rows], classes)

    def score_order(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Indices into ``rows`` in score order, as ``StarPolygons.score_order``."""
        points = self.points[rows]
        return rank_by_score(self.probabilities[rows], points)

    def first_rows(self) -> tuple[float, float]:
        """The topmost row of a centre, and a row above which no candidate in memory reaches."""
        from ..geometry import _kernels_nms as kernels

        held = self.is_held
        y = self.points[held, 0].astype(np.float64)
        return float(y.min()), float((y - self.features[held, kernels.OUTER]).min())

    def release_decided(self) -> None:
        """Free the places of decided candidates."""
        self.state[self.state != self._pending] = self._free

    def bounds(self, rows: NDArray[np.bool_]) -> list[Box]:
        """The pixel box around the centres of some candidates; none for none."""
        if not rows.any():
            return []
        points = self.points[rows]
        (y0, x0), (y1, x1) = points.min(axis=0), points.max(axis=0)
        return [Box(math.floor(y0), math.floor(x0), math.floor(y1) + 1, math.floor(x1) + 1)]

    def near(self, boxes: Sequence[Box], reach: float) -> NDArray[np.bool_]:
        """Which places hold a candidate whose centre is within ``reach`` of one of the boxes, along each axis."""
        found = np.zeros(len(self.state), np.bool_)
        y, x = self.points[:, 0], self.points[:, 1]
        margin = with_rounding(reach)
        for box in boxes:
            in_rows = (y >= box.y0 - margin) & (y <= box.y1 + margin)
            found |= in_rows & (x >= box.x0 - margin) & (x <= box.x1 + margin)
        return found & self.is_held


def describe(candidates: StarPolygons, max_distance: float) -> NDArray[np.float64]:
    """Areas, radii and extents of candidates (columns as in ``_kernels_nms``); StarpolyError for bad values."""
    from ..geometry import _kernels_nms as kernels

    directions = ray_directions(candidates.n_rays)
    features = np.empty((len(candidates), kernels.N_FEATURES))
    if len(candidates) == 0:
        return features
    check_values(candidates)
    if not kernels.describe(candidates.distances, *directions, features):
        raise bad_distances()
    largest = float(features[:, kernels.OUTER].max())
    if largest > max_distance:
        raise bad_distances(largest, max_distance)
    return features


def with_rounding(reach: float) -> np.float64:
    """A reach in pixels, a little larger, so that no rounding of a float32 leads beyond it."""
    return np.float64(reach) * (1 + _ROUNDING) + 1
