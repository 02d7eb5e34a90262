"""The compiled kernels of a prediction, loaded before they are needed.

numba and its machine code take a good part of a second to load, as long as the network takes to be loaded and asked for the
first time. Neither needs the other, so both are done at once.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from ..geometry.outline_refinement import refine_outlines
from ..geometry.rasterize import render_labels
from ..geometry.ray_context import ray_context
from ..polygons import StarPolygons
from ..suppression.streaming import StreamingNMS
from ..tiling import Box
from ..timing import Stopwatch


def load_kernels() -> None:
    """Use each kernel of a prediction once, on next to nothing; compiles those that are in no cache."""
    shape, n_rays = (16, 16), 8
    points = np.array([(4, 4), (5, 5), (12, 12)])
    field = np.full((*shape, n_rays), 3.0, np.float32)
    distances = ray_context(field, points[:, 0], points[:, 1], (1, 1), (0.5,))
    distances = refine_outlines(distances, points[:, 0], points[:, 1], np.zeros(shape, np.float32))
    front = StreamingNMS(0.5, 8.0, shape)
    front.add(StarPolygons(points, distances, np.linspace(0.9, 0.6, len(points), dtype=np.float32)), Box(0, 0, *shape))
    render_labels(StarPolygons.concatenate([front.decide(), front.finish()]), shape)


def load_kernels_beside(clock: Stopwatch | None = None) -> Future[None]:
    """The same in a thread of its own, with its time as the stage "kernels"; whoever needs one meanwhile waits for it."""

    def load() -> None:
        with (clock or Stopwatch()).timing("kernels (beside the model)"):
            load_kernels()

    pool = ThreadPoolExecutor(1, "kernels")
    try:
        return pool.submit(load)
    finally:
        pool.shutdown(wait=False)
