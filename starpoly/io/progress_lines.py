"""Progress as a line a minute, for logs and services: where a bar would be drawn on a terminal."""

from __future__ import annotations

from typing import Any

from tqdm import tqdm

from .console import duration, write

INTERVAL = 60.0
"""Seconds between two lines. Whatever takes less says nothing."""


class ProgressLines(tqdm):
    """A tqdm that writes whole lines.

    Parameters
    ----------
    *args, **settings
        Of tqdm, of which those of the picture do not matter.
    """

    _told = 0.0
    _warm: tuple[float, float] | None = None
    """Time and progress when the first step was done, which may have loaded and compiled what the others only use."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        seconds = {"mininterval": INTERVAL, "maxinterval": INTERVAL, "miniters": 0}
        super().__init__(*args, **settings | seconds | {"disable": False, "file": _Nowhere(), "leave": False})

    def update(self, n: float | None = 1) -> bool | None:
        """Note the end of the first step; the rest is tqdm's."""
        told = super().update(n)
        if self._warm is None and self.n > self.initial:
            self._warm = (self._time(), self.n)
        return told

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Write a line, once there is something to tell and a minute has passed."""
        now = self._time()
        if self.n > self.initial and now - max(self._told, self.start_t) >= INTERVAL:
            self._told = now
            write(f"starpoly: {self}\n")

    def clear(self, nolock: bool = False) -> None:
        """Lines stay."""

    def close(self) -> None:
        """Write no last line: the result follows."""
        self.display = lambda *args, **kwargs: None  # type: ignore[method-assign]
        super().close()

    def __str__(self) -> str:
        unit = " MP" if self.unit == "MP" else ""
        total = "" if self.total is None else f" of {_number(self.total)}"
        told = f"{self.desc.removesuffix(': ') or 'progress'}: {_number(self.n)}{total}{unit}"
        if self.total is not None and self._warm is not None and self.n > self._warm[1]:
            start, done = self._warm
            told += f", about {duration((self._time() - start) / (self.n - done) * (self.total - self.n))} left"
        return f"{told}; {self.postfix}" if self.postfix else told


def _number(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.1f}"


class _Nowhere:
    """The file of a picture that is never drawn."""

    encoding = "utf-8"

    def write(self, text: str) -> None:
        pass

    def flush(self) -> None:
        pass
