"""The planes of an image that are segmented, each as a source: chosen along t and z, or projected over z."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import prod
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ..errors import ConfigError, ImageError, warn
from ..io.readers.array_stack import ArrayStack
from ..io.readers.axes import MAX_UNNAMED_CHANNELS
from ..io.readers.planes import open_scene
from ..io.readers.projection import METHODS, ProjectedSource
from ..io.readers.source import Source
from ..io.readers.stack import Stack
from ..io.readers.view import SourceView
from .part import ImagePart
from .plane_selection import pick


class ChosenPlanes:
    """The chosen planes of a stack, in its order. A context manager that closes it.

    Parameters
    ----------
    stack : Stack
    part : ImagePart
        What of it: planes, level, channels, region.
    scenes : int
        Number of scenes of the file.

    Attributes
    ----------
    axes : str
        Axes along which the planes lie, letters of ``"TZ"`` in the file's order. An axis of which one plane was chosen by
        its number, or that is projected, is none of them.
    lengths : tuple of int
        Planes along each of them.
    """

    def __init__(self, stack: Stack, part: ImagePart, scenes: int = 1) -> None:
        self._stack, self._part, self._scenes = stack, part, scenes
        selections, self._positions, kept = {"T": part.t, "Z": part.z}, {}, ""
        lengths = dict(zip(stack.axes, stack.lengths_at(part.level), strict=True))
        for axis in "TZ":
            found, stays = _pick(selections[axis], axis, lengths, stack.name)
            if axis in lengths:
                self._positions[axis] = found
                kept += axis if stays and not (axis == "Z" and part.project) else ""
        self.as_channels = _means_channels(stack, part)
        self.axes = "" if self.as_channels else "".join(axis for axis in stack.axes if axis in kept)
        self.lengths = tuple(len(self._positions[axis]) for axis in self.axes)

    def __len__(self) -> int:
        return prod(self.lengths)

    def __enter__(self) -> ChosenPlanes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def is_whole_file(self) -> bool:
        """Whether the file is one plane, to be read as such."""
        return not self._stack.axes and self._scenes == 1

    @property
    def middle(self) -> int:
        """Number of the plane in the middle along each axis."""
        index = tuple(length // 2 for length in self.lengths)
        return int(np.ravel_multi_index(index, self.lengths)) if index else 0

    @property
    def steps(self) -> tuple[float | None, ...]:
        """Micrometres or seconds from plane to plane along each axis; None if not known, or not equal."""
        return tuple(self._step(axis) for axis in self.axes)

    @property
    def starts(self) -> tuple[float, ...]:
        """Where the planes start along each axis of the image, in :attr:`steps`."""
        return tuple(self._positions[axis][0] / (_stride(self._positions[axis]) or 1) for axis in self.axes)

    def before(self, number: int, axis: str) -> int | None:
        """Number of the plane before a plane along an axis; None for the first."""
        index = list(np.unravel_index(number, self.lengths))
        at = self.axes.index(axis)
        if index[at] == 0:
            return None
        index[at] -= 1
        return int(np.ravel_multi_index(index, self.lengths))

    def place(self, number: int) -> dict[str, int]:
        """Where a plane lies in the file: scene, if there are several; t and z, as far as the file has these axes."""
        found = {"scene": self._part.scene or 0} if self._scenes > 1 else {}
        if self.as_channels:
            return found
        at = self._at(number)
        return found | {axis.lower(): at[axis] for axis in "TZ" if axis in at}

    def open(self, number: int, *, all_channels: bool = False) -> Source:
        """Open a plane: level, channels or all of them, and region of it, projected if that is wanted."""
        channels = None if all_channels else self._part.channels
        if self.as_channels:
            return self._view(self._stack.open_as_channels(self._part.level), channels)
        at = self._at(number)
        if "Z" in at or "Z" not in self._positions:
            return self._open(at, channels)
        openers = [partial(self._open, {**at, "Z": z}, channels) for z in self._positions["Z"]]
        return ProjectedSource(openers, str(self._part.project))

    def _at(self, number: int) -> dict[str, int]:
        """Position along every axis but a projected one."""
        index = np.unravel_index(number, self.lengths) if self.lengths else ()
        at = {axis: self._positions[axis][int(position)] for axis, position in zip(self.axes, index, strict=True)}
        rest = {axis: positions[0] for axis, positions in self._positions.items() if axis not in at}
        if self._part.project:
            rest.pop("Z", None)
        return at | rest

    def _open(self, at: dict[str, int], channels: Sequence[int | str] | None) -> Source:
        plane = self._stack.open_plane(tuple(at[axis] for axis in self._stack.axes), self._part.level)
        return self._view(plane, channels)

    def _view(self, source: Source, channels: Sequence[int | str] | None) -> Source:
        part = self._part
        source.single_axes = part.kept(source.single_axes)
        if part.roi is None and channels is None and part.pixel_size is None:
            return source
        try:
            return SourceView(source, part.roi, channels, part.pixel_size)
        except BaseException:
            source.close()
            raise

    def _step(self, axis: str) -> float | None:
        z_step, t_step = self._stack.steps_at(self._part.level)
        step, stride = (t_step if axis == "T" else z_step), _stride(self._positions[axis])
        return None if step is None or stride is None else step * stride


def choose_planes(image: Any, part: ImagePart) -> ChosenPlanes:
    """Open an image to segment some or all of its planes.

    Parameters
    ----------
    image : path, Source or array-like
        An array of more than one plane needs ``part.axes``.
    part : ImagePart

    Raises
    ------
    ImageError
        If it cannot be read, or has no such planes or scene.
    ConfigError
        If the projection is unknown.

    Warns
    -----
    StarpolyWarning
        If the file has several scenes and none is chosen: the first is used.
    """
    if part.project is not None and part.project not in METHODS:
        raise ConfigError(f"project: expected one of {', '.join(METHODS)}, got {part.project!r}")
    stack, n_scenes = _open(image, part)
    try:
        return ChosenPlanes(stack, part, n_scenes)
    except BaseException:
        stack.close()
        raise


def _open(image: Any, part: ImagePart) -> tuple[Stack, int]:
    if not isinstance(image, (str, Path)):
        if part.axes is not None and not isinstance(image, Source):
            return ArrayStack(image, part.axes), 1
        return _Alone(image), 1
    if part.axes is not None:
        raise ImageError(
            f"{image}: expected a file to name its axes itself, got axes {part.axes!r} beside it; leave them out"
        )
    return open_scene(image, part.scene)


class _Alone(Stack):
    """An array or a source of one plane; it is opened elsewhere."""

    def __init__(self, image: Any) -> None:
        self.name = getattr(image, "name", "array")

    def open_plane(self, index: tuple[int, ...], level: int = 0) -> Source:
        raise NotImplementedError

    def close(self) -> None:
        pass


def _means_channels(stack: Stack, part: ImagePart) -> bool:
    """Whether the planes of a file that names neither planes nor channels are channels: some are chosen, or few merged."""
    of_planes = part.z is not None or part.t is not None or part.project is not None
    if not stack.may_be_channels or of_planes:
        return False
    if part.channels is None and part.merge_channels and stack.lengths[0] <= MAX_UNNAMED_CHANNELS:
        message = f"{stack.name}: expected named axes, got {stack.lengths[0]} pages; they are taken for channels"
        warn(message, stacklevel=5)
        return True
    return part.channels is not None


def _pick(selection: Any, axis: str, lengths: dict[str, int], name: str) -> tuple[list[int], bool]:
    """The planes chosen along an axis, see :func:`pick`; the message of an axis that is not there names those that are."""
    if axis in lengths:
        return pick(selection, lengths[axis], f"planes {axis.lower()}", name)
    try:
        return pick(selection, 1, f"planes {axis.lower()}", name)
    except ImageError as error:
        letter = axis.lower()
        there = " x ".join(f"{other} {length}" for other, length in lengths.items()) or "one plane, axes YX"
        use = " or ".join(f"--{other.lower()}" for other in lengths)
        remedy = f"choose planes with {use}" if use else f"leave --{letter} out"
        raise ImageError(
            f"{name}: expected an axis {letter} to choose planes {letter} from, got {there}; {remedy}"
        ) from error


def _stride(positions: list[int]) -> int | None:
    """The distance of neighbouring positions, None if they differ; 1 of a single one."""
    found = set(np.diff(positions).tolist()) or {1}
    return found.pop() if len(found) == 1 else None
