"""What an engine is: something that runs a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .frozen_graph import NetworkGeometry
from .source import NetworkSource

#: Runs a network: float32 (batch, y, x, n_channels) to the arrays of its heads.
Run = Callable[[np.ndarray], dict[str, np.ndarray]]


@dataclass(frozen=True)
class RunningNetwork:
    """A network that an engine has opened.

    ``run`` may be called from several threads, and raises MemoryError where the device's memory does not suffice.
    ``precision`` is the one in effect. ``weights_digest`` is the SHA-256 of the weights as numbers, empty where the
    engine did not need it.
    """

    run: Run
    precision: str
    geometry: NetworkGeometry
    weights_digest: str = ""


class Engine(Protocol):
    """A library that runs networks. Its module imports that library inside functions.

    ``packages`` are those it needs beside starpoly's own; the extra ``extra`` installs them. ``bfloat16`` tells whether
    it computes in bfloat16.
    """

    title: str
    packages: tuple[str, ...]
    extra: str
    bfloat16: bool

    def open(self, source: NetworkSource, precision: str, *, make: bool = True) -> RunningNetwork | None:
        """Open a network.

        Parameters
        ----------
        source : NetworkSource
        precision : {"auto", "float32", "bfloat16"}
        make : bool
            Make what the engine needs, such as a frozen graph. False: open only what can start at once.

        Returns
        -------
        RunningNetwork or None
            None where this engine cannot run the network here.
        """
        ...
