"""Test-time augmentation: average the network's output over symmetries of a window.

Output lies on a grid, so each mirror image is shifted by one grid cell minus one pixel to keep the grid on the same
pixels. The output at a point then depends only on its surroundings, and results do not depend on tiling.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..config import TTA
from ..errors import ConfigError
from ..network.dense_output import DenseOutput, Network
from ..network.footprint import Footprint
from ..network.heads.registry import HEADS
from ..network.symmetry import Symmetry


def symmetries(tta: str, network: Network) -> list[Symmetry]:
    """The symmetries of a choice, identity first.

    Raises
    ------
    ConfigError
        If the choice is unknown, or the network does not support its symmetries.
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
    """Averages a network over symmetries; itself a :class:`~starpoly.network.dense_output.Network`.

    Parameters
    ----------
    network : Network
    tta : {"none", "flips", "all"}
        1, 4 or 8 passes.

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
        self.footprints = _mirrored(network.footprints, exchanged=tta == "all")

    def __call__(self, batch: NDArray[np.float32]) -> DenseOutput:
        """Mean output for windows (batch, y, x, C)."""
        total = _Sums(self.grid)
        for symmetry, answer in self._answers(batch):
            total.add(symmetry, answer)
        return total.mean()

    def _answers(self, batch: NDArray[np.float32]) -> Iterator[tuple[Symmetry, DenseOutput]]:
        for symmetry in self._symmetries:
            yield symmetry, self._network(symmetry.of_image(batch, self.grid))


def _mirrored(footprints: tuple[Footprint, Footprint], *, exchanged: bool) -> tuple[Footprint, Footprint]:
    """What the mean over mirror images depends on; with the axes exchanged, the wider one counts for both."""
    y, x = (footprint.mirrored() for footprint in footprints)
    widest = max(y, x, key=lambda footprint: footprint.radius)
    return (widest, widest) if exchanged else (y, x)


class _Sums:
    """Running sum of outputs, in the order of arrival."""

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
        """Mean of the outputs, with the batch as first axis."""
        for name, total in self._sums.items():
            total /= self._seen[name]
        return DenseOutput(**self._sums)
