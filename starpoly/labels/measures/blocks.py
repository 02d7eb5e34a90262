"""Measure many objects of an image of any size: block by block, each object from its own surroundings.

Every object is measured from the pixels of a window that holds it whole. So its row depends on nothing else: not on the blocks,
nor on the objects measured beside it. Memory: a window, and the columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
    """

    def __init__(
        self,
        images: Sequence[LabelImage],
        shape: tuple[int, int],
        source: Source | None = None,
        *,
        channel_names: Sequence[str] = (),
        pixel_size: tuple[float, float] | None = None,
    ) -> None:
        self._images, self._shape, self._pixel_size = images, (int(shape[0]), int(shape[1])), pixel_size
        self._source = source if any(needs_image(image.measures) for image in images) else None
        n_channels = 0 if self._source is None else self._source.shape[2]
        self._channels = channel_labels(channel_names, n_channels)
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
        for rows in self._blocks(boxes):
            for name, values in self._measure_window(ids[rows], boxes[rows]).items():
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

    def _measure_window(self, ids: NDArray, boxes: NDArray[np.int64]) -> dict[str, NDArray]:
        box = self._window(boxes)
        pixels = self._read(box)
        columns: dict[str, NDArray] = {}
        for image in self._images:
            window = Window(
                box,
                np.ascontiguousarray(image.region(box), np.uint32),
                np.ascontiguousarray(ids, np.uint32),
                self._inside(box, boxes, image.reach),
                self._shape,
                pixels,
                self._channels,
                self._pixel_size,
            )
            columns |= _columns(window, image)
        return columns

    def _inside(self, box: Box, boxes: NDArray[np.int64], reach: int) -> NDArray[np.int64]:
        """Boxes wider by ``reach``, inside the image and in pixels of a window."""
        low, high = np.maximum(boxes[:, :2] - reach, 0), np.minimum(boxes[:, 2:] + reach, self._shape)
        return np.concatenate([low - (box.y0, box.x0), high - (box.y0, box.x0)], axis=1)

    def _read(self, box: Box) -> NDArray[np.float64]:
        if self._source is None:
            return np.empty((0, *box.shape))
        return np.ascontiguousarray(np.moveaxis(self._source[box.slices], 2, 0), np.float64)


def _columns(window: Window, image: LabelImage) -> Mapping[str, Any]:
    return {
        f"{image.prefix}{name}": column
        for group in image.measures
        for name, column in MEASURES[group].measure(window).items()
    }
