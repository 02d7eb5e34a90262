"""Label maps from the masks of training images: parts of them, or single objects pasted anew."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from ....geometry.painting import paste_mask, split_pieces
from ...augment import View, cut_patch
from ...data import TrainingData
from ..draws import chance, log_uniform, pick
from .outlines import angles_at, number_for, scatter

_TRIES = 6
_DONORS = 3
#: Pixels of a mask per pixel: masks are enlarged no further.
_LEAST_STEP = 0.4


class RealMasks:
    """A shape that makes label maps of the objects in training images.

    Parameters
    ----------
    data : TrainingData
        Read when needed, through its cache.
    """

    def __init__(self, data: TrainingData) -> None:
        self._data = data
        self._boxes: dict[int, tuple[list, float]] = {}

    def __call__(self, rng: Generator, size: tuple[int, int], diameter: float) -> NDArray[np.int32]:
        """Labels (Y, X) of a part of one image, or of pasted objects; objects about as large as ``diameter``."""
        for _ in range(_TRIES):
            index = int(rng.integers(len(self._data)))
            labels = self._data[index].labels
            boxes, median = self._objects(index, labels)
            if boxes:
                break
        else:
            return np.zeros(size, np.int32)
        if chance(rng, 0.5):
            return _part(rng, labels, size, float(np.clip(diameter / median, 0.4, 1.6)))
        return self._pasted(rng, [index, *rng.integers(len(self._data), size=_DONORS - 1)], size, diameter)

    def _objects(self, index: int, labels: NDArray[np.int32]) -> tuple[list, float]:
        """Boxes of the objects of an image with their labels, and their median diameter."""
        if index not in self._boxes:
            found = ndimage.find_objects(np.maximum(labels, 0))
            boxes = [(label, box) for label, box in enumerate(found, start=1) if box is not None]
            areas = np.bincount(np.maximum(labels, 0).reshape(-1))[1:]
            median = float(np.sqrt(4 / np.pi * np.median(areas[areas > 0]))) if boxes else 0.0
            self._boxes[index] = boxes, median
        return self._boxes[index]

    def _pasted(self, rng: Generator, indices: list[int], size: tuple[int, int], diameter: float) -> NDArray[np.int32]:
        out = np.zeros(size, np.int32)
        n = number_for(log_uniform(rng, 0.05, 1.5), size, diameter, 200)
        at = scatter(rng, n, size, diameter)
        angles = angles_at(rng, at, size)
        apart = chance(rng, 0.4)
        donors = [(self._data[int(k)].labels, *self._objects(int(k), self._data[int(k)].labels)) for k in indices]
        for value in range(n):
            labels, boxes, median = pick(rng, donors)
            if not boxes:
                continue
            label, box = pick(rng, boxes)
            step = max(median / diameter, _LEAST_STEP) * np.exp(rng.normal(0, 0.1))
            c, s = step * np.cos(angles[value]), step * np.sin(angles[value])
            paste_mask(
                out, labels[box] == label, at[value], np.array([[c, -s], [s, c]]), value + 1,
                most_shared=0 if apart else 0.15, gap=1 if apart else 0,
            )  # fmt: skip
        return out


def _part(rng: Generator, labels: NDArray[np.int32], size: tuple[int, int], scale: float) -> NDArray[np.int32]:
    theta = rng.uniform(0, 2 * np.pi)
    matrix = np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]]) / scale
    centre = rng.random(2) * labels.shape
    nothing = np.empty((*labels.shape, 0), np.float32)
    view = View(matrix, flip=chance(rng, 0.5))
    found = np.maximum(cut_patch(nothing, labels, (centre[0], centre[1]), size, view)[1], 0)
    split_pieces(found)  # mirrored beyond the border
    return found
