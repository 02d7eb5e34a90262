"""Result of a tile: decided and pending polygons."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..polygons import StarPolygons


@dataclass(frozen=True)
class TileResult:
    """Result of a tile.

    ``kept`` is decided; ``pending`` may still conflict with candidates of other tiles. ``n_candidates`` counts both and
    those that were suppressed. ``foreground`` (bool, the core's pixels) is where the network sees objects, if asked for.
    ``seconds`` is the time spent per stage.
    """

    kept: StarPolygons
    pending: StarPolygons
    n_candidates: int
    foreground: NDArray[np.bool_] | None = None
    seconds: dict[str, float] = field(default_factory=dict, compare=False)
