"""A network that remembers what it was asked."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray


class Recording:
    """A network that keeps the shapes of the windows that it is asked about.

    Parameters
    ----------
    network : callable
        Answers; anything else is asked of it, too.
    """

    def __init__(self, network: Any) -> None:
        self._inner, self.shapes = network, []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __call__(self, batch: NDArray) -> Any:
        self.shapes.append(batch.shape)
        return self._inner(batch)
