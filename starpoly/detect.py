"""The pipeline from image to polygons: tiles, normalisation, network, candidates, suppression.

The network is handed in as a callable, so that all of this runs and is tested without Keras. Reading,
the network and the geometry work at the same time, each in its own thread; what comes out does not
depend on how they interleave, since suppression gives one answer for any feeding order.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from .config import Thresholds
from .geometry.context import REACH, ray_context
from .journal import TileJournal, TileResult
from .nms import SuppressionFront
from .normalize import Normalizer
from .polygons import StarPolygons
from .tiling import Box, Tile, TilePlan, plan_tiles
from .timing import Stopwatch

#: Side of a network window in pixels where the user names none.
TILE_SIZE = 1024
_READ_AHEAD = 2
_GEOMETRY_BEHIND = 2


class Output(Protocol):
    """What a network says about a batch; see :class:`Network`."""

    @property
    def probability(self) -> NDArray[np.float32]: ...
    @property
    def distances(self) -> NDArray[np.float32]: ...
    @property
    def classes(self) -> NDArray[np.float32] | None: ...


class Network(Protocol):
    """A network as the pipeline sees it: what it needs to read, and a call.

    ``stride`` is its total stride, ``grid`` the step of its answers, ``halo`` the radius of its
    receptive field, all (y, x) in pixels; ``max_distance`` bounds its distances; ``ray_context`` says
    where along the rays they are estimated again. Called with float32
    (batch, height, width, n_channels), it returns ``probability`` (batch, h, w), ``distances``
    (batch, h, w, n_rays) and ``classes`` (batch, h, w, n_classes + 1) or None.
    """

    stride: tuple[int, int]
    grid: tuple[int, int]
    halo: tuple[int, int]
    max_distance: float
    n_rays: int
    n_classes: int
    ray_context: tuple[float, ...]

    def __call__(self, batch: NDArray[np.float32]) -> Output: ...


@dataclass
class Detection:
    """The polygons of an image, best first, and how they were found.

    ``seconds`` holds the time spent in each stage; stages overlap, so they may add up to more than
    the time that passed.
    """

    polygons: StarPolygons
    n_candidates: int
    n_tiles: int
    seconds: dict[str, float] = field(default_factory=dict)


def plan_for(network: Network, shape: tuple[int, int], tile_size: int | None = None) -> TilePlan:
    """The lattice on which ``network`` works through an image of ``shape``."""
    # a candidate at the edge of a core looks along its rays, and there the network looks around
    reach = math.ceil(REACH) if network.ray_context else 0
    halo = (network.halo[0] + reach, network.halo[1] + reach)
    return plan_tiles(shape, stride=network.stride, halo=halo, tile_size=tile_size or TILE_SIZE)


def detect(
    image: Any,
    network: Network,
    normalizer: Normalizer,
    thresholds: Thresholds,
    *,
    tile_size: int | None = None,
    progress: bool = False,
    journal: TileJournal | None = None,
) -> Detection:
    """Find all objects of an image.

    The answer is greedy non-maximum suppression over all candidates of the whole image, in score
    order, however the image is cut into tiles.

    Parameters
    ----------
    image : array-like (Y, X, C)
        Anything with ``shape`` and slicing; read tile by tile.
    network : Network
    normalizer : Normalizer
        Of the whole image.
    thresholds : Thresholds
    tile_size : int, optional
        Side of a network window in pixels.
    progress : bool
        Show a progress bar over tiles on a terminal.
    journal : TileJournal, optional
        Takes the result of each tile; tiles that are in it are not done again.

    Returns
    -------
    Detection
        Polygons in score order, in pixels of ``image``.
    """
    shape = (int(image.shape[0]), int(image.shape[1]))
    plan = plan_for(network, shape, tile_size)
    clock = Stopwatch()
    front = SuppressionFront(thresholds.nms, network.max_distance, shape)
    kept: list[StarPolygons] = []

    def add(tile: Tile, result: TileResult) -> int:
        kept.append(result.kept)
        front.feed(result.pending, tile.core)
        kept.append(front.resolve())
        return result.n_candidates

    def finish_tile(tile: Tile, output: Output) -> int:
        with clock.timing("geometry"):
            candidates = collect_candidates(output, tile, network, thresholds.prob, shape)
            result = suppress_within(candidates, tile, thresholds, network.max_distance, shape)
            if journal is not None:
                journal.store(tile.index, result)
            return add(tile, result)

    n_candidates = 0
    missing: list[Tile] = []
    for tile in plan:
        result = None if journal is None else journal.load(tile.index)
        if result is None:
            missing.append(tile)
        else:
            n_candidates += add(tile, result)
    hidden = None if progress else True
    with ThreadPoolExecutor(1, "reading") as reading, ThreadPoolExecutor(1, "geometry") as geometry:
        behind: deque[Future[int]] = deque()
        windows = _read_ahead(reading, image, normalizer, missing, clock)
        bar = tqdm(windows, total=len(plan), initial=len(plan) - len(missing), desc="tiles", unit="tile", leave=False, disable=hidden)
        for tile, window in bar:
            with clock.timing("network"):
                output = network(window[None])
            behind.append(geometry.submit(finish_tile, tile, output))
            if len(behind) > _GEOMETRY_BEHIND:
                n_candidates += behind.popleft().result()
        n_candidates += sum(future.result() for future in behind)
    with clock.timing("geometry"):
        kept.append(front.finish())
        polygons = StarPolygons.concatenate(kept)
        polygons = polygons.take(polygons.score_order())
    return Detection(polygons, n_candidates, len(plan), clock.seconds)


def suppress_within(
    candidates: StarPolygons, tile: Tile, thresholds: Thresholds, max_distance: float, shape: tuple[int, int]
) -> TileResult:
    """Decide what a tile's own candidates decide, and leave the rest, near its borders, pending.

    Parameters
    ----------
    candidates : StarPolygons
        All candidates of the tile's core.
    tile, thresholds, max_distance, shape
        As in :func:`detect`; ``shape`` is that of the whole image.
    """
    front = SuppressionFront(thresholds.nms, max_distance, shape)
    front.feed(candidates, tile.core)
    return TileResult(front.resolve(), front.pending, len(candidates))


def predict_map(image: Any, network: Network, normalizer: Normalizer, *, tile_size: int | None = None) -> Output:
    """The network's answer on the grid of the whole image, put together from tiles.

    Parameters
    ----------
    image, network, normalizer, tile_size
        As for :func:`detect`.

    Returns
    -------
    Output
        ``probability`` (h, w), ``distances`` (h, w, n_rays) and ``classes`` (h, w, n_classes + 1) or
        None, with ``h = ceil(Y / grid_y)`` and ``w = ceil(X / grid_x)``.
    """
    shape = (int(image.shape[0]), int(image.shape[1]))
    rows, columns = (-(-length // step) for length, step in zip(shape, network.grid, strict=True))
    whole = _Maps(
        np.empty((rows, columns), np.float32),
        np.empty((rows, columns, network.n_rays), np.float32),
        np.empty((rows, columns, network.n_classes + 1), np.float32) if network.n_classes else None,
    )
    for tile in plan_for(network, shape, tile_size):
        output = network(read_window(image, tile.read, normalizer)[None])
        inside, place = _core_on_grid(tile, network.grid)
        whole.probability[place] = output.probability[0][inside]
        whole.distances[place] = output.distances[0][inside]
        if whole.classes is not None and output.classes is not None:
            whole.classes[place] = output.classes[0][inside]
    return whole


def find_candidates(
    image: Any, network: Network, normalizer: Normalizer, threshold: float, *, tile_size: int | None = None
) -> StarPolygons:
    """All candidates of an image, before suppression.

    Parameters
    ----------
    image, network, normalizer, tile_size
        As for :func:`detect`.
    threshold : float
        Candidates have a probability above this.
    """
    shape = (int(image.shape[0]), int(image.shape[1]))
    parts = [StarPolygons.empty(network.n_rays, network.n_classes)]
    for tile in plan_for(network, shape, tile_size):
        output = network(read_window(image, tile.read, normalizer)[None])
        parts.append(collect_candidates(output, tile, network, threshold, shape))
    return StarPolygons.concatenate(parts)


def collect_candidates(
    output: Output, tile: Tile, network: Network, threshold: float, shape: tuple[int, int]
) -> StarPolygons:
    """The grid points of a tile's core whose probability is above the threshold, as polygons.

    Parameters
    ----------
    output : Output
        Of the network for the tile's window, batch of one.
    tile : Tile
    network : Network
        Gives the grid, the bound of the distances and the context along the rays.
    threshold : float
    shape : (int, int)
        Of the whole image.

    Returns
    -------
    StarPolygons
        In pixels of the whole image, in row-major order.
    """
    grid = network.grid
    inside, place = _core_on_grid(tile, grid)
    probability = output.probability[0]
    rows, columns = np.nonzero(probability[inside] > threshold)
    at = (rows + inside[0].start, columns + inside[1].start)
    if network.ray_context:
        in_image = tuple(
            min(have, -(-(length - start) // step))
            for have, length, start, step in zip(probability.shape, shape, (tile.read.y0, tile.read.x0), grid, strict=True)
        )
        distances = ray_context(output.distances[0], *at, grid, network.ray_context, shape=(in_image[0], in_image[1]))
        distances = np.minimum(distances, np.float32(network.max_distance))
    else:
        distances = output.distances[0][at]
    return StarPolygons(
        np.stack([(rows + place[0].start) * grid[0], (columns + place[1].start) * grid[1]], axis=1),
        distances,
        probability[at],
        None if output.classes is None else output.classes[0][at],
    )


def read_window(image: Any, window: Box, normalizer: Normalizer) -> NDArray[np.float32]:
    """A normalised window of an image (Y, X, C), continued by reflection beyond the far ends."""
    inside = window.clip(image.shape[:2])
    # what lies beyond is mirrored from inside, which may be further back than the window itself
    beyond = [want - have for want, have in zip(window.shape, inside.shape, strict=True)]
    start = [max(0, min(a, b - over - 1)) for a, b, over in zip((inside.y0, inside.x0), (inside.y1, inside.x1), beyond, strict=True)]
    crop = normalizer(np.asarray(image[start[0] : inside.y1, start[1] : inside.x1]))
    if any(beyond):
        crop = np.pad(crop, [(0, beyond[0]), (0, beyond[1]), (0, 0)], mode="reflect")
    return crop[inside.y0 - start[0] :, inside.x0 - start[1] :]


@dataclass(frozen=True)
class _Maps:
    probability: NDArray[np.float32]
    distances: NDArray[np.float32]
    classes: NDArray[np.float32] | None


def _core_on_grid(tile: Tile, grid: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Grid points of the core: as slices of the tile's output, and of the whole image's grid."""
    core, read = tile.core, tile.read
    place = tuple(
        slice(-(-start // step), -(-stop // step))
        for start, stop, step in zip((core.y0, core.x0), (core.y1, core.x1), grid, strict=True)
    )
    inside = tuple(
        slice(there.start - origin // step, there.stop - origin // step)
        for there, origin, step in zip(place, (read.y0, read.x0), grid, strict=True)
    )
    return (inside[0], inside[1]), (place[0], place[1])


def _read_ahead(
    pool: ThreadPoolExecutor, image: Any, normalizer: Normalizer, tiles: Sequence[Tile], clock: Stopwatch
) -> Iterator[tuple[Tile, NDArray[np.float32]]]:
    """Windows in the order of the tiles, read in a thread a few tiles ahead of their use."""

    def read(tile: Tile) -> NDArray[np.float32]:
        with clock.timing("reading"):
            return read_window(image, tile.read, normalizer)

    ahead: deque[tuple[Tile, Future[NDArray[np.float32]]]] = deque()
    for tile in tiles:
        ahead.append((tile, pool.submit(read, tile)))
        if len(ahead) > _READ_AHEAD:
            first, window = ahead.popleft()
            yield first, window.result()
    for first, window in ahead:
        yield first, window.result()

