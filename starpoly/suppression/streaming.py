"""Non-maximum suppression of star-convex polygons: exact, greedy, and streaming.

The answer is defined for the whole image. Candidates stand in score order (probability descending, then y, then x
ascending); two *conflict* if the area of their intersection exceeds ``nms_threshold`` times the smaller of their
areas; going down the order, a candidate is kept if it conflicts with none that was kept before.

Why it can be found piece by piece. The kept set is the lexicographically first maximal independent set of the graph
of conflicts, and so obeys rules that look at neighbours only (Blelloch, Fineman and Shun, "Greedy sequential maximal
independent set and matching are parallel on average", SPAA 2012): a candidate is *suppressed* as soon as one better
candidate that it conflicts with is known to be kept, *kept* as soon as all of them are known to be suppressed, and
*pending* until then. By induction over the order each rule gives the greedy answer whenever it applies, so neither
the time nor the order in which candidates become known changes it.

What "all of them" are is known once nothing unseen can reach the candidate. Distances are at most ``max_distance``,
so a polygon of outer radius r meets none whose centre is farther than r + max_distance. When that disc lies in regions
that have been fed, or outside the image, all candidates that it conflicts with are known. This holds for every kept
polygon, so that whatever it suppresses is there when it is decided: a polygon leaves the memory the moment it is
decided, and only the pending ones along the frontier between seen and unseen stay.

A polygon of zero area covers nothing and conflicts with nothing; it is no object and is dropped. Candidates of equal
probability at the same point rank in the order in which they are given.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, StarpolyError, StarpolyWarning
from ..geometry.rays import ray_directions
from ..parallel import in_parts, n_threads
from ..polygons import StarPolygons, rank_by_score
from ..tiling import Box, area

#: largest distance, in pixels, that suppression works with
LARGEST_DISTANCE = 1e7

#: candidates in a block of a large image, at least and at most: few enough to stay near the processor, many enough that most
#: are far from the block's border
_BLOCK_CANDIDATES = 5_000, 30_000
#: part of the polygons that are no larger than the margin around a block
_MARGIN_QUANTILE = 0.5
#: how many times its own candidates a block may look at, and all together: beyond, one pass is better
_MOST_KNOWN, _MOST_KNOWN_ALTOGETHER = 2, 8


def suppress(candidates: StarPolygons, nms_threshold: float) -> StarPolygons:
    """Greedy suppression of all candidates of an image at once.

    Parameters
    ----------
    candidates : StarPolygons
        Polygons in any order.
    nms_threshold : float
        Overlap, as a part of the smaller polygon's area, above which the worse of two polygons is suppressed; in
        [0, 1]. An overlap equal to it (to about 1e-9) does not suppress.

    Returns
    -------
    StarPolygons
        The kept polygons in score order.

    Raises
    ------
    ConfigError
        If the threshold is not in [0, 1].
    StarpolyError
        If a candidate has a distance or probability that is negative or not finite.
    """
    from ..geometry import _kernels_nms as kernels

    _check_threshold(nms_threshold)
    _check_values(candidates)
    radii = _outer_radii(candidates)
    if not radii.max(initial=0) <= LARGEST_DISTANCE:
        raise _bad_distances(float(radii.max()))
    rows = candidates.score_order()
    state = np.full(len(candidates), kernels.PENDING, np.uint8)
    if len(candidates) > _BLOCK_CANDIDATES[0]:
        _suppress_in_blocks(candidates, radii, rows, state, float(nms_threshold))
        rows = rows[(state[rows] == kernels.PENDING) | (state[rows] == kernels.KEPT)]
    _judge_among(candidates, rows, state, np.empty((0, 4)), float(nms_threshold))
    return candidates.take(rows[state[rows] == kernels.KEPT])


def _outer_radii(candidates: StarPolygons) -> NDArray[np.float32]:
    from ..geometry import _kernels_blocks as kernels

    radii = np.empty(len(candidates), np.float32)

    def measure(start: int, stop: int) -> None:
        kernels.outer_radii(candidates.distances[start:stop], radii[start:stop])

    in_parts(measure, len(candidates), n_threads() if len(candidates) > _BLOCK_CANDIDATES[0] else 1)
    return radii


def _judge_among(
    candidates: StarPolygons, rows: NDArray[np.intp], state: NDArray[np.uint8], unseen: NDArray, threshold: float
) -> None:
    """Decide what can be decided among ``rows``, which stand in score order and are all that reach out of what is ``unseen``."""
    from ..geometry import _kernels_nms as kernels

    directions = ray_directions(candidates.n_rays)
    if not kernels.judge_among(
        candidates.points, candidates.distances, rows, state, unseen, 0.0, threshold, *directions
    ):
        raise _bad_distances()


def _suppress_in_blocks(
    candidates: StarPolygons,
    radii: NDArray[np.float32],
    rows: NDArray[np.intp],
    state: NDArray[np.uint8],
    nms_threshold: float,
) -> None:
    """Decide, in blocks of the image at the same time, what each block's surroundings decide by themselves.

    A block is looked at with a margin around it, and with all polygons of the image whose discs reach into the two. Those
    whose discs lie inside the two conflict with no others, so all that they depend on is there. (See the module's text: what
    is decided so is what the whole image decides, and what two blocks decide is the same.) Where most of the image reaches
    into a block, it is left as it is.
    """
    from ..geometry import _kernels_blocks as kernels

    points, n, threads = candidates.points, len(candidates), n_threads()
    low, high = (extreme(axis=0).astype(np.float64) for extreme in (points.min, points.max))
    n_wanted = min(max(n // (2 * threads), _BLOCK_CANDIDATES[0]), _BLOCK_CANDIDATES[1])
    longest = math.sqrt(float(np.prod(high - low + 1)) * n_wanted / n)
    n_cells = [math.ceil(min(max(extent / longest, 1), n / n_wanted)) for extent in high - low + 1]
    sides = (high - low + 1) / n_cells
    margin = float(np.quantile(radii[:: max(n // 1000, 1)], _MARGIN_QUANTILE))
    own, near = np.zeros((2, n_cells[0] * n_cells[1]), np.int64)
    lattice = (low, *sides, *n_cells, margin)
    if not kernels.count_by_block(points, radii, *lattice, own, near, _MOST_KNOWN_ALTOGETHER * n):
        return
    blocks = np.flatnonzero((own > 0) & (near <= _MOST_KNOWN * own))
    places = np.full(len(near), -1, np.int64)
    starts = np.concatenate([[0], np.cumsum(near[blocks])])
    places[blocks] = starts[:-1]
    members = np.empty(starts[-1], np.int64)
    kernels.fill_by_block(points, radii, rows, *lattice, places, members)

    def decide(start: int, stop: int) -> None:
        for index in range(start, stop):
            at = np.array(divmod(int(blocks[index]), n_cells[1]))
            outside = _outside(*(low + at * sides - margin), *(low + (at + 1) * sides + margin))
            _judge_among(candidates, members[starts[index] : starts[index + 1]], state, outside, nms_threshold)

    in_parts(decide, len(blocks), threads, parts=len(blocks))


def _outside(y0: float, x0: float, y1: float, x1: float) -> NDArray[np.float64]:
    """All but a rectangle, as four rectangles (y0, x0, y1, x1)."""
    far = np.inf
    return np.array([(-far, -far, y0, far), (y1, -far, far, far), (y0, -far, y1, x0), (y0, x1, y1, far)])


class StreamingNMS:
    """Greedy suppression of an image whose candidates become known region by region.

    Feed regions in any order, ask for what is decided after any of them, and finish. The kept polygons are those of
    :func:`suppress` on all candidates together. One thread at a time may use a front.

    Parameters
    ----------
    nms_threshold : float
        As in :func:`suppress`.
    max_distance : float
        Largest distance, in pixels, that a candidate may have.
    shape : (int, int)
        Height and width of the image in pixels.
    max_candidates : int, optional
        Candidates per megapixel of a region above which a warning is given, once. All are treated nevertheless.
        ``None`` never warns.

    Raises
    ------
    ConfigError
        If the threshold, the distance or the shape is out of range.

    Examples
    --------
    >>> front = StreamingNMS(0.4, max_distance=80, shape=(2048, 1024))
    >>> front.add(upper, Box(0, 0, 1024, 1024))  # doctest: +SKIP
    >>> kept = front.decide()  # doctest: +SKIP
    >>> front.add(lower, Box(1024, 0, 2048, 1024))  # doctest: +SKIP
    >>> kept = StarPolygons.concatenate([kept, front.finish()])  # doctest: +SKIP
    """

    def __init__(
        self,
        nms_threshold: float,
        max_distance: float,
        shape: tuple[int, int],
        *,
        max_candidates: int | None = 200_000,
    ) -> None:
        _check_threshold(nms_threshold)
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
        self._news: list[Box] = []
        self._pool: _Pool | None = None
        self._n_seen = 0
        self._n_kept = 0

    @property
    def n_seen(self) -> int:
        """Number of candidates fed, those of zero area included."""
        return self._n_seen

    @property
    def n_kept(self) -> int:
        """Number of polygons returned as kept."""
        return self._n_kept

    @property
    def n_pending(self) -> int:
        """Number of candidates in memory, undecided (before ``resolve``, those just fed among them)."""
        return 0 if self._pool is None else self._pool.n_held

    @property
    def pending(self) -> StarPolygons:
        """The undecided candidates, as they stand after the last ``resolve`` and what was fed since.

        Another front that is fed these in place of all candidates of the same regions comes to the same answer, if
        what this one has kept is added: a kept polygon has no part in what is still undecided.
        """
        if self._pool is None:
            return StarPolygons.empty(0)
        return self._pool.take(np.flatnonzero(self._pool.is_held))

    @property
    def decided_above(self) -> tuple[float, float]:
        """Rows above which all is decided, as it stands after the last ``resolve`` and what was fed since.

        Whatever is pending or not yet known has its centre at or below the first of them, and no point above the second.
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
            Part of the image, in pixels, half-open; it may not overlap a region fed before.

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
        _check_inside(candidates.points, region)
        features = _describe(candidates, self._max_distance)
        self._warn_of_flood(len(candidates), region)
        if self._pool is None:
            self._pool = _Pool(candidates)
        self._pool.add(candidates, features, np.flatnonzero(features[:, kernels.AREA] > 0))
        self._n_seen += len(candidates)
        self._unseen = unseen
        self._news.append(region)

    def decide(self) -> StarPolygons:
        """Decide what can be decided, and return the polygons newly known to be kept, in score order."""
        from ..geometry import _kernels_nms as kernels

        pool, news, self._news = self._pool, self._news, []
        if pool is None:
            return StarPolygons.empty(0)
        # what is farther from all news than two of the largest polygons reach is as pending as before
        reach = 2 * self._max_distance
        active = pool.near(_at_most(news, 16), reach)
        while active.any():
            self._judge(pool, active, reach)
            decided = active & (pool.state != kernels.PENDING)
            # a decision may release others around it; those judged in this very pass have seen it
            active = pool.near(pool.bounds(decided), reach) & ~active & (pool.state == kernels.PENDING)
        rows = np.flatnonzero(pool.state == kernels.KEPT)
        kept = pool.take(rows[pool.score_order(rows)])
        pool.release_decided()
        self._n_kept += len(kept)
        return kept

    def finish(self) -> StarPolygons:
        """Take all regions not fed as empty, and return the last kept polygons, in score order."""
        self._unseen = []
        self._news = [Box(0, 0, *self._shape)]
        return self.decide()

    def _judge(self, pool: _Pool, active: NDArray[np.bool_], reach: float) -> None:
        """One greedy pass over the ``active`` candidates and those around that they may conflict with."""
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
                f"{height * width - covered} pixels were fed before; feed each region once"
            )
        return pieces

    def _warn_of_flood(self, n: int, region: Box) -> None:
        # a small region may well be full of candidates
        megapixels = max(area(region), 256 * 256) / 1e6
        if self._max_candidates is not None and n > self._max_candidates * megapixels:
            warnings.warn(
                f"{n} candidates in the region from {region.y0, region.x0} to {region.y1, region.x1}, more than "
                f"{self._max_candidates} per megapixel: nearly every pixel looks like an object; check the "
                "normalisation and the probability threshold",
                StarpolyWarning,
                stacklevel=3,
            )
            self._max_candidates = None


class _Pool:
    """Candidates in memory: parallel arrays with free places, which later candidates take.

    Candidates fed together keep their order, so sorting rows in a stable way ranks equal scores as given.
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
        """The first row of a centre, and a row above which no candidate in memory reaches."""
        from ..geometry import _kernels_nms as kernels

        held = self.is_held
        y = self.points[held, 0].astype(np.float64)
        return float(y.min()), float((y - self.features[held, kernels.OUTER]).min())

    def release_decided(self) -> None:
        """Free the places of all that is not pending."""
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
        # a pixel more, for rounding
        margin = np.float64(reach) * (1 + 1e-6) + 1
        for box in boxes:
            in_rows = (y >= box.y0 - margin) & (y <= box.y1 + margin)
            found |= in_rows & (x >= box.x0 - margin) & (x <= box.x1 + margin)
        return found & self.is_held


def _describe(candidates: StarPolygons, max_distance: float) -> NDArray[np.float64]:
    """Areas, radii and extents of candidates (see ``_kernels_nms``), and a check of their values."""
    from ..geometry import _kernels_nms as kernels

    directions = ray_directions(candidates.n_rays)
    features = np.empty((len(candidates), kernels.N_FEATURES))
    if len(candidates) == 0:
        return features
    _check_values(candidates)
    if not kernels.describe(candidates.distances, *directions, features):
        raise _bad_distances()
    largest = float(features[:, kernels.OUTER].max())
    if largest > max_distance:
        raise _bad_distances(largest, max_distance)
    return features


def _check_values(candidates: StarPolygons) -> None:
    """An error unless probabilities and centres are what they may be."""
    if len(candidates) == 0:
        return
    if not candidates.probabilities.min() >= 0 or not np.isfinite(candidates.probabilities.max()):
        raise StarpolyError("suppression: expected finite probabilities of at least 0, got others")
    if not np.isfinite(candidates.points).all():
        raise StarpolyError("suppression: expected finite centres, got others")


def _bad_distances(largest: float = math.nan, max_distance: float = LARGEST_DISTANCE) -> StarpolyError:
    """What is said of distances that are negative or not finite, or larger than they may be."""
    if not math.isfinite(largest):
        return StarpolyError("suppression: expected finite distances of at least 0, got others; clip the distances")
    return StarpolyError(
        f"suppression: expected distances of at most max_distance = {max_distance:g} pixels, got {largest:g}; "
        "clip the distances before"
    )


def _check_threshold(nms_threshold: float) -> None:
    if not 0 <= nms_threshold <= 1:
        raise ConfigError(f"nms_threshold: expected a number from 0 to 1, got {nms_threshold}")


def _check_inside(points: NDArray[np.float32], region: Box) -> None:
    y, x = points[:, 0], points[:, 1]
    outside = ~((y >= region.y0) & (y < region.y1) & (x >= region.x0) & (x < region.x1))
    if outside.any():
        first = tuple(map(float, points[outside.argmax()]))
        raise StarpolyError(
            f"suppression: expected centres within {region}, got {outside.sum()} others, the first {first}"
        )


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
    margin = reach * (1 + 1e-6) + 1
    keep = (corners[:, 0] <= around.y1 + margin) & (corners[:, 2] >= around.y0 - margin)
    keep &= (corners[:, 1] <= around.x1 + margin) & (corners[:, 3] >= around.x0 - margin)
    return corners[keep]
