"""Split network windows that exceed the device's memory."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import StarpolyError, warn
from ..network.dense_output import DenseOutput, Network
from ..tiling import TilePlan, core_on_grid, plan_tiles


class SplitOnOutOfMemory:
    """Calls a network on windows; halves the window after each MemoryError.

    Parts overlap by the receptive field, so the assembled output equals that of the whole window up to rounding. Later
    windows reuse the size that fitted.

    Parameters
    ----------
    network : Network
        Raises MemoryError if the device runs out of memory.

    Attributes
    ----------
    network : Network
    turn : lock
        Hold during a call: one window at a time.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.turn = threading.Lock()
        self._side: int | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.network,)

    def __call__(self, window: NDArray[np.float32]) -> DenseOutput:
        """The network's output for one window.

        Parameters
        ----------
        window : (Y, X, C) float32
            Height and width are multiples of the network's stride.

        Returns
        -------
        DenseOutput
            On the grid of the whole window.

        Raises
        ------
        StarpolyError
            If even the smallest window exceeds the memory.
        """
        while True:
            plan = self._plan(window.shape[:2])
            try:
                return self._in_parts(window, plan)
            except MemoryError as error:
                self._halve(plan, error)

    def _plan(self, shape: tuple[int, ...]) -> TilePlan:
        height, width = shape
        side = max(height, width) if self._side is None else self._side
        y, x = self.network.footprints
        return plan_tiles((height, width), stride=self.network.stride, halo=(y.halo(), x.halo()), tile_size=side)

    def _in_parts(self, window: NDArray[np.float32], plan: TilePlan) -> DenseOutput:
        if len(plan) == 1:
            return DenseOutput.of_one(self.network(window[None]))
        whole = DenseOutput.empty(plan.shape, self.network)
        for tile in plan:
            part = DenseOutput.of_one(self.network(window[tile.read.slices][None]))
            whole.put(part, *core_on_grid(tile, self.network.grid))
        return whole

    def _halve(self, plan: TilePlan, error: MemoryError) -> None:
        height, width = plan.window
        self._side = max(1, math.isqrt(height * width) // 2)
        smaller = self._plan(plan.shape).window
        if smaller == plan.window:
            raise StarpolyError(
                f"expected memory for a network window of {height} x {width} pixels, the smallest that is possible, and there "
                "is none; free memory on the device, or run without it (CUDA_VISIBLE_DEVICES=-1)"
            ) from error
        warn(
            f"the device's memory does not hold a window of {height} x {width} pixels; "
            f"going on with {smaller[0]} x {smaller[1]}"
        )
