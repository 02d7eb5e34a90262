"""Arrange the axes of stored arrays as YX or YXC."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

from numpy.typing import NDArray

from ...errors import ImageError, StarpolyWarning

MAX_UNNAMED_CHANNELS = 4
"""Maximum number of planes of an unnamed axis taken for channels. Longer stacks count as z-stacks."""


@dataclass(frozen=True)
class Arrangement:
    """Mapping of the axes of a stored array to YX or YXC.

    ``order`` holds the stored axes of Y, X and, if there are any, the channels; all other axes have length 1.
    ``names`` is ``YX``, or ``YX`` with S (samples of a pixel), C (channels) or Q (unnamed) for the third.
    """

    order: tuple[int, ...]
    names: str
    ndim: int

    def __call__(self, array: NDArray) -> NDArray:
        """The array with axes YX or YXC; a view."""
        kept = sorted(self.order)
        squeezed = array[tuple(slice(None) if axis in kept else 0 for axis in range(self.ndim))]
        return squeezed.transpose([kept.index(axis) for axis in self.order])

    def lengths(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Rows, columns and channels of a stored array of ``shape``."""
        y, x, *channel = (int(shape[axis]) for axis in self.order)
        return y, x, channel[0] if channel else 1


def arrange_axes(shape: tuple[int, ...], axes: str, path: Path, *, stated: bool = False) -> Arrangement:
    """Find rows, columns and channels among the axes of a stored array.

    Parameters
    ----------
    shape : tuple of int
        Of the stored array.
    axes : str
        One OME letter per axis: Y, X, C, S (samples), Z, T; others are unnamed. Ignored if its length is wrong.
    path : Path
        For messages.
    stated : bool
        Whether the user has said that there are channels: an unnamed axis of any length then holds them, the shorter one
        of the first and the last.

    Raises
    ------
    ImageError
        For a stack along z or time, or along an unnamed axis too long for channels.

    Warns
    -----
    StarpolyWarning
        If a short unnamed axis is taken for channels.
    """
    if len(shape) != len(axes):  # metadata and data disagree
        axes = "Q" * (len(shape) - 2) + "YX"
    kept = [axis for axis, name in enumerate(axes) if name in "YX" or shape[axis] != 1]
    names = "".join(axes[axis] for axis in kept)
    lengths = tuple(shape[axis] for axis in kept)
    if sorted(names) == ["X", "Y"]:
        return Arrangement((kept[names.index("Y")], kept[names.index("X")]), "YX", len(shape))
    if len(names) != 3 or "Y" not in names or "X" not in names:
        raise _stack_error(lengths, names, path)
    channel = next(axis for axis, name in enumerate(names) if name not in "YX")
    if names[channel] in "SC":
        order = (names.index("Y"), names.index("X"), channel)
        return Arrangement(tuple(kept[axis] for axis in order), f"YX{names[channel]}", len(shape))
    said = _stated_channel_axis(lengths, names) if stated else None
    channel = _unnamed_channel_axis(lengths, names, path) if said is None else said
    rows_first = [axis for axis in range(3) if axis != channel]
    return Arrangement(tuple(kept[axis] for axis in (*rows_first, channel)), "YXQ", len(shape))


def guess_axes(shape: tuple[int, ...]) -> str:
    """Axis letters for an array without names, for :func:`arrange_axes`."""
    last_is_short = len(shape) == 3 and shape[2] <= MAX_UNNAMED_CHANNELS < min(shape[:2])
    return "YXC" if last_is_short else "Q" * (len(shape) - 2) + "YX"


def _stated_channel_axis(shape: tuple[int, ...], axes: str) -> int | None:
    """The shorter one of the first and the last axis of an unnamed stack; None where the file names the third axis."""
    if set(axes) & set("ZT"):
        return None
    return 0 if shape[0] <= shape[2] else 2


def _unnamed_channel_axis(shape: tuple[int, ...], axes: str, path: Path) -> int:
    """The channel axis of an unnamed stack, by its length."""
    if not set(axes) & set("ZT"):
        for axis in (0, 2):
            others = [length for other, length in enumerate(shape) if other != axis]
            if shape[axis] <= MAX_UNNAMED_CHANNELS < min(others):
                message = f"{path}: expected axes YX or YXC, got shape {shape}; its axis {axis} is taken for channels"
                warnings.warn(message, StarpolyWarning, stacklevel=6)
                return axis
    raise _stack_error(shape, axes, path)


def _stack_error(shape: tuple[int, ...], axes: str, path: Path) -> ImageError:
    unnamed = len(axes) == 3 and not set(axes) & set("ZT")
    advice = "; if they are channels, choose some, as with --channels 0" if unnamed else ""
    return ImageError(
        f"{path}: expected one image with axes YX or YXC, got a stack with axes {axes} and shape {shape}; "
        f"save its planes as single files, or a projection of it{advice}"
    )
