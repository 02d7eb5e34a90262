"""Constant windows, in which the network is known to find nothing, need no network.

Windows of a plan have one shape, and a network is a function of its window: it answers all windows of one constant intensity
alike. So it is asked once for each, and not again if nothing in its whole answer counts. Results are the same bit for bit,
whatever the network does with such windows.
"""

from __future__ import annotations

from numpy.typing import NDArray

from ..network.dense_output import DenseOutput

_MOST = 256
"""Intensities that are remembered: empty glass has one or two."""
_ROWS = 64
"""Rows compared at once: a window that is not constant shows it in the first ones."""

Key = tuple[tuple[int, ...], bytes]


class ConstantWindows:
    """Remembers in which constant windows a network finds nothing; threads of one detection share it."""

    def __init__(self) -> None:
        self._empty: set[Key] = set()

    def __reduce__(self) -> tuple[type[ConstantWindows], tuple[()]]:
        return type(self), ()  # another process learns by itself

    def key_of(self, pixels: NDArray) -> Key | None:
        """Shape and intensity of a window (Y, X, C), not normalised; None unless every channel has one value.

        NaN equals nothing, so a window with NaN is never constant.
        """
        return (pixels.shape, pixels[0, 0].tobytes()) if is_constant(pixels) else None

    def is_empty(self, key: Key | None) -> bool:
        """Whether the network is known to find nothing in such a window."""
        return key in self._empty

    def note(self, key: Key | None, answer: DenseOutput, threshold: float, level: float | None) -> None:
        """Remember a constant window if no probability in its answer exceeds the threshold and no foreground the level.

        The whole window counts, not only the core of a tile: near its borders a network sees less, and answers otherwise.
        """
        if key is None or len(self._empty) >= _MOST or (answer.probability > threshold).any():
            return
        if level is None or answer.foreground is None or not (answer.foreground > level).any():
            self._empty.add(key)


def is_constant(pixels: NDArray) -> bool:
    """Whether every channel of (Y, X, C) has one value."""
    value = pixels[0, 0]
    if not (pixels[-1, -1] == value).all():
        return False
    return all(bool((pixels[start : start + _ROWS] == value).all()) for start in range(0, len(pixels), _ROWS))
