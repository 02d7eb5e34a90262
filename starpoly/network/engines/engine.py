"""Interface of an engine: opens and runs a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .frozen_graph import NetworkGeometry
from .source import NetworkSource

#: Maps float32 (batch, y, x, n_channels) to one array per head.
Run = Callable[[np.ndarray], dict[str, np.ndarray]]


@dataclass(frozen=True)
class RunningNetwork:
    """A network opened by an engine.

    ``run`` is thread-safe and raises MemoryError if the device runs out of memory. ``precision`` is the effective one.
    ``weights_digest`` is the SHA-256 of the weights as numbers; empty if the engine did not compute it.
    """

    run: Run
    precision: str
    geometry: NetworkGeometry
    weights_digest: str = ""


class Engine(Protocol):
    """A library that runs networks. Its module imports the library inside functions.

    ``packages`` lists required packages; the extra ``extra`` installs them. ``precisions`` lists the arithmetics that the
    engine has.
    """

    title: str
    packages: tuple[str, ...]
    extra: str
    precisions: tuple[str, ...]

    def open(self, source: NetworkSource, precision: str, *, make: bool = True) -> RunningNetwork | None:
        """Open a network.

        Parameters
        ----------
        source : NetworkSource
        precision : {"auto", "float32", "bfloat16", "int8"}
        make : bool
            Create missing files such as a frozen graph. False: open only what starts at once.

        Returns
        -------
        RunningNetwork or None
            None if this engine cannot run the network on this machine.
        """
        ...
