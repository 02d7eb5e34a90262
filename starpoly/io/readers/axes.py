"""Arrange the axes of stored arrays: which are planes along t and z, and a plane as YX or YXC."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from numpy.typing import NDArray

from ...errors import ImageError, warn, without_warnings

MAX_UNNAMED_CHANNELS = 4
"""Maximum length of an unnamed first axis of an array that is taken for channels. Longer ones are planes, and so are
the pages of a TIFF, however few."""

MAX_LAST_CHANNELS = 16
"""Maximum length of an unnamed last axis that is taken for channels: no plane is so narrow."""

TAKEN_FOR_CHANNELS = "is taken for channels"
"""How the warning ends that says so of an axis."""


@dataclass(frozen=True)
class Arrangement:
    """Mapping of the axes of a stored array to YX or YXC.

    ``order`` holds the stored axes of Y, X and, if there are any, the channels; all other axes have length 1.
    ``names`` is ``YX``, or ``YX`` with S (samples of a pixel), C (channels) or Q (unnamed) for the third. ``position``
    holds axes and where along them the plane lies, 0 for the others.
    """

    order: tuple[int, ...]
    names: str
    ndim: int
    position: tuple[tuple[int, int], ...] = ()

    def __call__(self, array: NDArray) -> NDArray:
        """The array with axes YX or YXC; a view."""
        kept, at = sorted(self.order), dict(self.position)
        squeezed = array[tuple(slice(None) if axis in kept else at.get(axis, 0) for axis in range(self.ndim))]
        return squeezed.transpose([kept.index(axis) for axis in self.order])

    def lengths(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Rows, columns and channels of a stored array of ``shape``."""
        y, x, *channel = (int(shape[axis]) for axis in self.order)
        return y, x, channel[0] if channel else 1


@dataclass(frozen=True)
class PlaneAxes:
    """Axes of a stored array along which planes lie.

    ``names`` are letters of ``"TZ"`` in stored order, ``axes`` their positions, ``lengths`` their lengths; all are longer
    than 1. ``unnamed`` is True if the file does not tell what they are.
    """

    names: str = ""
    axes: tuple[int, ...] = ()
    lengths: tuple[int, ...] = ()
    unnamed: bool = False


def plane_axes(shape: tuple[int, ...], axes: str, path: object, *, pages: bool = False) -> PlaneAxes:
    """Find the axes along which planes lie.

    One axis that is not named is z, or time beside a z axis; two are time and z.

    Parameters
    ----------
    shape, axes
        As for :func:`arrange_axes`.
    path : Path
        For messages.
    pages : bool
        Whether axes without a name are pages of a file, which are planes however few.

    Raises
    ------
    ImageError
        If there are more axes than time and z.

    Warns
    -----
    StarpolyWarning
        If two axes without a name are taken for time and z.
    """
    axes = _fitting(shape, axes)
    found = [axis for axis, name in enumerate(axes) if name not in "YXCS" and shape[axis] != 1]
    unnamed = [axis for axis in found if axes[axis] not in "TZ"]
    if len(found) == len(unnamed) == 1 and _unnamed_channel_axis(*_kept(shape, axes)[1:], pages=pages) is not None:
        return PlaneAxes()
    free = "".join(letter for letter in "TZ" if letter not in {axes[axis] for axis in found})
    if len(unnamed) > len(free):
        raise _stack_error(*_kept(shape, axes)[1:], path)
    names = dict(zip(unnamed, free[-len(unnamed) :] if unnamed else "", strict=True))
    if len(unnamed) > 1:
        message = f"{path}: expected named axes, got shape {tuple(shape)}; its first two are taken for time and z"
        warn(message, stacklevel=4)
    letters = "".join(names.get(axis, axes[axis]) for axis in found)
    return PlaneAxes(letters, tuple(found), tuple(int(shape[axis]) for axis in found), bool(unnamed))


def arrange_plane(
    shape: tuple[int, ...], axes: str, planes: PlaneAxes, index: tuple[int, ...] | None, path: Path
) -> Arrangement:
    """Like :func:`arrange_axes`, for the plane at ``index`` along the axes that :func:`plane_axes` found.

    Without an index these axes are channels.
    """
    if index is None:
        letters = "".join("C" if axis in planes.axes else name for axis, name in enumerate(axes))
        return arrange_axes(shape, letters, path)
    single = tuple(1 if axis in planes.axes else int(length) for axis, length in enumerate(shape))
    return replace(arrange_axes(single, axes, path), position=tuple(zip(planes.axes, index, strict=True)))


def check_single_plane(shape: tuple[int, ...], axes: str, path: Path, *, pages: bool = False) -> None:
    """Refuse a stack where one plane is wanted; arguments as for :func:`plane_axes`."""
    with without_warnings():  # the error says more
        planes = plane_axes(shape, axes, path, pages=pages)
    if planes.names:
        raise _stack_error(*_kept(shape, _fitting(shape, axes))[1:], path)


def arrange_axes(shape: tuple[int, ...], axes: str, path: Path) -> Arrangement:
    """Find rows, columns and channels among the axes of a stored array.

    Parameters
    ----------
    shape : tuple of int
        Of the stored array.
    axes : str
        One OME letter per axis: Y, X, C, S (samples), Z, T; others are unnamed. Ignored if its length is wrong.
    path : Path
        For messages.

    Raises
    ------
    ImageError
        For a stack along z or time, or along an unnamed axis too long for channels.

    Warns
    -----
    StarpolyWarning
        If a short unnamed axis is taken for channels.
    """
    kept, lengths, names = _kept(shape, _fitting(shape, axes))
    if sorted(names) == ["X", "Y"]:
        return Arrangement((kept[names.index("Y")], kept[names.index("X")]), "YX", len(shape))
    if len(names) != 3 or "Y" not in names or "X" not in names:
        raise _stack_error(lengths, names, path)
    channel = next(axis for axis, name in enumerate(names) if name not in "YX")
    if names[channel] in "SC":
        order = (names.index("Y"), names.index("X"), channel)
        return Arrangement(tuple(kept[axis] for axis in order), f"YX{names[channel]}", len(shape))
    unnamed = _unnamed_channel_axis(lengths, names)
    if unnamed is None:
        raise _stack_error(lengths, names, path)
    message = f"{path}: expected axes YX or YXC, got shape {lengths}; its axis {unnamed} {TAKEN_FOR_CHANNELS}"
    warn(message, stacklevel=5)
    rows_first = [axis for axis in range(3) if axis != unnamed]
    return Arrangement(tuple(kept[axis] for axis in (*rows_first, unnamed)), "YXQ", len(shape))


def has_channels(shape: tuple[int, ...], axes: str) -> bool:
    """Whether one of the axes of a stored array is named as that of channels or samples, and longer than 1."""
    return any(name in "CS" and length > 1 for name, length in zip(_fitting(shape, axes), shape, strict=True))


def guess_axes(shape: tuple[int, ...]) -> str:
    """Axis letters for an array without names, for :func:`plane_axes` and :func:`arrange_axes`."""
    last_is_short = len(shape) > 2 and shape[-1] <= MAX_LAST_CHANNELS < min(shape[-3:-1])
    return "Q" * (len(shape) - 3) + "YXC" if last_is_short else "Q" * (len(shape) - 2) + "YX"


def _fitting(shape: tuple[int, ...], axes: str) -> str:
    """The letters in capitals, or guessed ones where metadata and data disagree."""
    axes = axes.upper()
    return axes if len(shape) == len(axes) else "Q" * (len(shape) - 2) + "YX"


def _kept(shape: tuple[int, ...], axes: str) -> tuple[list[int], tuple[int, ...], str]:
    """The axes beside those of length 1: positions, lengths and names."""
    kept = [axis for axis, name in enumerate(axes) if name in "YX" or shape[axis] != 1]
    return kept, tuple(int(shape[axis]) for axis in kept), "".join(axes[axis] for axis in kept)


def _unnamed_channel_axis(shape: tuple[int, ...], axes: str, *, pages: bool = False) -> int | None:
    """The channel axis of three of which one is not named, by its length; None for planes."""
    if len(shape) != 3 or set(axes) & set("ZTCS"):
        return None
    if shape[2] <= MAX_LAST_CHANNELS < min(shape[:2]):
        return 2
    return 0 if not pages and shape[0] <= MAX_UNNAMED_CHANNELS < min(shape[1:]) else None


def _stack_error(shape: tuple[int, ...], axes: str, path: object) -> ImageError:
    unnamed = len(axes) == 3 and not set(axes) & set("ZT")
    advice = "; if they are channels, choose some, as with `starpoly predict --channels 0`" if unnamed else ""
    return ImageError(
        f"{path}: expected one image with axes YX or YXC, got a stack with axes {axes} and shape {shape}; `starpoly predict` "
        f"segments its planes, starpoly.io.open_stack reads them; elsewhere, save planes as single files{advice}"
    )
