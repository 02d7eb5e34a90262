"""Header of an image file: size and pixel size, without decoding pixels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Header:
    """Size of an image in a file.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns.
    n_bytes : int
        Bytes of the decoded pixels, all channels.
    by_region : bool
        Whether regions can be read without decoding the whole image.
    pixel_size : (float, float) or None
        Micrometres per pixel (y, x), None where the file states none.
    bounds, position, single_axes
        As those of a :class:`~starpoly.io.Source`.
    channel_names : tuple of str
        As the file states them; empty where it states none.
    """

    shape: tuple[int, int]
    n_bytes: int
    by_region: bool = False
    pixel_size: tuple[float, float] | None = None
    bounds: tuple[int, int] = (0, 0)
    position: tuple[float, float] | None = None
    channel_names: tuple[str, ...] = ()
    single_axes: tuple[tuple[str, float | None], ...] = ()

    @property
    def n_pixels(self) -> int:
        """Rows times columns."""
        return self.shape[0] * self.shape[1]
