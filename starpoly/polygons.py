"""Star-convex polygons as arrays: what the network proposes, suppression keeps and sinks write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .errors import StarpolyError

#: Vertices (y, x) of the outline of an object's pixels, (k, 2) in pixels of the image.
Outline = NDArray[np.float32]


@dataclass(frozen=True)
class StarPolygons:
    """A set of ``n`` star-convex polygons with the same number of rays.

    Parameters
    ----------
    points : (n, 2) float32
        Centres ``(y, x)`` in full-resolution pixels; pixel centres lie at integers.
    distances : (n, n_rays) float32
        Distance from the centre to the boundary along ray ``k``, in pixels, >= 0.
    probabilities : (n,) float32
        Object probability of the centre, in [0, 1].
    class_probabilities : (n, n_classes + 1) float32, optional
        Column 0 is background, column ``c`` the class ``c``.
    outlines : sequence of (k, 2) float32 or None, optional
        Vertices ``(y, x)`` of what replaces each polygon in files, None for the polygon itself
        (``starpoly.labels.outlines``).

    Notes
    -----
    Vertex ``k`` lies at ``(y + d_k sin(phi_k), x + d_k cos(phi_k))`` with ``phi_k = 2 pi k / n_rays``.
    """

    points: NDArray[np.float32]
    distances: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    class_probabilities: NDArray[np.float32] | None = None
    outlines: Sequence[Outline | None] | None = None

    def __post_init__(self) -> None:
        n = len(self.points)
        for name in ("points", "distances", "probabilities", "class_probabilities"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, np.ascontiguousarray(value, dtype=np.float32))
        if self.points.shape != (n, 2) or self.distances.ndim != 2 or len(self.distances) != n:
            raise StarpolyError(
                "polygons: expected points (n, 2) and distances (n, n_rays), "
                f"got {self.points.shape} and {self.distances.shape}"
            )
        if self.probabilities.shape != (n,):
            raise StarpolyError(f"polygons: expected {n} probabilities, got shape {self.probabilities.shape}")
        if self.class_probabilities is not None and len(self.class_probabilities) != n:
            raise StarpolyError(
                f"polygons: expected {n} rows of class probabilities, got {len(self.class_probabilities)}"
            )
        if self.outlines is not None and len(self.outlines) != n:
            raise StarpolyError(f"polygons: expected {n} outlines, got {len(self.outlines)}")

    @classmethod
    def empty(cls, n_rays: int, n_classes: int = 0) -> StarPolygons:
        """No polygons, with the given number of rays (and classes)."""
        classes = np.zeros((0, n_classes + 1), np.float32) if n_classes else None
        return cls(np.zeros((0, 2), np.float32), np.zeros((0, n_rays), np.float32), np.zeros(0, np.float32), classes)

    @classmethod
    def concatenate(cls, parts: Sequence[StarPolygons]) -> StarPolygons:
        """Join several sets, in the given order."""
        with_classes = [part.class_probabilities for part in parts if part.class_probabilities is not None]
        return cls(
            np.concatenate([part.points for part in parts]),
            np.concatenate([part.distances for part in parts]),
            np.concatenate([part.probabilities for part in parts]),
            np.concatenate(with_classes) if len(with_classes) == len(parts) else None,
            _joined_outlines(parts),
        )

    def __repr__(self) -> str:
        classes = "" if self.class_probabilities is None else f", {self.class_probabilities.shape[1] - 1} classes"
        return f"StarPolygons({len(self)} polygons, {self.n_rays} rays{classes})"

    def __len__(self) -> int:
        return len(self.points)

    @property
    def n_rays(self) -> int:
        """Number of rays per polygon."""
        return self.distances.shape[1]

    def take(self, indices: NDArray | slice) -> StarPolygons:
        """The polygons at ``indices`` (integers, a boolean mask or a slice, which copies nothing), in that order."""
        classes = self.class_probabilities
        return StarPolygons(
            self.points[indices],
            self.distances[indices],
            self.probabilities[indices],
            None if classes is None else classes[indices],
            None if self.outlines is None else [self.outlines[i] for i in np.arange(len(self))[indices].tolist()],
        )

    def shift(self, offset: tuple[float, float]) -> StarPolygons:
        """The same polygons moved by ``offset = (dy, dx)`` pixels."""
        outlines = self._moved_outlines(lambda outline: outline + np.asarray(offset, np.float32))
        return replace(self, points=self.points + np.asarray(offset, np.float32), outlines=outlines)

    def scale(self, factor: float) -> StarPolygons:
        """The same polygons in an image resized by ``factor``."""
        # pixel centres are at integers, so the corner of the image lies at -0.5
        points = (self.points.astype(np.float64) + 0.5) * factor - 0.5
        outlines = self._moved_outlines(lambda outline: ((outline + 0.5) * factor - 0.5).astype(np.float32))
        distances = self.distances * np.float32(factor)
        return replace(self, points=points.astype(np.float32), distances=distances, outlines=outlines)

    def _moved_outlines(self, move: Callable[[Outline], Outline]) -> Sequence[Outline | None] | None:
        if self.outlines is None:
            return None
        return [None if outline is None else move(outline) for outline in self.outlines]

    def score_order(self) -> NDArray[np.intp]:
        """Indices in the total score order: probability descending, then y, then x ascending."""
        return rank_by_score(self.probabilities, self.points)

    def position_order(self) -> NDArray[np.intp]:
        """Indices in the order of ids: y, then x ascending, then probability descending."""
        return np.lexsort((-self.probabilities, self.points[:, 1], self.points[:, 0]))

    def vertices(self) -> NDArray[np.float64]:
        """Vertices ``(y, x)``, shape (n, 2, n_rays), as StarDist's ``coord``."""
        angles = 2 * np.pi * np.arange(self.n_rays) / self.n_rays
        directions = np.stack([np.sin(angles), np.cos(angles)])
        return self.points[:, :, None].astype(np.float64) + self.distances[:, None, :] * directions

    @property
    def outer_radii(self) -> NDArray[np.float32]:
        """Largest distance of each polygon, in pixels; shape (n,)."""
        return self.distances.max(axis=1) if len(self) else np.zeros(0, np.float32)

    @property
    def classes(self) -> NDArray[np.int64] | None:
        """Most probable class of each polygon, 1..n_classes (background excluded), or None."""
        if self.class_probabilities is None:
            return None
        return 1 + self.class_probabilities[:, 1:].argmax(axis=1)


def _joined_outlines(parts: Sequence[StarPolygons]) -> Sequence[Outline | None] | None:
    """The outlines of several sets; None if no set has any."""
    if all(part.outlines is None for part in parts):
        return None
    return [outline for part in parts for outline in (part.outlines or [None] * len(part))]


def rank_by_score(probabilities: NDArray[np.float32], points: NDArray[np.float32]) -> NDArray[np.intp]:
    """Indices by probability descending, then y, then x ascending, then as given.

    Parameters
    ----------
    probabilities : (n,) float32
    points : (n, 2) float32
        ``(y, x)``.
    """
    # adding 0 makes a zero of either sign the same bits
    bits = (probabilities + np.float32(0)).view(np.uint32)
    if len(bits) > 1 << 31 or not (probabilities >= 0).all():
        return np.lexsort((points[:, 1], points[:, 0], -probabilities))
    # the bits of numbers that are not negative have their order: one key of 64 bits is sorted much faster than three
    keys = ((~bits).astype(np.uint64) << np.uint64(32)) | np.arange(len(bits), dtype=np.uint64)
    keys.sort()
    order = (keys & np.uint64(0xFFFFFFFF)).astype(np.intp)
    equal = np.flatnonzero((keys[1:] >> np.uint64(32)) == (keys[:-1] >> np.uint64(32)))
    before, after = points[order[equal]], points[order[equal + 1]]
    rises = (before[:, 0] < after[:, 0]) | ((before[:, 0] == after[:, 0]) & (before[:, 1] <= after[:, 1]))
    return order if rises.all() else np.lexsort((points[:, 1], points[:, 0], -probabilities))
