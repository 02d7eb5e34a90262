"""Work on one tile, from pixels to candidates. Arguments are picklable, so any executor can run it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..config import Thresholds
from ..geometry import outline_refinement, ray_context
from ..images.axes import with_channels
from ..images.normalization import Normalizer
from ..network.dense_output import DenseOutput, Network
from ..network.footprint import Halo
from ..polygons import StarPolygons
from ..suppression.streaming import StreamingNMS
from ..tiling import Box, Tile, core_on_grid
from ..timing import Stopwatch
from .constant_windows import ConstantWindows
from .out_of_memory import SplitOnOutOfMemory
from .tile_result import TileResult


class Region(Protocol):
    """The region of an image to analyse, in pixels of the image."""

    def overlaps(self, box: Box) -> bool:
        """Whether the box overlaps the region."""
        ...

    def contains(self, points: NDArray) -> NDArray[np.bool_]:
        """Which of the points (n, 2), (y, x), lie in the region."""
        ...

    def resized(self, shape: tuple[int, int]) -> Region:
        """The same region of the rescaled image."""
        ...


@dataclass(frozen=True)
class TileOptions:
    """Settings of the work on a tile.

    Parameters
    ----------
    thresholds : Thresholds
    region : Region, optional
        Candidates outside are dropped.
    foreground : float, optional
        Include the foreground of the core in the result: the pixels with a higher probability.
    suppress : bool
        Suppress within the tile where its own candidates suffice. Else all candidates stay pending.
    constants : ConstantWindows
        In which constant windows nothing is found.
    """

    thresholds: Thresholds
    region: Region | None = None
    foreground: float | None = None
    suppress: bool = False
    constants: ConstantWindows = field(default_factory=ConstantWindows, compare=False, repr=False)


def process_tile(
    tile: Tile, source: Any, network: SplitOnOutOfMemory, normalizer: Normalizer, options: TileOptions
) -> TileResult:
    """Read a tile's window, run the network on it, and collect the candidates of its core.

    Parameters
    ----------
    tile : Tile
    source : array-like (Y, X, C)
        The image; anything with ``shape`` and slicing.
    network : SplitOnOutOfMemory
        Runs the network on one window at a time.
    normalizer : Normalizer
        Of the whole image.
    options : TileOptions

    Returns
    -------
    TileResult
        In pixels of the whole image.
    """
    clock, shape = Stopwatch(), (int(source.shape[0]), int(source.shape[1]))
    with clock.timing("reading"):
        pixels = read_pixels(source, tile.read)
        constant = options.constants.key_of(pixels)
    if options.constants.is_empty(constant):
        return nothing_in(tile, network.network, options)
    with clock.timing("reading"):
        window = normalizer(pixels)
    answer = _answer(window, network, clock)
    with clock.timing("geometry"):
        options.constants.note(constant, answer, options.thresholds.prob, options.foreground)
        candidates = collect_candidates(answer, tile, network.network, options.thresholds.prob, shape)
        foreground = foreground_of(answer, tile, network.network.grid, options.foreground)
        del answer
        if options.region is not None:
            candidates = candidates.take(options.region.contains(candidates.points))
        if options.suppress:
            result = suppress_within(candidates, tile, options.thresholds, network.network.max_distance, shape)
        else:
            nothing = StarPolygons.empty(network.network.n_rays, network.network.n_classes)
            result = TileResult(nothing, candidates, len(candidates))
    return replace(result, foreground=foreground, seconds=clock.seconds)


def answer_tile(tile: Tile, source: Any, network: SplitOnOutOfMemory, normalizer: Normalizer) -> DenseOutput:
    """The network's output for the window of a tile; parameters as for :func:`process_tile`."""
    return _answer(read_window(source, tile.read, normalizer), network, Stopwatch())


def nothing_in(tile: Tile, network: Network, options: TileOptions) -> TileResult:
    """The result for a tile without candidates and foreground."""
    nothing = StarPolygons.empty(network.n_rays, network.n_classes)
    foreground = None if options.foreground is None else np.zeros(tile.core.shape, np.bool_)
    return TileResult(nothing, nothing, 0, foreground)


def _answer(window: NDArray[np.float32], network: SplitOnOutOfMemory, clock: Stopwatch) -> DenseOutput:
    with network.turn, clock.timing("network"):  # waiting for the lock is not network time
        return network(window)


def read_window(image: Any, window: Box, normalizer: Normalizer) -> NDArray[np.float32]:
    """A normalised window of an image (Y, X, C), padded by reflection beyond the far edges."""
    return normalizer(read_pixels(image, window))


def read_pixels(image: Any, window: Box) -> NDArray:
    """The same, not normalised: that maps pixel by pixel, so its order with padding does not matter."""
    inside = window.clip(image.shape[:2])
    # the reflected pixels may lie before the start of the window
    beyond = [want - have for want, have in zip(window.shape, inside.shape, strict=True)]
    start = [
        max(0, min(a, b - over - 1))
        for a, b, over in zip((inside.y0, inside.x0), (inside.y1, inside.x1), beyond, strict=True)
    ]
    crop = with_channels(np.asarray(image[start[0] : inside.y1, start[1] : inside.x1]))
    if any(beyond):
        crop = np.pad(crop, [(0, beyond[0]), (0, beyond[1]), (0, 0)], mode="reflect")
    return crop[inside.y0 - start[0] :, inside.x0 - start[1] :]


def collect_candidates(
    answer: DenseOutput, tile: Tile, network: Network, threshold: float, shape: tuple[int, int]
) -> StarPolygons:
    """Candidates of a tile's core: polygons at grid points above the probability threshold.

    Parameters
    ----------
    answer : DenseOutput
        The network's output for the tile's window.
    tile : Tile
    network : Network
        Defines the grid, the largest distance and the context along the rays.
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
    probability = answer.probability
    rows, columns = np.nonzero(probability[inside] > threshold)
    at = (rows + inside[0].start, columns + inside[1].start)
    distances = _distances(answer, at, tile, network, shape)
    return StarPolygons(
        np.stack([(rows + place[0].start) * grid[0], (columns + place[1].start) * grid[1]], axis=1),
        distances,
        probability[at],
        None if answer.classes is None else answer.classes[at],
    )


def _distances(
    answer: DenseOutput, at: tuple[NDArray, NDArray], tile: Tile, network: Network, shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Ray distances at grid points of a window, refined by the network's output around them."""
    grid, distances = network.grid, answer.distances[at]
    # the part of the window inside the image
    pixels = [length - start for length, start in zip(shape, (tile.read.y0, tile.read.x0), strict=True)]
    if network.ray_context:
        rows, columns = (
            min(have, -(-n // step)) for have, n, step in zip(answer.probability.shape, pixels, grid, strict=True)
        )
        distances = ray_context.ray_context(answer.distances, *at, grid, network.ray_context, shape=(rows, columns))
        distances = np.minimum(distances, np.float32(network.max_distance))
    foreground = answer.foreground_pixels(grid)
    if foreground is not None:
        rows, columns = (min(have, n) for have, n in zip(foreground.shape, pixels, strict=True))
        centres = (at[0] * grid[0], at[1] * grid[1])
        distances = outline_refinement.refine_outlines(distances, *centres, foreground, shape=(rows, columns))
        distances = np.minimum(distances, np.float32(network.max_distance))
    return distances


def foreground_of(
    answer: DenseOutput, tile: Tile, grid: tuple[int, int], level: float | None
) -> NDArray[np.bool_] | None:
    """Foreground mask of a tile's core: the pixels above a level; None without a level."""
    pixels, core = answer.foreground_pixels(grid), tile.core
    if level is None or pixels is None:
        return None
    y, x = core.y0 - tile.read.y0, core.x0 - tile.read.x0
    return pixels[y : y + core.shape[0], x : x + core.shape[1]] > level


def suppress_within(
    candidates: StarPolygons, tile: Tile, thresholds: Thresholds, max_distance: float, shape: tuple[int, int]
) -> TileResult:
    """Suppress where the tile's own candidates suffice; candidates near its borders stay pending.

    Parameters
    ----------
    candidates : StarPolygons
        All candidates of the tile's core.
    tile, thresholds, max_distance
    shape : (int, int)
        Of the whole image.
    """
    nms = StreamingNMS(thresholds.nms, max_distance, shape, max_candidates=None)
    nms.add(candidates, tile.core)
    return TileResult(nms.decide(), nms.pending, len(candidates))


def halo_for(network: Network) -> tuple[Halo, Halo]:
    """Pixels before and after a tile's core that influence its candidates, along y and x."""
    # reach along the rays, and what the outputs at their ends depend on
    reach = math.ceil(ray_context.REACH) if network.ray_context else 0
    if network.has_foreground:
        reach = max(reach, math.ceil(outline_refinement.REACH))
    y, x = network.footprints
    return y.halo(reach), x.halo(reach)
