"""Exact greedy suppression of an image whose candidates become known region by region.

:func:`starpoly.suppression.suppress` defines the answer. This module finds it piece by piece, for these reasons.

The kept set is the lexicographically first maximal independent set of the conflict graph, so it obeys rules that look at
neighbours only (Blelloch, Fineman and Shun, "Greedy sequential maximal independent set and matching are parallel on
average", SPAA 2012). A candidate is *suppressed* once one better candidate that it conflicts with is known to be kept. It
is *kept* once all better ones that it conflicts with are known to be suppressed. Until then it is *pending*. By induction
over the score order, each rule gives the greedy answer whenever it applies: neither the time nor the order in which
candidates become known matters.

All conflicts of a candidate are known once nothing unseen can reach it. Distances are at most ``max_distance``, so a polygon
of outer radius r conflicts with none whose centre is farther than r + max_distance. When that disc lies in regions that have
been added, or outside the image, every conflict is known. This holds for each kept polygon, so all candidates that it
suppresses are present when it is kept. A decided polygon therefore leaves memory at once; only the pending ones along the
border between seen and unseen regions stay.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, StarpolyError, warn
from ..geometry.rays import ray_directions
from ..polygons import StarPolygons
from ..tiling import Box, area
from .checks import LARGEST_DISTANCE, check_inside, check_threshold
from .pool import CandidatePool, describe, with_rounding

_MOST_BOXES = 16
"""Regions added since the last ``decide`` that are looked at one by one; more are looked at as one box around them all."""


class StreamingNMS:
    """Greedy suppression, region by region.

    Add regions in any order, decide after any of them, and finish. The kept polygons are those of
    :func:`starpoly.suppression.suppress` on all candidates together. Not for several threads at once.

    Parameters
    ----------
    nms_threshold : float
        As in :func:`starpoly.suppression.suppress`.
    max_distance : float
        Largest distance, in pixels, that a candidate may have.
    shape : (int, int)
        Height and width of the image in pixels.
    max_candidates : int, optional
        Candidates per megapixel of a region above which a warning is given, once; none are left out. ``None`` never
        warns.

    Raises
    ------
    ConfigError
        If the threshold, the distance or the shape is out of range.

    Examples
    --------
    >>> nms = StreamingNMS(0.4, max_distance=80, shape=(2048, 1024))
    >>> nms.add(upper, Box(0, 0, 1024, 1024))  # doctest: +SKIP
    >>> kept = nms.decide()  # doctest: +SKIP
    >>> nms.add(lower, Box(1024, 0, 2048, 1024))  # doctest: +SKIP
    >>> kept = StarPolygons.concatenate([kept, nms.finish()])  # doctest: +SKIP
    """

    def __init__(
        self,
        nms_threshold: float,
        max_distance: float,
        shape: tuple[int, int],
        *,
        max_candidates: int | None = 200_000,
    ) -> None:
        check_threshold(nms_threshold)
        if not 0 < max_distance <= LARGEST_DISTANCE:
            raise ConfigError(
                f"max_distance: expected a number above 0, up to {LARGEST_DISTANCE:g}, got {max_distance}"
            )
        if len(shape) != 2 or min(shape) < 1:
            raise ConfigError(f"suppression: expected the height and width of an image, got {shape}")
        self._threshold = float(nms_threshold)
        # distances come as float32, so what counts is the limit as float32, should that be larger
        self._max_distance = max(float(max_distance), float(np.float32(max_distance)))
        self._max_candidates = max_candidates
        self._shape = (int(shape[0]), int(shape[1]))
        self._unseen = [Box(0, 0, *self._shape)]
        self._new_regions: list[Box] = []
        self._pool: CandidatePool | None = None
        self._n_seen = 0
        self._n_kept = 0

    @property
    def n_seen(self) -> int:
        """Number of candidates added, those of zero area included."""
        return self._n_seen

    @property
    def n_kept(self) -> int:
        """Number of polygons returned as kept."""
        return self._n_kept

    @property
    def n_pending(self) -> int:
        """Number of candidates in memory: undecided, or added since the last ``decide``."""
        return 0 if self._pool is None else self._pool.n_held

    @property
    def pending(self) -> StarPolygons:
        """The candidates in memory: undecided, or added since the last ``decide``.

        Another instance that gets these in place of all candidates of the same regions finds the same polygons, less those
        already kept here: a kept polygon has no influence on undecided ones.
        """
        if self._pool is None:
            return StarPolygons.empty(0)
        return self._pool.take(np.flatnonzero(self._pool.is_held))

    @property
    def decided_above(self) -> tuple[float, float]:
        """Two rows above which all is decided: for centres, and for whole polygons.

        Every pending or unseen candidate has its centre at or below the first row, and no point above the second.
        """
        centres = min((float(box.y0) for box in self._unseen), default=math.inf)
        points = centres - self._max_distance
        if self._pool is not None and self.n_pending:
            lowest, tops = self._pool.first_rows()
            centres, points = min(centres, lowest), min(points, tops)
        return centres, points

    def add(self, candidates: StarPolygons, region: Box) -> None:
        """Make all candidates of a region known.

        Parameters
        ----------
        candidates : StarPolygons
            All candidates whose centres lie in ``region``, in any order.
        region : Box
            Part of the image, in pixels, half-open; it may not overlap a region added before.

        Raises
        ------
        StarpolyError
            If the region leaves the image or overlaps an earlier one, a centre lies outside the region, a distance
            exceeds ``max_distance``, a value is negative or not finite, or the number of rays or classes differs
            from that of an earlier region.

        Warns
        -----
        StarpolyWarning
            If there are more than ``max_candidates`` per megapixel.
        """
        from ..geometry import _kernels_nms as kernels

        unseen = self._without(region)
        check_inside(candidates.points, region)
        features = describe(candidates, self._max_distance)
        self._warn_of_many(len(candidates), region)
        if self._pool is None:
            self._pool = CandidatePool(candidates)
        self._pool.add(candidates, features, np.flatnonzero(features[:, kernels.AREA] > 0))
        self._n_seen += len(candidates)
        self._unseen = unseen
        self._new_regions.append(region)

    def decide(self) -> StarPolygons:
        """Decide what can be decided; the newly kept polygons in score order."""
        from ..geometry import _kernels_nms as kernels

        pool, new, self._new_regions = self._pool, self._new_regions, []
        if pool is None:
            return StarPolygons.empty(0)
        # candidates farther from all new regions than two of the largest polygons reach stay pending
        reach = 2 * self._max_distance
        active = pool.near(_at_most(new, _MOST_BOXES), reach)
        while active.any():
            self._judge(pool, active, reach)
            decided = active & (pool.state != kernels.PENDING)
            # a decision may release others around it; those judged in this pass have already seen it
            active = pool.near(pool.bounds(decided), reach) & ~active & (pool.state == kernels.PENDING)
        rows = np.flatnonzero(pool.state == kernels.KEPT)
        kept = pool.take(rows[pool.score_order(rows)])
        pool.release_decided()
        self._n_kept += len(kept)
        return kept

    def finish(self) -> StarPolygons:
        """Take all missing regions as empty; the last kept polygons in score order."""
        self._unseen = []
        self._new_regions = [Box(0, 0, *self._shape)]
        return self.decide()

    def _judge(self, pool: CandidatePool, active: NDArray[np.bool_], reach: float) -> None:
        """One greedy pass over the ``active`` candidates and those that they may conflict with."""
        from ..geometry import _kernels_nms as kernels

        bounds = pool.bounds(active)
        rows = np.flatnonzero(pool.near(bounds, reach))
        rows = rows[pool.score_order(rows)]
        kernels.judge(
            pool.points,
            pool.distances,
            pool.features,
            rows,
            active[rows],
            pool.state,
            _rectangles_near(self._unseen, bounds[0], reach),
            self._max_distance,
            self._threshold,
            *ray_directions(pool.distances.shape[1]),
        )

    def _without(self, region: Box) -> list[Box]:
        """What is unseen without ``region``; an error if that is not a part of it."""
        height, width = region.shape
        if height < 0 or width < 0 or region.clip(self._shape) != region:
            raise StarpolyError(
                f"suppression: expected a region within the image of {self._shape} pixels, got {region}; clip it"
            )
        pieces = [piece for box in self._unseen for piece in _subtract(box, region)]
        covered = sum(map(area, self._unseen)) - sum(map(area, pieces))
        if covered != height * width:
            raise StarpolyError(
                f"suppression: expected regions that do not overlap, got {region}, of which "
                f"{height * width - covered} pixels were added before; add each region once"
            )
        return pieces

    def _warn_of_many(self, n: int, region: Box) -> None:
        # a small region may well be full of candidates: it counts as 256 x 256 pixels
        megapixels = max(area(region), 256 * 256) / 1e6
        if self._max_candidates is not None and n > self._max_candidates * megapixels:
            warn(
                f"{n} candidates in the region from {region.y0, region.x0} to {region.y1, region.x1}, more than "
                f"{self._max_candidates} per megapixel: nearly every pixel looks like an object; check the "
                "normalisation and the probability threshold",
                stacklevel=3,
            )
            self._max_candidates = None


def _subtract(box: Box, hole: Box) -> list[Box]:
    """What is left of ``box`` without ``hole``: up to four boxes."""
    y0, x0 = max(box.y0, hole.y0), max(box.x0, hole.x0)
    y1, x1 = min(box.y1, hole.y1), min(box.x1, hole.x1)
    if y0 >= y1 or x0 >= x1:
        return [box]
    pieces = [
        Box(box.y0, box.x0, y0, box.x1),
        Box(y0, box.x0, y1, x0),
        Box(y0, x1, y1, box.x1),
        Box(y1, box.x0, box.y1, box.x1),
    ]
    return [piece for piece in pieces if area(piece) > 0]


def _at_most(boxes: list[Box], n: int) -> list[Box]:
    """The boxes, or the one around them all if there are more than ``n``."""
    if len(boxes) <= n:
        return boxes
    corners = np.array([(box.y0, box.x0, box.y1, box.x1) for box in boxes])
    low, high = corners.min(axis=0), corners.max(axis=0)
    return [Box(int(low[0]), int(low[1]), int(high[2]), int(high[3]))]


def _rectangles_near(boxes: list[Box], around: Box, reach: float) -> NDArray[np.float64]:
    """The boxes within ``reach`` of another, along each axis, as rows (y0, x0, y1, x1)."""
    corners = np.array([(box.y0, box.x0, box.y1, box.x1) for box in boxes], np.float64).reshape(-1, 4)
    margin = with_rounding(reach)
    keep = (corners[:, 0] <= around.y1 + margin) & (corners[:, 2] >= around.y0 - margin)
    keep &= (corners[:, 1] <= around.x1 + margin) & (corners[:, 3] >= around.x0 - margin)
    return corners[keep]
