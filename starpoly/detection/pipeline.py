"""The pipeline from image to polygons: tiles, normalisation, network, candidates, suppression.

The network is handed in as a callable, so that all of this runs and is tested without Keras. Reading,
the network and the geometry work at the same time, each in its own thread; what comes out does not
depend on how they interleave, since suppression gives one answer for any feeding order.
"""

from __future__ import annotations

import math
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ..config import Thresholds
from ..errors import ConfigError, StarpolyWarning
from ..geometry import outline_refinement as outline
from ..geometry import ray_context as context
from ..images.normalization import Normalizer
from ..labels.mask_growth import ForegroundMask
from ..network.dense_output import DenseOutput, Network
from ..polygons import StarPolygons
from ..suppression.streaming import StreamingNMS
from ..tiling import Box, Tile, TilePlan, area, core_on_grid, plan_tiles
from ..timing import Stopwatch
from .journal import TileJournal, TileResult
from .out_of_memory import SplitOnOutOfMemory
from .receivers import PolygonList, PolygonReceiver

_GEOMETRY_BEHIND = 1  # answers for windows that wait; each is large
#: candidates per megapixel of a tile above which something is wrong; a small tile may well be full of them
_FLOOD = 200_000
_SMALL_AREA = 256 * 256
#: what the network says of a pixel from which on it lies in an object
FOREGROUND = 0.5


class Region(Protocol):
    """The part of an image that is looked at, in its pixels."""

    def overlaps(self, box: Box) -> bool:
        """Whether some of the box belongs to it."""
        ...

    def contains(self, points: NDArray) -> NDArray[np.bool_]:
        """Which of the points (n, 2), (y, x), belong to it."""
        ...

    def resized(self, shape: tuple[int, int]) -> Region:
        """The same part of the image at another size."""
        ...


@dataclass
class Detection:
    """The polygons of an image, in the order of ids (y, then x ascending), and how they were found.

    ``seconds`` holds the time spent in each stage; stages overlap, so they may add up to more than
    the time that passed. ``n_skipped`` of the ``n_tiles`` tiles lie outside the region that was asked for. ``window``
    and ``halo`` are those of a tile, (y, x) in pixels of the image at ``scale`` times its size.
    """

    polygons: StarPolygons
    n_candidates: int
    n_tiles: int
    seconds: dict[str, float] = field(default_factory=dict)
    n_skipped: int = 0
    normalizer: Normalizer | None = None
    window: tuple[int, int] = (0, 0)
    halo: tuple[int, int] = (0, 0)
    scale: float = 1.0


def halo_for(network: Network) -> tuple[int, int]:
    """How far around a candidate the image has a say in it, (y, x) in pixels."""
    # a candidate at the edge of a core looks along its rays, and there the network looks around
    reach = [math.ceil(context.REACH) if network.ray_context else 0] * 2
    if network.has_foreground:
        # a pixel belongs to the answer at the grid point before it
        reach = [max(have, math.ceil(outline.REACH) + step - 1) for have, step in zip(reach, network.grid, strict=True)]
    return network.halo[0] + reach[0], network.halo[1] + reach[1]


def plan_for(network: Network, shape: tuple[int, int], tile_size: int | None = None) -> TilePlan:
    """The lattice on which ``network`` works through an image of ``shape``."""
    return plan_tiles(shape, stride=network.stride, halo=halo_for(network), tile_size=tile_size or network.tile_size)


def detect(
    image: Any,
    network: Network,
    normalizer: Normalizer,
    thresholds: Thresholds,
    *,
    tile_size: int | None = None,
    region: Region | None = None,
    readers: int = 1,
    progress: bool = False,
    journal: TileJournal | None = None,
    kept: PolygonReceiver | None = None,
    foreground: ForegroundMask | None = None,
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
    region : Region, optional
        Candidates outside of it do not count, and tiles that it does not meet are not read.
    readers : int
        Threads that read the image.
    progress : bool
        Show a progress bar on a terminal.
    journal : TileJournal, optional
        Takes the result of each tile; tiles that are in it are not done again.
    kept : PolygonReceiver, optional
        Takes the polygons while the rest of the image is worked on, from another thread.
    foreground : ForegroundMask, optional
        Takes where the network sees objects, of each tile before its polygons.

    Returns
    -------
    Detection
        Polygons in the order of ids, in pixels of ``image``, or as ``kept`` has them.

    Raises
    ------
    ConfigError
        If the network does not tell the foreground that is asked for.
    StarpolyError
        If the device's memory does not suffice for the smallest window either.
    """
    shape = (int(image.shape[0]), int(image.shape[1]))
    plan = plan_for(network, shape, tile_size)
    clock = Stopwatch()
    halving = SplitOnOutOfMemory(network)
    gathering = _Gathering(
        network, thresholds, shape, plan, region, journal, PolygonList() if kept is None else kept, foreground
    )
    missing = gathering.tiles_to_do()
    with (
        ThreadPoolExecutor(readers, "reading") as reading,
        ThreadPoolExecutor(1, "geometry") as geometry,
        _bar(plan, missing, shown=progress) as bar,
    ):
        behind: deque[Future[None]] = deque()

        def finish(tile: Tile, answer: list[DenseOutput]) -> None:
            with clock.timing("geometry"):
                gathering.finish_tile(tile, answer)

        try:
            for tile, window in _read_ahead(reading, readers, image, normalizer, missing, clock):
                with clock.timing("network"):
                    answer = [halving(window)]
                behind.append(geometry.submit(finish, tile, answer))
                if len(behind) > _GEOMETRY_BEHIND:
                    behind.popleft().result()
                bar.set_postfix_str(f"{gathering.n_kept} objects", refresh=False)
                bar.update(area(tile.core) / 1e6)
            for future in behind:
                future.result()
        except BaseException:
            # what nobody waits for any more is not begun
            reading.shutdown(wait=False, cancel_futures=True)
            geometry.shutdown(wait=False, cancel_futures=True)
            raise
    with clock.timing("geometry"):
        polygons = gathering.finish()
    return Detection(
        polygons,
        gathering.n_candidates,
        len(plan),
        clock.seconds,
        gathering.n_skipped,
        normalizer,
        plan.window,
        halo_for(network),
    )


class _Gathering:
    """What has been found so far: tiles done, candidates decided, candidates pending."""

    def __init__(
        self,
        network: Network,
        thresholds: Thresholds,
        shape: tuple[int, int],
        plan: TilePlan,
        region: Region | None,
        journal: TileJournal | None,
        kept: PolygonReceiver,
        foreground: ForegroundMask | None,
    ) -> None:
        self._network, self._thresholds, self._shape, self._plan = network, thresholds, shape, plan
        self._region, self._journal = region, journal
        self._foreground = foreground
        if foreground is not None:
            if not network.has_foreground:
                raise ConfigError(
                    "masks: expected a network that tells the foreground, got one that does not, or was told not to; leave --spread out"
                )
            foreground.begin(shape)
        self._front = StreamingNMS(thresholds.nms, network.max_distance, shape, max_candidates=None)
        self._kept = kept
        self.n_candidates = self.n_kept = self.n_skipped = 0
        self._flooded = False

    def tiles_to_do(self) -> list[Tile]:
        """The tiles that are neither outside the region nor in the journal, in the order of the plan."""
        nothing = StarPolygons.empty(self._network.n_rays, self._network.n_classes)
        todo = []
        for tile in self._plan:
            if self._region is not None and not self._region.overlaps(tile.core):
                self._add(tile, TileResult(nothing, nothing, 0))
                self.n_skipped += 1
                continue
            done = None if self._journal is None else self._journal.load(tile.index)
            if done is None or not self._has_foreground(done, tile):
                todo.append(tile)
            else:
                self._add(tile, done)
        return todo

    def _has_foreground(self, done: TileResult, tile: Tile) -> bool:
        """Whether a tile's result has the foreground that is asked for."""
        return self._foreground is None or (done.foreground is not None and done.foreground.shape == tile.core.shape)

    def finish_tile(self, tile: Tile, answer: list[DenseOutput]) -> None:
        """Take in the network's answer for a tile, and take it out of the list, so that nobody holds it longer than need be."""
        maps = answer.pop()
        candidates = collect_candidates(maps, tile, self._network, self._thresholds.prob, self._shape)
        foreground = None if self._foreground is None else foreground_of(maps, tile, self._network.grid)
        del maps
        if self._region is not None:
            candidates = candidates.take(self._region.contains(candidates.points))
        self._warn_of_flood(len(candidates), tile)
        if self._journal is None:
            # what the tile decides by itself is decided with what is known around it
            result = TileResult(
                StarPolygons.empty(self._network.n_rays, self._network.n_classes),
                candidates,
                len(candidates),
                foreground,
            )
        else:
            result = suppress_within(candidates, tile, self._thresholds, self._network.max_distance, self._shape)
            result = replace(result, foreground=foreground)
            self._journal.store(tile.index, result)
        self._add(tile, result)

    def finish(self) -> StarPolygons:
        """All kept polygons."""
        self._kept.add(self._front.finish(), math.inf, math.inf)
        return self._kept.polygons()

    def _add(self, tile: Tile, result: TileResult) -> None:
        if self._foreground is not None and result.foreground is not None:
            self._foreground.put(tile.core, result.foreground)
        self._front.add(result.pending, tile.core)
        decided = self._front.decide()
        self._kept.add(StarPolygons.concatenate([result.kept, decided]), *self._front.decided_above)
        self.n_kept += len(result.kept) + len(decided)
        self.n_candidates += result.n_candidates

    def _warn_of_flood(self, n: int, tile: Tile) -> None:
        megapixels = max(area(tile.core), _SMALL_AREA) / 1e6
        if self._flooded or n <= _FLOOD * megapixels:
            return
        self._flooded = True
        warnings.warn(
            f"{n} candidates in the region from {tile.core.y0, tile.core.x0} to {tile.core.y1, tile.core.x1}, more than "
            f"{_FLOOD} per megapixel: nearly every pixel looks like an object; check the normalisation and the "
            "probability threshold",
            StarpolyWarning,
            stacklevel=2,
        )


def foreground_of(maps: DenseOutput, tile: Tile, grid: tuple[int, int]) -> NDArray[np.bool_] | None:
    """Which pixels of a tile's core the network takes for the foreground, where outlines end, too (:mod:`starpoly.geometry.outline_refinement`)."""
    pixels, core = maps.foreground_pixels(grid), tile.core
    if pixels is None:
        return None
    y, x = core.y0 - tile.read.y0, core.x0 - tile.read.x0
    return pixels[y : y + core.shape[0], x : x + core.shape[1]] > FOREGROUND


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
    front = StreamingNMS(thresholds.nms, max_distance, shape, max_candidates=None)
    front.add(candidates, tile.core)
    return TileResult(front.decide(), front.pending, len(candidates))


def predict_map(image: Any, network: Network, normalizer: Normalizer, *, tile_size: int | None = None) -> DenseOutput:
    """The network's answer on the grid of the whole image, put together from tiles.

    Parameters
    ----------
    image, network, normalizer, tile_size
        As for :func:`detect`.

    Returns
    -------
    DenseOutput
    """
    shape = (int(image.shape[0]), int(image.shape[1]))
    whole, halving = DenseOutput.empty(shape, network), SplitOnOutOfMemory(network)
    for tile in plan_for(network, shape, tile_size):
        whole.put(halving(read_window(image, tile.read, normalizer)), *core_on_grid(tile, network.grid))
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
    halving = SplitOnOutOfMemory(network)
    for tile in plan_for(network, shape, tile_size):
        maps = halving(read_window(image, tile.read, normalizer))
        parts.append(collect_candidates(maps, tile, network, threshold, shape))
    return StarPolygons.concatenate(parts)


def collect_candidates(
    maps: DenseOutput, tile: Tile, network: Network, threshold: float, shape: tuple[int, int]
) -> StarPolygons:
    """The grid points of a tile's core whose probability is above the threshold, as polygons.

    Parameters
    ----------
    maps : DenseOutput
        The network's answer for the tile's window.
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
    inside, place = core_on_grid(tile, grid)
    probability = maps.probability
    rows, columns = np.nonzero(probability[inside] > threshold)
    at = (rows + inside[0].start, columns + inside[1].start)
    distances = _distances(maps, at, tile, network, shape)
    return StarPolygons(
        np.stack([(rows + place[0].start) * grid[0], (columns + place[1].start) * grid[1]], axis=1),
        distances,
        probability[at],
        None if maps.classes is None else maps.classes[at],
    )


def _distances(
    maps: DenseOutput, at: tuple[NDArray, NDArray], tile: Tile, network: Network, shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Ray distances at grid points of a tile's window, as exactly as the network's whole answer tells them."""
    grid, distances = network.grid, maps.distances[at]
    # of the window, what lies in the image
    pixels = [length - start for length, start in zip(shape, (tile.read.y0, tile.read.x0), strict=True)]
    if network.ray_context:
        rows, columns = (
            min(have, -(-n // step)) for have, n, step in zip(maps.probability.shape, pixels, grid, strict=True)
        )
        distances = context.ray_context(maps.distances, *at, grid, network.ray_context, shape=(rows, columns))
        distances = np.minimum(distances, np.float32(network.max_distance))
    foreground = maps.foreground_pixels(grid)
    if foreground is not None:
        rows, columns = (min(have, n) for have, n in zip(foreground.shape, pixels, strict=True))
        centres = (at[0] * grid[0], at[1] * grid[1])
        distances = outline.refine_outlines(distances, *centres, foreground, shape=(rows, columns))
        distances = np.minimum(distances, np.float32(network.max_distance))
    return distances


def read_window(image: Any, window: Box, normalizer: Normalizer) -> NDArray[np.float32]:
    """A normalised window of an image (Y, X, C), continued by reflection beyond the far ends."""
    inside = window.clip(image.shape[:2])
    # what lies beyond is mirrored from inside, which may be further back than the window itself
    beyond = [want - have for want, have in zip(window.shape, inside.shape, strict=True)]
    start = [
        max(0, min(a, b - over - 1))
        for a, b, over in zip((inside.y0, inside.x0), (inside.y1, inside.x1), beyond, strict=True)
    ]
    crop = normalizer(np.asarray(image[start[0] : inside.y1, start[1] : inside.x1]))
    if any(beyond):
        crop = np.pad(crop, [(0, beyond[0]), (0, beyond[1]), (0, 0)], mode="reflect")
    return crop[inside.y0 - start[0] :, inside.x0 - start[1] :]


def _bar(plan: TilePlan, missing: Sequence[Tile], *, shown: bool) -> tqdm:
    """A progress bar over megapixels, which says their rate and the time left."""
    height, width = plan.shape
    total = height * width / 1e6
    return tqdm(
        total=total,
        initial=max(0.0, total - sum(area(tile.core) for tile in missing) / 1e6),
        unit="MP",
        desc=f"{len(plan)} tiles",
        bar_format="{l_bar}{bar}| {n:.1f}/{total:.1f} MP [{elapsed}<{remaining}, {rate_noinv_fmt}{postfix}]",
        leave=False,
        disable=None if shown else True,
    )


def _read_ahead(
    pool: ThreadPoolExecutor, readers: int, image: Any, normalizer: Normalizer, tiles: Sequence[Tile], clock: Stopwatch
) -> Iterator[tuple[Tile, NDArray[np.float32]]]:
    """Windows in the order of the tiles, read in threads, one tile per thread ahead of their use."""

    def read(tile: Tile) -> NDArray[np.float32]:
        with clock.timing("reading"):
            return read_window(image, tile.read, normalizer)

    ahead: deque[tuple[Tile, Future[NDArray[np.float32]]]] = deque()
    for tile in tiles:
        ahead.append((tile, pool.submit(read, tile)))
        if len(ahead) > readers:
            first, window = ahead.popleft()
            yield first, window.result()
    for first, window in ahead:
        yield first, window.result()
