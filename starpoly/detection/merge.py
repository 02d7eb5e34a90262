"""Merge tile results: exact suppression across seams, in any tile order."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..errors import ConfigError, warn
from ..labels.mask_growth import ForegroundMask
from ..network.dense_output import Network
from ..polygons import StarPolygons
from ..suppression.streaming import StreamingNMS
from ..tiling import Tile, TilePlan, area, some_of
from .journal import TileJournal
from .receivers import PolygonReceiver
from .tile_result import TileResult
from .tile_work import TileOptions

#: Candidates per megapixel of a tile. Above it, nearly every pixel is a candidate: input or threshold is wrong.
_FLOOD = 200_000
#: Pixels. Smaller tiles are not checked, as objects may fill them.
_SMALL_AREA = 256 * 256


class Merge:
    """Merges tile results and passes decided polygons to a receiver.

    Parameters
    ----------
    network : Network
        Defines number of rays, classes and largest distance.
    plan : TilePlan
        Tiles of the image.
    options : TileOptions
    receiver : PolygonReceiver
        Receives the polygons.
    journal : TileJournal, optional
        Holds results of earlier runs; stores new ones.
    foreground : ForegroundMask, optional
        Filled with the foreground of each tile before its polygons are passed on.

    Raises
    ------
    ConfigError
        If foreground is requested and the network does not predict it.
    """

    def __init__(
        self,
        network: Network,
        plan: TilePlan,
        options: TileOptions,
        receiver: PolygonReceiver,
        *,
        journal: TileJournal | None = None,
        foreground: ForegroundMask | None = None,
    ) -> None:
        if foreground is not None:
            if not network.has_foreground:
                raise ConfigError(
                    "masks: expected a network that predicts the foreground, got one that does not, or was told not to; "
                    "leave --expand-into-foreground out"
                )
            foreground.begin(plan.shape)
        self._plan, self._region, self._receiver = plan, options.region, receiver
        self._journal, self._foreground = journal, foreground
        self._nothing = StarPolygons.empty(network.n_rays, network.n_classes)
        self._nms = StreamingNMS(options.thresholds.nms, network.max_distance, plan.shape, max_candidates=None)
        self.n_candidates = self.n_kept = self.n_skipped = 0
        self.seconds: dict[str, float] = {}
        self._flooded = False

    def tiles_to_do(self) -> Sequence[Tile]:
        """Tiles left to compute, in plan order. Tiles from the journal or outside the region are merged here."""
        return some_of(self._plan.tiles, lambda tile: not self._merge_known(tile))

    def _merge_known(self, tile: Tile) -> bool:
        """Merge what is known of a tile; False if it is to be computed."""
        if self._region is not None and not self._region.overlaps(tile.core):
            self._merge(tile, TileResult(self._nothing, self._nothing, 0))
            self.n_skipped += 1
            return True
        done = None if self._journal is None else self._journal.load(tile.index)
        if done is None or not self._has_foreground(done, tile):
            return False
        self._merge(tile, done)
        return True

    def _has_foreground(self, done: TileResult, tile: Tile) -> bool:
        """Whether a tile's result has the requested foreground."""
        return self._foreground is None or (done.foreground is not None and done.foreground.shape == tile.core.shape)

    def add(self, tile: Tile, result: TileResult) -> None:
        """Merge the result of a computed tile."""
        self._warn_of_flood(result.n_candidates, tile)
        if self._journal is not None:
            self._journal.store(tile.index, result)
        for stage, seconds in result.seconds.items():
            self._count(stage, seconds)
        self._merge(tile, result)

    def finish(self) -> StarPolygons:
        """All polygons, once every tile is merged."""
        self._receiver.add(self._nms.finish(), math.inf, math.inf)
        return self._receiver.polygons()

    def _count(self, stage: str, seconds: float) -> None:
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    def _merge(self, tile: Tile, result: TileResult) -> None:
        if self._foreground is not None and result.foreground is not None:
            self._foreground.put(tile.core, result.foreground)
        self._nms.add(result.pending, tile.core)
        decided = self._nms.decide()
        self._receiver.add(StarPolygons.concatenate([result.kept, decided]), *self._nms.decided_above)
        self.n_kept += len(result.kept) + len(decided)
        self.n_candidates += result.n_candidates

    def _warn_of_flood(self, n: int, tile: Tile) -> None:
        megapixels = max(area(tile.core), _SMALL_AREA) / 1e6
        if self._flooded or n <= _FLOOD * megapixels:
            return
        self._flooded = True
        warn(
            f"{n} candidates in the region from {tile.core.y0, tile.core.x0} to {tile.core.y1, tile.core.x1}, more than "
            f"{_FLOOD} per megapixel: nearly every pixel looks like an object; check the normalisation and the "
            "probability threshold"
        )
