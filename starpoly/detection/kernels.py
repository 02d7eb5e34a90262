"""Warm-up of the compiled kernels.

Loading numba and its machine code takes most of a second, about as long as loading the network and its first call. Both
run concurrently.
"""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from ..geometry.outline_refinement import refine_outlines
from ..geometry.rasterize import render_labels
from ..geometry.ray_context import ray_context
from ..polygons import StarPolygons
from ..suppression.streaming import StreamingNMS
from ..tiling import Box
from ..timing import Stopwatch

log = logging.getLogger(__name__)


def load_kernels() -> None:
    """Call each kernel once on tiny input; compile kernels missing from the cache, which is logged as soon as the first was."""
    from ..geometry._kernels import was_compiled
    from ..geometry._kernels_ray_context import average_along_rays

    shape, n_rays = (16, 16), 8
    points = np.array([(4, 4), (5, 5), (12, 12)])
    field = np.full((*shape, n_rays), 3.0, np.float32)
    distances = ray_context(field, points[:, 0], points[:, 1], (1, 1), (0.5,))
    if was_compiled(average_along_rays):
        # another thread's news, whichever image is at hand
        text = "kernels are compiled; the first run of an installation takes some seconds more"
        log.info(text, extra={"of_run": True})
    distances = refine_outlines(distances, points[:, 0], points[:, 1], np.zeros(shape, np.float32))
    front = StreamingNMS(0.5, 8.0, shape)
    front.add(StarPolygons(points, distances, np.linspace(0.9, 0.6, len(points), dtype=np.float32)), Box(0, 0, *shape))
    render_labels(StarPolygons.concatenate([front.decide(), front.finish()]), shape)


def load_kernels_beside(clock: Stopwatch | None = None) -> Future[None]:
    """Warm up in a background thread, timed as stage "kernels". A concurrent kernel call waits for the load."""

    def load() -> None:
        with (clock or Stopwatch()).timing("kernels (beside the model)"):
            load_kernels()

    pool = ThreadPoolExecutor(1, "kernels")
    try:
        return pool.submit(load)
    finally:
        pool.shutdown(wait=False)
