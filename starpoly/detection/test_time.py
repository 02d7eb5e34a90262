"""Test-time augmentation: a network asked about a window and its mirror images, and what it says averaged.

The answers are on a grid, so a mirror image has to have its grid on the same pixels: it is shifted by a cell less one pixel. What a
pixel is told thus depends on the pixels around it alone, as without: the answer does not depend on the tiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..config import TTA
from ..errors import ConfigError
from ..network.dense_output import DenseOutput, Network
from ..network.heads.registry import HEADS
from ..network.symmetry import Symmetry


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
        total = _Sums(self.grid)
        for symmetry, answer in self._answers(batch):
            total.add(symmetry, answer)
        return total.mean()

    def _answers(self, batch: NDArray[np.float32]) -> Iterator[tuple[Symmetry, DenseOutput]]:
        for symmetry in self._symmetries:
            yield symmetry, self._network(symmetry.of_image(batch, self.grid))


class _Sums:
    """Answers added up, in the order in which they come."""

    def __init__(self, grid: tuple[int, int]) -> None:
        self._grid = grid
        self._sums: dict[str, NDArray[np.float32]] = {}
        self._seen: dict[str, NDArray[np.float32] | int] = {}

    def add(self, symmetry: Symmetry, answer: DenseOutput) -> None:
        for name, values in answer.arrays.items():
            aligned, seen = HEADS[name].realign(values, symmetry, self._grid)
            if name in self._sums:
                self._sums[name] += aligned
                self._seen[name] = self._seen[name] + seen
            else:
                self._sums[name], self._seen[name] = np.array(aligned, np.float32), seen

    def mean(self) -> DenseOutput:
        """The answers' mean, with the batch as first axis."""
        for name, total in self._sums.items():
            total /= self._seen[name]
        return DenseOutput(**self._sums)
