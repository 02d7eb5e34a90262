"""Nikon ND2 through the optional package nd2: uncompressed frames are mapped, compressed ones decoded whole."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError
from ...tiling import Box
from .blocks import BlockGrid, Packed
from .file_stack import (
    FileStack,
    Pixels,
    check_planes,
    closing,
    import_library,
    names_of_several,
    positive_step,
    size_from,
)
from .pixel_size import PixelSize
from .source import check_dtype
from .stack import check_scene
from .untrusted import check_claim, decoding

_FRAME_AXES = "CYXS"


class Nd2Stack(FileStack):
    """A position of an ND2 file.

    Parameters
    ----------
    path : Path
    scene : int
        Index of the position.

    Raises
    ------
    ImageError
        If nd2 is not installed, the file is damaged, or there is no such position.
    """

    def __init__(self, path: Path, scene: int = 0) -> None:
        super().__init__(path, scene, open_stack)
        self._lock = threading.Lock()
        self._file = _opened(path)
        with self.describing("an ND2 file"):
            self._describe(check_scene(path, scene, _positions(self._file)))

    def _describe(self, scene: int) -> None:
        sizes = dict(self._file.sizes)
        self._loops = {axis: int(length) for axis, length in sizes.items() if axis not in _FRAME_AXES}
        self.axes = "".join(axis for axis in self._loops if axis in "TZ" and self._loops[axis] > 1)
        self.lengths = tuple(self._loops[axis] for axis in self.axes)
        check_planes(math.prod(self._loops.values()), self.path)
        self._samples = int(sizes.get("S", 1))
        self._shape = (int(sizes.get("Y", 1)), int(sizes.get("X", 1)), int(sizes.get("C", 1)) * self._samples)
        self._dtype = check_dtype(self.path, np.dtype(self._file.dtype))
        if min(self._shape) < 1:
            raise ImageError(f"expected an image of at least one pixel, got shape {self._shape}")
        attributes = self._file.attributes
        self._compressed = attributes.compressionType in ("lossless", "lossy") or bool(self._file.is_legacy)
        self.stored_as = f"frames of {self._shape[0]} x {self._shape[1]} pixels, " + (
            str(attributes.compressionType or "JPEG 2000") if self._compressed else "not compressed"
        )
        check_claim(math.prod(self._shape) * self._dtype.itemsize, self.path)
        self.pixel_size, self.z_step = _calibration(self._file)
        self.t_step = _period(self._file)
        with suppress(Exception):  # metadata that cannot be read state none
            self.channel_names = tuple(str(channel.channel.name) for channel in self._file.metadata.channels)

    def pixels(self, index: tuple[int, ...], level: int) -> Pixels:
        """The pixels of a frame."""
        number = self._number(index)
        if not self._compressed:
            return _MappedFrame(self, number)
        decode = _FrameDecoder(self, number)
        packed = Packed(self.path.stat().st_size, math.prod(self._shape) * self._dtype.itemsize)
        return BlockGrid(
            self.name, self._shape, self._dtype, self._shape[:2], self._shape[2], decode, "frame", lambda *_: packed
        )

    def frame(self, number: int) -> NDArray:
        """A frame (Y, X, C): a view of the file where it is not compressed."""
        with self._lock:
            if self._file.closed:
                raise ValueError("the file is closed")
            stored = self._file.read_frame(number)
        height, width, n_channels = self._shape
        channels_first = stored.reshape(n_channels // self._samples, height, width, self._samples)
        if not self._compressed and stored.size and _owner(stored).base is None:
            raise ImageError(f"{self.name}: expected frame {number}, got none; the file is truncated, copy it again")
        return np.moveaxis(channels_first, 0, 2).reshape(height, width, n_channels)

    def _number(self, index: tuple[int, ...]) -> int:
        """The frame of a plane: frames lie in the order of the loops; loops beside time, z and positions stay at 0."""
        at = dict(zip(self.axes, index, strict=True)) | {"P": self.scene}
        number = 0
        for axis, length in self._loops.items():
            number = number * length + at.get(axis, 0)
        return number

    def close(self) -> None:
        """Close the file."""
        with (
            closing(self._lock) as alone,
            suppress(BufferError),
        ):  # a frame that is being read keeps the map for so long
            if alone:
                self._file.close()


class _MappedFrame:
    """A frame that is not compressed, read by region."""

    def __init__(self, stack: Nd2Stack, number: int) -> None:
        self._stack, self._number = stack, number
        self.shape, self.dtype = stack._shape, stack._dtype

    def read(self, box: Box, channels: Sequence[int]) -> NDArray:
        with decoding(self._stack.name, f"pixels of {box}"):
            return np.array(self._stack.frame(self._number)[box.slices][..., list(channels)])


class _FrameDecoder:
    """Decodes a compressed frame."""

    def __init__(self, stack: Nd2Stack, number: int) -> None:
        self._stack, self._number = stack, number

    def __call__(self, plane: int, row: int, column: int) -> NDArray:
        return self._stack.frame(self._number)


def _owner(array: NDArray) -> Any:
    """The array at the end of a chain of views."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _opened(path: Path) -> Any:
    nd2 = import_library("nd2", path, "ND2 files")
    with decoding(path, "a whole ND2 file"):
        return nd2.ND2File(path)


def _positions(file: Any) -> tuple[str, ...]:
    for loop in file.experiment:
        if loop.type == "XYPosLoop":
            return tuple(str(point.name or f"position {n}") for n, point in enumerate(loop.parameters.points, start=1))
    return ()


def _calibration(file: Any) -> tuple[PixelSize | None, float | None]:
    """Pixel size and step in z, where they are calibrated."""
    with suppress(Exception):  # metadata that cannot be read state none
        volume = file.metadata.channels[0].volume
        x, y, z = volume.axesCalibration
        calibrated = volume.axesCalibrated
        size = size_from(y, x) if calibrated[0] and calibrated[1] else None
        return size, positive_step(z) if calibrated[2] else None
    return None, None


def _period(file: Any) -> float | None:
    """Seconds between time points."""
    with suppress(Exception):
        for loop in file.experiment:
            if loop.type == "TimeLoop":
                period = positive_step(loop.parameters.periodMs) or positive_step(loop.parameters.periodDiff.avg)
                return None if period is None else period / 1000
    return None


def scene_names(path: Path) -> tuple[str, ...]:
    """Names of the positions; none if there is one."""
    file = _opened(path)
    try:
        with decoding(path, "an ND2 file"):
            return names_of_several(_positions(file))
    finally:
        file.close()


def open_stack(path: Path, scene: int = 0) -> FileStack:
    """A position of an ND2 file as a stack."""
    return Nd2Stack(path, scene)
