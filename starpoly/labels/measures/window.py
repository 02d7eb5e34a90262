"""The part of an image in which some objects are measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...geometry.object_shape import Shapes, object_shapes
from ...tiling import Box


@dataclass(frozen=True, eq=False)
class Window:
    """Labels and pixels around some objects.

    Attributes
    ----------
    box : Box
        Where the window lies in the image.
    labels : (Y, X) uint32
    ids : (n,) uint32
        The objects to measure.
    boxes : (n, 4) int64
        Half-open boxes ``(y0, x0, y1, x1)`` in pixels of the window, that hold all pixels of each.
    image_shape : (int, int)
        Height and width of the whole image in pixels.
    pixels : (C, Y, X) float64
        Intensities; no channels without an image.
    channels : sequence of str
        What the columns of each channel end with.
    pixel_size : (float, float) or None
        Micrometres per pixel (y, x).
    """

    box: Box
    labels: NDArray[np.uint32]
    ids: NDArray[np.uint32]
    boxes: NDArray[np.int64]
    image_shape: tuple[int, int]
    pixels: NDArray[np.float64]
    channels: Sequence[str] = ()
    pixel_size: tuple[float, float] | None = None

    @cached_property
    def shapes(self) -> Shapes:
        """Shape of the objects, in pixels of the image."""
        corner, spacing = (self.box.y0, self.box.x0), self.pixel_size or (1.0, 1.0)
        return object_shapes(self.labels, self.ids, self.boxes, corner=corner, spacing=spacing)
