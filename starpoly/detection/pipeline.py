"""The pipeline from image to polygons: tiles, network, candidates, suppression.

The network is a callable, so the pipeline runs and is tested without Keras. An executor runs
:func:`~starpoly.detection.tile_work.process_tile`. Results do not depend on the executor or on tile order: suppression
is exact for any order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tqdm import tqdm

from ..config import Thresholds
from ..images.normalization import Normalizer
from ..io.console import progress_bar
from ..labels.mask_growth import ForegroundMask
from ..network.dense_output import DenseOutput, Network
from ..parallel import n_threads
from ..polygons import StarPolygons
from ..tiling import Tile, TilePlan, area, core_on_grid, plan_tiles
from ..timing import Stopwatch
from .executors import ClusterExecutor, Executor, SerialExecutor, map_groups, map_tiles, threads
from .journal import TileJournal
from .merge import Merge
from .out_of_memory import SplitOnOutOfMemory
from .receivers import PolygonList, PolygonReceiver
from .tile_work import Region, TileOptions, answer_tile, halo_for, process_tile

#: Threads besides the readers: one for the network, one for geometry.
_BESIDE_READERS = 2


@dataclass
class Detection:
    """Polygons of an image, with details of their detection.

    Parameters
    ----------
    polygons : StarPolygons
        In the order of ids: y, then x ascending.
    n_candidates : int
        Candidates that competed in non-maximum suppression.
    n_tiles : int
    seconds : dict of str to float
        Time per stage. Stages overlap, so the sum may exceed the elapsed time.
    n_skipped : int
        Tiles outside the requested region.
    normalizer : Normalizer
    window, halo : (int, int)
        Window and halo of a tile, (y, x) in pixels of the rescaled image. Of the halo, the wider side.
    scale : float
    look : dict of JSON types
        How model, channels and scale were chosen, with the runners-up.
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
    look: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return (
            f"Detection({len(self.polygons)} objects, {self.n_candidates} candidates, {self.n_tiles} tiles of "
            f"{self.window[0]} x {self.window[1]} px, scale {self.scale:.3g})"
        )


def plan_for(network: Network, shape: tuple[int, int], tile_size: int | None = None) -> TilePlan:
    """The tile grid of ``network`` for an image of ``shape``."""
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
    receiver: PolygonReceiver | None = None,
    foreground: ForegroundMask | None = None,
    executor: Executor | None = None,
) -> Detection:
    """Detect all objects of an image.

    The result is greedy non-maximum suppression over all candidates of the whole image, in score order. It does not
    depend on tiling.

    Parameters
    ----------
    image : array-like (Y, X, C)
        Anything with ``shape`` and slicing; read tile by tile.
    network : Network
    normalizer : Normalizer
        Normaliser of the whole image.
    thresholds : Thresholds
    tile_size : int, optional
        Side of a network window in pixels.
    region : Region, optional
        Candidates outside are dropped, and tiles outside are not read.
    readers : int
        Threads for reading the image.
    progress : bool
        Show a progress bar on a terminal.
    journal : TileJournal, optional
        Stores the result of each tile. Stored tiles are not computed again.
    receiver : PolygonReceiver, optional
        Receives polygons as soon as suppression decides them.
    foreground : ForegroundMask, optional
        Filled with the foreground of each tile before its polygons are passed on.
    executor : Executor, optional
        Runs the tiles. Default: threads, which overlap reading and geometry with the network.

    Returns
    -------
    Detection
        Polygons in the order of ids, in pixels of ``image``, or as the receiver returns them.

    Raises
    ------
    ConfigError
        If foreground is requested and the network does not predict it.
    StarpolyError
        If even the smallest window exceeds the device's memory.
    """
    plan = plan_for(network, (int(image.shape[0]), int(image.shape[1])), tile_size)
    level = None if foreground is None else foreground.level
    options = TileOptions(thresholds, region, level, suppress=journal is not None or executor is not None)
    merge = Merge(
        network, plan, options, PolygonList() if receiver is None else receiver, journal=journal, foreground=foreground
    )
    missing, clock = merge.tiles_to_do(), Stopwatch()
    work = partial(
        process_tile, source=image, network=SplitOnOutOfMemory(network), normalizer=normalizer, options=options
    )
    with _bar(plan, missing, shown=progress) as bar:
        for tile, result in _run(work, missing, readers, executor):
            with clock.timing("geometry"):
                merge.add(tile, result)
            bar.set_postfix_str(f"{merge.n_kept} objects", refresh=False)
            bar.update(area(tile.core) / 1e6)
    with clock.timing("geometry"):
        polygons = merge.finish()
    seconds = {
        stage: merge.seconds.get(stage, 0.0) + clock.seconds.get(stage, 0.0) for stage in merge.seconds | clock.seconds
    }
    return Detection(
        polygons,
        merge.n_candidates,
        len(plan),
        seconds,
        merge.n_skipped,
        normalizer,
        plan.window,
        plan.halo,
    )


def _run(work: Any, tiles: Sequence[Tile], readers: int, executor: Executor | None) -> Iterator[tuple[Tile, Any]]:
    """Run ``work`` on each tile, in order, with the executor or a thread pool; in this thread if it is to be the only one."""
    n = readers + _BESIDE_READERS
    if executor is None and readers <= 1 and n_threads() == 1:
        executor, n = SerialExecutor(), 1
    if isinstance(executor, ClusterExecutor):
        yield from map_groups(executor, work, tiles)
        return
    if executor is not None:
        yield from map_tiles(executor, work, tiles, in_flight=n)
        return
    with threads(n) as pool:
        yield from map_tiles(pool, work, tiles, in_flight=n)


def predict_map(image: Any, network: Network, normalizer: Normalizer, *, tile_size: int | None = None) -> DenseOutput:
    """The network's output on the grid of the whole image, assembled from tiles.

    Parameters
    ----------
    image, network, normalizer, tile_size
        As for :func:`detect`.
    """
    shape = (int(image.shape[0]), int(image.shape[1]))
    whole = DenseOutput.empty(shape, network)
    work = partial(answer_tile, source=image, network=SplitOnOutOfMemory(network), normalizer=normalizer)
    for tile, answer in _run(work, plan_for(network, shape, tile_size).tiles, 0, None):
        whole.put(answer, *core_on_grid(tile, network.grid))
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
    plan = plan_for(network, (int(image.shape[0]), int(image.shape[1])), tile_size)
    options = TileOptions(Thresholds(threshold))
    work = partial(
        process_tile, source=image, network=SplitOnOutOfMemory(network), normalizer=normalizer, options=options
    )
    found = [result.pending for _, result in _run(work, plan.tiles, 1, None)]
    return StarPolygons.concatenate(found)


def _bar(plan: TilePlan, missing: Sequence[Tile], *, shown: bool) -> tqdm:
    """A progress bar in megapixels, with rate and remaining time."""
    height, width = plan.shape
    total = height * width / 1e6
    return progress_bar(
        total=total,
        initial=max(0.0, total - sum(area(tile.core) for tile in missing) / 1e6),
        unit="MP",
        desc=f"{len(plan)} tiles",
        bar_format="{l_bar}{bar}| {n:.1f}/{total:.1f} MP [{elapsed}<{remaining}, {rate_noinv_fmt}{postfix}]",
        leave=False,
        shown=shown,
    )
