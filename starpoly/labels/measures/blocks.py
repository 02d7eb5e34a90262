"""Measure many objects of an image of any size: block by block, each object from its own surroundings.

Every object is measured from the pixels of a window that holds it whole. So its row depends on nothing else: not on the blocks,
nor on the objects measured beside it. Memory: a window, and the columns. Windows are drawn here, and may be measured elsewhere.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...io.readers.source import Source
from ...tiling import Box, area
from .columns import channel_labels
from .registry import MEASURES, needs_image
from .window import Window

_BLOCK_VALUES = 1 << 22
"""Pixels times channels of a block, about: 32 MB in float64."""
_SIDES = (256, 1024)
"""Smallest and largest side of a block in pixels: the margins of small ones cost time, large ones memory."""
_LARGEST_WINDOW = 4
"""Windows of more blocks' pixels hold one object only."""


@dataclass(frozen=True)
class LabelImage:
    """One label image of the objects: such as nuclei, or the cells around them with the same ids.

    Attributes
    ----------
    region : callable
        The labels in a box of the image, as integers from 0 up to 2**32 - 1.
    prefix : str
        What the names of its columns begin with.
    measures : tuple of str
        Groups of columns.
    reach : int
        Pixels that its objects may have beyond their given boxes.
    """

    region: Callable[[Box], NDArray]
    measures: tuple[str, ...]
    prefix: str = ""
    reach: int = 0

    @property
    def margin(self) -> int:
        """Pixels around the given boxes that are looked at."""
        return self.reach + max((MEASURES[name].margin for name in self.measures), default=0)


@dataclass(frozen=True, eq=False)
class Drawn:
    """A window as it is drawn in each label image; small when pickled.

    Attributes
    ----------
    box : Box
        Where it lies in the image.
    ids : (n,) uint32
        The objects to measure.
    labels : sequence of (Y, X) uint32
    boxes : sequence of (n, 4) int64
        Boxes of the objects in pixels of the window.
    """

    box: Box
    ids: NDArray[np.uint32]
    labels: Sequence[NDArray[np.uint32]]
    boxes: Sequence[NDArray[np.int64]]

    def __reduce__(self) -> tuple[Any, ...]:
        packed = [zlib.compress(labels.tobytes(), 1) for labels in self.labels]
        return _unpacked, (self.box, self.ids, packed, self.boxes)


def _unpacked(box: Box, ids: NDArray, packed: Sequence[bytes], boxes: Sequence[NDArray]) -> Drawn:
    return Drawn(
        box,
        ids,
        [np.frombuffer(bytearray(zlib.decompress(one)), np.uint32).reshape(box.shape) for one in packed],
        boxes,
    )


@dataclass(frozen=True, eq=False)
class WindowMeasurer:
    """Measures a window of an image, whose pixels it reads.

    Attributes
    ----------
    groups : sequence of (str, tuple of str)
        Of each label image: what the names of its columns begin with, and the groups of columns.
    shape : (int, int)
        Height and width of the image in pixels.
    source : Source or None
        Its intensities.
    channels : sequence of str
        What the columns of each channel end with.
    pixel_size : (float, float) or None
        Micrometres per pixel (y, x).
    """

    groups: Sequence[tuple[str, tuple[str, ...]]]
    shape: tuple[int, int]
    source: Source | None
    channels: Sequence[str]
    pixel_size: tuple[float, float] | None

    def __call__(self, drawn: Drawn) -> dict[str, NDArray]:
        """The columns of the window's objects."""
        pixels = self._read(drawn.box)
        columns: dict[str, NDArray] = {}
        for (prefix, groups), labels, boxes in zip(self.groups, drawn.labels, drawn.boxes, strict=True):
            window = Window(drawn.box, labels, drawn.ids, boxes, self.shape, pixels, self.channels, self.pixel_size)
            columns |= {
                f"{prefix}{name}": column
                for group in groups
                for name, column in MEASURES[group].measure(window).items()
            }
        return columns

    def _read(self, box: Box) -> NDArray[np.float64]:
        if self.source is None:
            return np.empty((0, *box.shape))
        return np.ascontiguousarray(np.moveaxis(self.source[box.slices], 2, 0), np.float64)


class BlockMeasurer:
    """Measure objects of one image.

    Parameters
    ----------
    images : sequence of LabelImage
        Label images that share ids.
    shape : (int, int)
        Height and width of the image in pixels.
    source : Source, optional
        Its intensities; without it intensities are left out.
    channel_names : sequence of str
        Of the source's channels.
    pixel_size : (float, float), optional
        Micrometres per pixel (y, x).
    run : callable
        Measures windows: ``run(work, windows)`` gives ``work(window)`` for each, as ``map`` does, perhaps elsewhere.
    """

    def __init__(
        self,
        images: Sequence[LabelImage],
        shape: tuple[int, int],
        source: Source | None = None,
        *,
        channel_names: Sequence[str] = (),
        pixel_size: tuple[float, float] | None = None,
        run: Callable[..., Any] = map,
    ) -> None:
        self._images, self._shape, self._run = images, (int(shape[0]), int(shape[1])), run
        source = source if any(needs_image(image.measures) for image in images) else None
        n_channels = 0 if source is None else source.shape[2]
        groups = [(image.prefix, image.measures) for image in images]
        channels = channel_labels(channel_names, n_channels)
        self._work = WindowMeasurer(groups, self._shape, source, channels, pixel_size)
        self._side = int(np.clip((_BLOCK_VALUES / max(1, n_channels)) ** 0.5, *_SIDES))
        self._margin = max((image.margin for image in images), default=0)

    def measure(self, ids: NDArray, boxes: NDArray[np.int64]) -> dict[str, NDArray]:
        """Measure some objects.

        Parameters
        ----------
        ids : (n,) integers
        boxes : (n, 4) int64
            Half-open boxes ``(y0, x0, y1, x1)`` that hold all pixels of each object, but for the ``reach`` of an image.

        Returns
        -------
        dict of str to (n,) array
        """
        columns: dict[str, NDArray] = {}
        blocks = list(self._blocks(boxes))
        windows = (self._drawn(ids[rows], boxes[rows]) for rows in blocks)
        for rows, measured in zip(blocks, self._run(self._work, windows), strict=True):
            for name, values in measured.items():
                if name not in columns:
                    columns[name] = np.empty(len(ids), values.dtype)
                columns[name][rows] = values
        return columns

    def _blocks(self, boxes: NDArray[np.int64]) -> Iterator[NDArray[np.intp]]:
        """Rows of objects that are near each other; once no rows if there are none."""
        cells = (boxes[:, :2] + boxes[:, 2:]) // (2 * self._side)
        order = np.lexsort((cells[:, 1], cells[:, 0]))
        changes = np.flatnonzero((np.diff(cells[order], axis=0) != 0).any(axis=1)) + 1
        for rows in np.split(order, changes):
            yield from self._small_enough(rows, boxes)

    def _small_enough(self, rows: NDArray[np.intp], boxes: NDArray[np.int64]) -> Iterator[NDArray[np.intp]]:
        if len(rows) < 2 or area(self._window(boxes[rows])) <= _LARGEST_WINDOW * self._side**2:
            yield rows
            return
        # those with the largest boxes on their own: one giant object must not make the others' window large
        order = rows[np.argsort((boxes[rows, 2:] - boxes[rows, :2]).max(axis=1), kind="stable")]
        for half in np.array_split(order, 2):
            yield from self._small_enough(half, boxes)

    def _window(self, boxes: NDArray[np.int64]) -> Box:
        if not len(boxes):
            return Box(0, 0, 0, 0)
        low, high = boxes[:, :2].min(axis=0) - self._margin, boxes[:, 2:].max(axis=0) + self._margin
        return Box(int(low[0]), int(low[1]), int(high[0]), int(high[1])).clip(self._shape)

    def _drawn(self, ids: NDArray, boxes: NDArray[np.int64]) -> Drawn:
        box = self._window(boxes)
        labels = [np.ascontiguousarray(image.region(box), np.uint32) for image in self._images]
        inside = [self._inside(box, boxes, image.reach) for image in self._images]
        return Drawn(box, np.ascontiguousarray(ids, np.uint32), labels, inside)

    def _inside(self, box: Box, boxes: NDArray[np.int64], reach: int) -> NDArray[np.int64]:
        """Boxes wider by ``reach``, inside the image and in pixels of a window."""
        low, high = np.maximum(boxes[:, :2] - reach, 0), np.minimum(boxes[:, 2:] + reach, self._shape)
        return np.concatenate([low - (box.y0, box.x0), high - (box.y0, box.x0)], axis=1)
