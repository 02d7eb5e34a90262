"""Overlay of an image of any size: outlines drawn over the subsampled image."""

from __future__ import annotations

from pathlib import Path

from numpy.typing import NDArray

from ..io.readers.source import Source
from ..io.readers.thumbnail import subsample
from ..io.writers.overlay import write_overlay
from ..io.writers.pyramid import RegionLabels
from ..tiling import Box

#: Largest side of the overlay in pixels. The image is subsampled by a power of two to fit ...
OVERLAY_SIDE = 4096
#: ... this and a limit on its bytes.
OVERLAY_BYTES = 1 << 26


def write_overlay_of(path: Path, source: Source, labels: RegionLabels) -> None:
    """Draw every ``step``-th pixel of image and labels.

    Parameters
    ----------
    path : Path
        PNG file.
    source : Source
        The image.
    labels : RegionLabels
        Label image of the same height and width.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    step = 1
    while max(source.shape[:2]) > OVERLAY_SIDE * step or source.nbytes > OVERLAY_BYTES * step**2:
        step *= 2
    write_overlay(path, subsample(source, step), _Reduced(labels, step), max_side=OVERLAY_SIDE)


class _Reduced:
    """Every ``step``-th pixel of a label image, drawn on demand."""

    def __init__(self, labels: RegionLabels, step: int) -> None:
        self._labels, self._step = labels, step
        self.shape = tuple(-(-length // step) for length in labels.shape)

    def __getitem__(self, key: tuple[slice, slice]) -> NDArray:
        (y0, y1, _), (x0, x1, _) = (part.indices(length) for part, length in zip(key, self.shape, strict=True))
        box = Box(y0 * self._step, x0 * self._step, y1 * self._step, x1 * self._step)
        return self._labels.region(box.clip(self._labels.shape), self._step)
