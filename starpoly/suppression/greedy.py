"""Greedy non-maximum suppression of star-convex polygons, of a whole image at once.

Candidates are sorted by score: probability descending, then y, then x ascending. Two candidates *conflict* if the area of
their intersection exceeds ``nms_threshold`` times the smaller of their areas. Going down the order, a candidate is kept
if it conflicts with no kept one.

A polygon of zero area is no object: it conflicts with nothing and is dropped. Candidates of equal probability at the same
point rank in the order given.

:mod:`starpoly.suppression.streaming` finds the same polygons region by region, and proves that it does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.rays import ray_directions
from ..parallel import in_parts, n_threads
from ..polygons import StarPolygons
from .checks import LARGEST_DISTANCE, bad_distances, check_threshold, check_values

_BLOCK_CANDIDATES = 5_000, 30_000
"""Fewest and most candidates in a block of a large image: few enough to stay in the processor's cache, many enough that
most lie far from the block's border. An image with no more than the first number is one block."""
_MARGIN_QUANTILE = 0.5
"""Share of the polygons whose radius is at most the margin around a block."""
_MOST_KNOWN, _MOST_KNOWN_ALTOGETHER = 2, 8
"""How many times its own candidates a block may look at, and all blocks together: beyond, one pass is faster."""


def suppress(candidates: StarPolygons, nms_threshold: float) -> StarPolygons:
    """Greedy non-maximum suppression of all candidates of an image at once.

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

    check_threshold(nms_threshold)
    check_values(candidates)
    radii = _outer_radii(candidates)
    if not radii.max(initial=0) <= LARGEST_DISTANCE:
        raise bad_distances(float(radii.max()))
    rows = candidates.score_order()
    state = np.full(len(candidates), kernels.PENDING, np.uint8)
    if len(candidates) > _BLOCK_CANDIDATES[0]:
        _suppress_in_blocks(candidates, radii, rows, state, float(nms_threshold))
        rows = rows[(state[rows] == kernels.PENDING) | (state[rows] == kernels.KEPT)]
    _judge_among(candidates, rows, state, np.empty((0, 4)), float(nms_threshold))
    return candidates.take(rows[state[rows] == kernels.KEPT])


def _suppress_in_blocks(
    candidates: StarPolygons,
    radii: NDArray[np.float32],
    rows: NDArray[np.intp],
    state: NDArray[np.uint8],
    nms_threshold: float,
) -> None:
    """Decide most candidates in blocks of the image, in parallel.

    A block sees the candidates inside it and its margin, and all polygons of the image whose discs reach into these. It
    decides the candidates whose discs lie inside: they conflict with no unseen ones, so the block decides them as the whole
    image does, and two blocks decide alike. A block into which most of the image reaches is skipped. The rest is resolved
    last, in one pass.
    """
    from ..geometry import _kernels_blocks as kernels

    points, n, threads = candidates.points, len(candidates), n_threads()
    blocks = _plan_blocks(points, radii, threads)
    own, near = np.zeros((2, blocks.counts[0] * blocks.counts[1]), np.int64)
    if not kernels.count_by_block(points, radii, *blocks.lattice, own, near, _MOST_KNOWN_ALTOGETHER * n):
        return
    chosen = np.flatnonzero((own > 0) & (near <= _MOST_KNOWN * own))
    places = np.full(len(near), -1, np.int64)
    starts = np.concatenate([[0], np.cumsum(near[chosen])])
    places[chosen] = starts[:-1]
    members = np.empty(starts[-1], np.int64)
    kernels.fill_by_block(points, radii, rows, *blocks.lattice, places, members)

    def decide(start: int, stop: int) -> None:
        for index in range(start, stop):
            seen = members[starts[index] : starts[index + 1]]
            _judge_among(candidates, seen, state, blocks.outside(int(chosen[index])), nms_threshold)

    in_parts(decide, len(chosen), threads, parts=len(chosen))


@dataclass(frozen=True)
class _Blocks:
    """Equal rectangles that make up an image: corner of the first, height and width, number along y and x, margin; pixels."""

    low: NDArray[np.float64]
    sides: NDArray[np.float64]
    counts: list[int]
    margin: float

    @property
    def lattice(self) -> tuple:
        """The same, as kernels take it."""
        return (self.low, *self.sides, *self.counts, self.margin)

    def outside(self, index: int) -> NDArray[np.float64]:
        """All but a block and its margin, as four rectangles (y0, x0, y1, x1)."""
        at = np.array(divmod(index, self.counts[1]))
        y0, x0 = self.low + at * self.sides - self.margin
        y1, x1 = self.low + (at + 1) * self.sides + self.margin
        far = np.inf
        return np.array([(-far, -far, y0, far), (y1, -far, far, far), (y0, -far, y1, x0), (y0, x1, y1, far)])


def _plan_blocks(points: NDArray[np.float32], radii: NDArray[np.float32], threads: int) -> _Blocks:
    n = len(points)
    low, high = (extreme(axis=0).astype(np.float64) for extreme in (points.min, points.max))
    n_wanted = min(max(n // (2 * threads), _BLOCK_CANDIDATES[0]), _BLOCK_CANDIDATES[1])
    longest = math.sqrt(float(np.prod(high - low + 1)) * n_wanted / n)
    counts = [math.ceil(min(max(extent / longest, 1), n / n_wanted)) for extent in high - low + 1]
    margin = float(np.quantile(radii[:: max(n // 1000, 1)], _MARGIN_QUANTILE))
    return _Blocks(low, (high - low + 1) / counts, counts, margin)


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
    """Decide what can be decided among ``rows``: candidates in score order. Those that reach into ``unseen`` rectangles stay pending."""
    from ..geometry import _kernels_nms as kernels

    directions = ray_directions(candidates.n_rays)
    if not kernels.judge_among(
        candidates.points, candidates.distances, rows, state, unseen, 0.0, threshold, *directions
    ):
        raise bad_distances()
