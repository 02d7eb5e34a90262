"""What the tests of the sinks share: a small slide, and disks that fill up."""

from __future__ import annotations

import errno
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from starpoly.labels.lazy import LazyLabels
from starpoly.polygons import StarPolygons
from starpoly.tiling import Box

SHAPE = (70, 90)


def cells(n: int = 40, n_rays: int = 16, *, with_classes: bool = False) -> StarPolygons:
    """Polygons in an image of ``SHAPE``, sorted by score; some cut by the border, one without extent, one with a gap."""
    rng = np.random.default_rng(5)
    points = np.rint(rng.uniform(0, 1, (n, 2)) * (SHAPE[0] - 1, SHAPE[1] - 1))
    distances = rng.uniform(2, 9, (n, 1)) * rng.uniform(0.6, 1.2, (n, n_rays))
    distances[1] = 0
    distances[2, ::3] = 0
    classes = rng.uniform(0, 1, (n, 4)) if with_classes else None
    polygons = StarPolygons(points, distances, rng.uniform(0.3, 1, n), classes)
    return polygons.take(polygons.score_order())


def slide() -> LazyLabels:
    """A label image of them."""
    return LazyLabels(cells(), SHAPE)


class ArrayLabels:
    """A label image in memory, which remembers the shapes of the regions that were asked for."""

    def __init__(self, labels: np.ndarray) -> None:
        self._labels = labels
        self.shape, self.dtype = labels.shape, labels.dtype
        self.asked: list[tuple[int, int]] = []

    def region(self, box: Box, step: int = 1) -> np.ndarray:
        region = self._labels[box.slices][::step, ::step]
        self.asked.append(region.shape)
        return region


class FullDisk:
    """A label image after some regions of which the disk is full."""

    def __init__(self, labels: LazyLabels, after: int) -> None:
        self._labels, self._left = labels, after
        self.shape, self.dtype = labels.shape, labels.dtype

    def region(self, box: Box, step: int = 1) -> np.ndarray:
        if not self._left:
            raise OSError(errno.ENOSPC, "No space left on device")
        self._left -= 1
        return self._labels.region(box, step)


@contextmanager
def file_size_limit(n_bytes: int) -> Iterator[None]:
    """The system refuses to let any file of this process grow beyond ``n_bytes``."""
    resource = pytest.importorskip("resource", reason="limits of file sizes are POSIX")
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)
