"""Test-time augmentation: a network asked about a window and its mirror images, and what it says averaged.

The answers are on a grid, so a mirror image has to have its grid on the same pixels: it is shifted by a cell less one pixel. What a
pixel is told thus depends on the pixels around it alone, as without: the answer does not depend on the tiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..config import TTA
from ..errors import ConfigError
from ..network.dense_output import DenseOutput, Network
from ..network.grid_cells import to_cells


@dataclass(frozen=True)
class Symmetry:
    """A symmetry of the square: rows and columns exchanged, or not; then mirrored along y, x, or not."""

    transposed: bool = False
    flipped_y: bool = False
    flipped_x: bool = False

    def of_image(self, batch: NDArray, grid: tuple[int, int]) -> NDArray:
        """Windows (batch, y, x, C) as they look so; mirrored ones with their grid where it was."""
        if self.transposed:
            batch = batch.swapaxes(1, 2)
        for axis in self._flipped_axes():
            batch = np.take(batch, _mirrored(batch.shape[axis], grid[axis - 1]), axis=axis)
        return np.ascontiguousarray(batch)

    def of_answer(self, values: NDArray) -> NDArray:
        """An answer (batch, h, w, ...) for windows that look so, where it belongs in the windows as they are."""
        for axis in self._flipped_axes():
            values = np.flip(values, axis)
        return values.swapaxes(1, 2) if self.transposed else values

    def rays(self, n_rays: int) -> NDArray[np.intp]:
        """Which ray of the answer is each ray of the windows as they are."""
        k = np.arange(n_rays)
        if self.transposed:  # phi becomes pi / 2 - phi
            k = n_rays // 4 - k
        if self.flipped_x:  # ... pi - phi
            k = n_rays // 2 - k
        if self.flipped_y:  # ... -phi
            k = -k
        return k % n_rays

    def _flipped_axes(self) -> list[int]:
        return [axis for axis, flipped in ((1, self.flipped_y), (2, self.flipped_x)) if flipped]


def _mirrored(length: int, step: int) -> NDArray[np.intp]:
    """Where each pixel of a mirrored axis comes from, if grid points (multiples of ``step``) are to fall on grid points.

    The last pixels of the axis are not seen, and as many reflected ones take their place at the other end.
    """
    return np.abs(length - step - np.arange(length))


def symmetries(tta: str, network: Network) -> list[Symmetry]:
    """The symmetries that are meant, first the windows as they are.

    Raises
    ------
    ConfigError
        If there is no such choice, or the network has no such symmetries.
    """
    if tta not in TTA:
        raise ConfigError(f"tta: expected one of {', '.join(TTA)}, got {tta!r}")
    exchange = (False, True) if tta == "all" else (False,)
    flips = (False, True) if tta != "none" else (False,)
    quarter = 4 if tta == "all" else 2 if tta == "flips" else 1
    if network.n_rays % quarter:
        raise ConfigError(
            f"tta: expected a model whose number of rays is a multiple of {quarter}, got {network.n_rays}; leave it out"
        )
    if tta == "all" and (network.grid[0] != network.grid[1] or network.stride[0] != network.stride[1]):
        raise ConfigError(f"tta: expected a model with the same grid along y and x, got {network.grid}; use 'flips'")
    return [Symmetry(*which) for which in product(exchange, flips, flips)]


class Averaged:
    """A network that is asked several times and answers with the mean; itself a :class:`~starpoly.network.dense_output.Network`.

    Parameters
    ----------
    network : Network
    tta : {"none", "flips", "all"}
        1, 4 or 8 looks.

    Raises
    ------
    ConfigError
        See :func:`symmetries`.
    """

    def __init__(self, network: Network, tta: str) -> None:
        self._network, self._symmetries = network, symmetries(tta, network)
        self.stride, self.grid, self.max_distance = network.stride, network.grid, network.max_distance
        self.n_rays, self.n_classes, self.tile_size = network.n_rays, network.n_classes, network.tile_size
        self.ray_context, self.has_foreground = network.ray_context, network.has_foreground
        widest = max(network.halo)
        self.halo = (widest, widest) if tta == "all" else network.halo

    def __call__(self, batch: NDArray[np.float32]) -> DenseOutput:
        """Windows (batch, y, x, C) to the mean of the answers."""
        total = _Sums(batch.shape[:3], self.grid)
        for symmetry, answer in self._answers(batch):
            total.add(symmetry, answer)
        return total.mean()

    def _answers(self, batch: NDArray[np.float32]) -> Iterator[tuple[Symmetry, DenseOutput]]:
        for symmetry in self._symmetries:
            yield symmetry, self._network(symmetry.of_image(batch, self.grid))


class _Sums:
    """Answers added up, in the order in which they come."""

    def __init__(self, shape: tuple[int, ...], grid: tuple[int, int]) -> None:
        self._shape, self._grid, self._n = shape, grid, 0
        self._fields: dict[str, NDArray] = {}
        self._counted = np.zeros(shape[1:], np.float32)

    def add(self, symmetry: Symmetry, answer: DenseOutput) -> None:
        self._n += 1
        self._add("probability", symmetry.of_answer(answer.probability))
        self._add("distances", symmetry.of_answer(answer.distances)[..., symmetry.rays(answer.distances.shape[-1])])
        if answer.classes is not None:
            self._add("classes", symmetry.of_answer(answer.classes))
        if answer.foreground is not None:
            self._add_foreground(symmetry, answer.foreground)

    def mean(self) -> DenseOutput:
        """The answers' mean, with the batch as first axis."""
        for name in ("probability", "distances", "classes"):
            if name in self._fields:
                self._fields[name] /= self._n
        foreground = self._fields.get("foreground")
        if foreground is not None:
            mean = foreground / self._counted
            foreground = np.stack([to_cells(pixels, self._grid) for pixels in mean])
        return DenseOutput(**{**self._fields, "foreground": foreground})

    def _add(self, name: str, values: NDArray) -> None:
        if name in self._fields:
            self._fields[name] += values
        else:
            self._fields[name] = np.array(values, np.float32)

    def _add_foreground(self, symmetry: Symmetry, foreground: NDArray) -> None:
        """Of every pixel: the pixels of a cell lie on the other side of its grid point in a mirror image."""
        batch, rows, columns = foreground.shape[:3]
        gy, gx = self._grid
        pixels = (
            foreground.reshape(batch, rows, columns, gy, gx)
            .transpose(0, 1, 3, 2, 4)
            .reshape(batch, rows * gy, columns * gx)
        )
        if "foreground" not in self._fields:
            self._fields["foreground"] = np.zeros(self._shape, np.float32)
        for axis, flipped in ((1, symmetry.flipped_y), (2, symmetry.flipped_x)):
            if flipped:  # pixel j of the mirror image is pixel length - step - j
                pixels = np.flip(pixels.take(range(pixels.shape[axis] - self._grid[axis - 1] + 1), axis), axis)
        if symmetry.transposed:
            pixels = pixels.swapaxes(1, 2)
        seen = (slice(pixels.shape[1]), slice(pixels.shape[2]))
        self._fields["foreground"][(slice(None), *seen)] += pixels
        self._counted[seen] += 1
