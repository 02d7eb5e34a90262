"""Work for the workers of a cluster that costs next to nothing: a picture that is computed, a network that is painted."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from starpoly.config import ModelSpec, NetworkConfig, Thresholds
from starpoly.detection import Detector
from starpoly.io import Source
from starpoly.network import DenseOutput
from starpoly.network.footprint import Footprint
from starpoly.tiling import Box

N_RAYS = 8
#: Pixels from one object to the next: few objects, so that tiles are what costs.
_STEP = 300


class Squares(Source):
    """A square image of bright squares on a dark ground; nothing of it is stored."""

    def __init__(self, side: int) -> None:
        super().__init__("squares", (side, side, 1), np.uint8, block=(64, 64))

    def made_by(self) -> tuple[Callable[..., Source], tuple[Any, ...]]:
        """Its side."""
        return Squares, (self.shape[0],)

    def read(self, box: Box, channels: Sequence[int]) -> NDArray:
        """The pixels of a box."""
        rows, columns = (np.arange(start, stop) % _STEP < 6 for start, stop in ((box.y0, box.y1), (box.x0, box.x1)))
        return np.where(rows[:, None] & columns, 200, 10).astype(np.uint8)[..., None]


class Bright:
    """A network for which whatever is bright is an object; takes a given time for a window."""

    stride, grid, footprints = (4, 4), (1, 1), (Footprint.of_radius(6, 4, 1),) * 2
    max_distance, n_rays, n_classes, n_channels = 10.0, N_RAYS, 0, 1
    ray_context: tuple[float, ...] = ()
    has_foreground, tile_size, precision, engine = False, 64, "float32", "tensorflow"

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds

    def __call__(self, batch: NDArray[np.float32]) -> DenseOutput:
        """Brightness as probability, and one distance for all rays."""
        if self._seconds:
            time.sleep(self._seconds)
        distances = np.full((*batch.shape[:3], self.n_rays), 2.5, np.float32)
        return DenseOutput(probability=batch.max(axis=-1), distances=distances)


class BrightDetector(Detector):
    """A detector with that network."""

    def __init__(self, seconds: float = 0.0) -> None:
        network = NetworkConfig(n_channels=1, n_rays=N_RAYS, grid=(1, 1), depth=2)
        spec = ModelSpec("bright", network, max_distance=10.0, thresholds=Thresholds(0.6, 0.4))
        super().__init__(spec, Bright(seconds))  # type: ignore[arg-type]

    def fingerprint(self) -> str:
        """A name for journals."""
        return "bright"


def load_bright(folder: Path) -> BrightDetector:
    """That detector, whatever is in the folder."""
    return BrightDetector()
