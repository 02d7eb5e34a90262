"""Planes of a file: time points, z-slices and scenes, each opened as one image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .pixel_size import PixelSize
    from .source import Source


class Stack(ABC):
    """One scene of a file: planes along time and z, each an image (Y, X, C).

    A reader module whose files hold more than one plane defines ``open_stack(path, scene=0) -> Stack``, and, where a
    file holds several scenes (positions, series), ``scene_names(path) -> tuple of str``.

    Attributes
    ----------
    name : str
        What messages call it.
    axes : str
        Axes beside Y, X and C, in the file's order: letters of ``"TZ"``; empty for a single plane. Pages whose meaning
        the file does not tell are ``"Z"``.
    lengths : tuple of int
        Planes along each of these axes.
    channel_names : tuple of str
        As the file states them; empty where it states none.
    pixel_size : (float, float) or None
        Micrometres per pixel (y, x).
    z_step, t_step : float or None
        Micrometres between z-slices; seconds between time points.
    """

    name: str
    axes: str = ""
    lengths: tuple[int, ...] = ()
    channel_names: tuple[str, ...] = ()
    pixel_size: PixelSize | None = None
    z_step: float | None = None
    t_step: float | None = None

    @abstractmethod
    def open_plane(self, index: tuple[int, ...], level: int = 0) -> Source:
        """Open the plane at ``index``, a position along each of ``axes``, by region."""

    @abstractmethod
    def close(self) -> None:
        """Close the file."""

    def __enter__(self) -> Stack:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
