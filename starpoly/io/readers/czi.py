"""Zeiss CZI through the optional package pylibCZIrw, by region and level."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError, warn
from .blocks import BlockGrid
from .czi_directory import check_directory
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
from .stack import check_scene
from .untrusted import decoding

_BLOCK_LENGTH = 1024
_DTYPES = {"Gray8": "u1", "Gray16": "u2", "Gray32Float": "f4", "Bgr24": "u1", "Bgr48": "u2", "Bgr96Float": "f4"}
_OTHER_AXES = {"R": "rotations", "I": "illuminations", "H": "phases", "V": "views"}


class CziStack(FileStack):
    """A scene of a CZI file; what was not scanned is 0.

    Parameters
    ----------
    path : Path
    scene : int

    Raises
    ------
    ImageError
        If pylibCZIrw is not installed, the file is damaged, its pixels are of a kind that is not read, or there is no
        such scene.

    Warns
    -----
    StarpolyWarning
        If the file has axes beside those of a stack, such as phases; the first along each is used.
    """

    def __init__(self, path: Path, scene: int = 0) -> None:
        super().__init__(path, scene, open_stack)
        self._lock = threading.Lock()
        self._file = _opened(path)
        self._open = True
        with self.describing("a CZI file"):
            self._describe()

    def _describe(self) -> None:
        scenes = _rectangles(self._file)
        number, rectangle = scenes[check_scene(self.path, self.scene, [str(found) for found, _ in scenes])]
        self._scene_number, self._corner = number, (rectangle.y, rectangle.x)
        extent = self._file.total_bounding_box_no_pyramid
        lengths = {axis: stop - start for axis, (start, stop) in extent.items()}
        self.axes = "".join(axis for axis in "TZ" if lengths.get(axis, 1) > 1)
        self.lengths = tuple(lengths[axis] for axis in self.axes)
        check_planes(lengths["T"] * lengths["Z"] * lengths["C"], self.path)
        kinds = [self._file.get_channel_pixel_type(channel) for channel in range(lengths["C"])]
        if any(kind not in _DTYPES for kind in kinds):
            raise ImageError(
                f"{self.path}: expected pixels of {', '.join(_DTYPES)}, got {', '.join(sorted(set(kinds)))}"
            )
        if len({kind.startswith("Bgr") for kind in kinds}) > 1:
            raise ImageError(f"{self.path}: expected channels in grey or in colour, got both")
        self._samples = 3 if kinds[0].startswith("Bgr") else 1
        self._n_channels = len(kinds) * self._samples
        self._dtype = np.result_type(*(np.dtype(_DTYPES[kind]) for kind in kinds))
        factors, compressions = self._subblocks(rectangle)
        self._factors = [1, *factors]
        self.levels = tuple((rectangle.h // factor, rectangle.w // factor) for factor in self._factors)
        self.stored_as = f"tiles, {', '.join(sorted(compressions)) or 'of unknown compression'}"
        others = [f"{lengths[axis]} {name}" for axis, name in _OTHER_AXES.items() if lengths.get(axis, 1) > 1]
        if others:
            message = (
                f"{self.path}: expected axes of a stack, got also {', '.join(others)}; the first along each is used"
            )
            warn(message, stacklevel=6)
        with suppress(Exception):  # metadata that cannot be read state none
            self._read_metadata(ElementTree.fromstring(self._file.raw_metadata))

    def _subblocks(self, rectangle: Any) -> tuple[list[int], set[str]]:
        """Factors by which the levels of the pyramid are smaller, and the compressions, of the scene's first plane."""
        factors: set[int] = set()
        compressions: set[str] = set()

        def note(number: int, block: Any) -> bool:
            compressions.add(str(block.get_compression_mode()).rpartition(".")[2])
            stored = block.physicalSize.w
            factor = round(block.logicalRect.w / stored) if stored > 0 else 1
            if 1 < factor <= min(rectangle.h, rectangle.w):
                factors.add(factor)
            return True

        if hasattr(self._file, "enumerate_subblocks_subset"):  # an older pylibCZIrw lists no blocks
            self._file.enumerate_subblocks_subset(note, plane={"C": 0}, roi=tuple(rectangle))
        return sorted(factors), compressions

    def _read_metadata(self, root: ElementTree.Element) -> None:
        channels = root.findall("./Metadata/Information/Image/Dimensions/Channels/Channel")
        self.channel_names = tuple(channel.get("Name") or channel.findtext("Fluor") or "" for channel in channels)
        distances = {
            distance.get("Id"): float(distance.findtext("Value") or 0)
            for distance in root.findall("./Metadata/Scaling/Items/Distance")
        }
        self.pixel_size = size_from(distances.get("Y", 0) * 1e6, distances.get("X", 0) * 1e6)
        self.z_step = positive_step(distances.get("Z", 0) * 1e6)
        self.t_step = positive_step(
            root.findtext("./Metadata/Information/Image/Dimensions/T/Positions/Interval/Increment") or 0
        )

    def pixels(self, index: tuple[int, ...], level: int) -> Pixels:
        """The pixels of a plane at a level."""
        block = (_BLOCK_LENGTH, _BLOCK_LENGTH)
        shape = (*self.levels[level], self._n_channels)
        decode = _BlockDecoder(self, dict(zip(self.axes, index, strict=True)), level)
        return BlockGrid(self.name, shape, self._dtype, block, self._samples, decode, kind="region")

    def read_block(self, plane: dict[str, int], level: int, row: int, column: int) -> NDArray:
        """A block of a level, (y, x, samples)."""
        factor, (height, width) = self._factors[level], self.levels[level]
        y, x = row * _BLOCK_LENGTH, column * _BLOCK_LENGTH
        rows, columns = min(_BLOCK_LENGTH, height - y), min(_BLOCK_LENGTH, width - x)
        corner = self._corner[0] + y * factor, self._corner[1] + x * factor
        region = (corner[1], corner[0], columns * factor, rows * factor)
        zoom = 1.0 if factor == 1 else (1 + 1e-9) / factor  # the size is rounded down
        with self._lock:
            if not self._open:
                raise ValueError("the file is closed")
            pixels = np.array(self._file.read(roi=region, plane=plane, scene=self._scene_number, zoom=zoom))
        return pixels[..., ::-1] if self._samples == 3 else pixels

    def close(self) -> None:
        """Close the file."""
        with closing(self._lock) as alone:
            if self._open and alone:
                self._open = False
                self._file.close()


class _BlockDecoder:
    """Reads blocks of a plane and level."""

    def __init__(self, stack: CziStack, plane: dict[str, int], level: int) -> None:
        self._stack, self._plane, self._level = stack, plane, level

    def __call__(self, plane: int, row: int, column: int) -> NDArray:
        pixels = self._stack.read_block(self._plane | {"C": plane}, self._level, row, column)
        return pixels.astype(self._stack._dtype, copy=False)


def _opened(path: Path) -> Any:
    library = import_library("pylibCZIrw.czi", path, "CZI files", "pylibCZIrw")
    with decoding(path, "a whole CZI file"):
        check_directory(path)
        return library.CziReader(str(path))


def _rectangles(file: Any) -> list[tuple[int | None, Any]]:
    """Number and rectangle of each scene; of the whole where there are no scenes."""
    scenes = sorted(file.scenes_bounding_rectangle_no_pyramid.items())
    found = [(number, rectangle) for number, rectangle in scenes] or [(None, file.total_bounding_rectangle_no_pyramid)]
    if any(rectangle.w < 1 or rectangle.h < 1 for _, rectangle in found):
        raise ImageError("expected scenes of at least one pixel, got an empty one")
    return found


def scene_names(path: Path) -> tuple[str, ...]:
    """Names of the scenes, or their numbers; none if there is one."""
    file = _opened(path)
    try:
        with decoding(path, "a CZI file"):
            numbers = [number for number, _ in _rectangles(file)]
            named = _named(file)
            return names_of_several(tuple(named.get(number or 0, f"scene {number}") for number in numbers))
    finally:
        file.close()


def _named(file: Any) -> dict[int, str]:
    with suppress(Exception):  # metadata that cannot be read state none
        root = ElementTree.fromstring(file.raw_metadata)
        scenes = root.findall("./Metadata/Information/Image/Dimensions/S/Scenes/Scene")
        return {int(scene.get("Index", n)): str(scene.get("Name") or f"scene {n}") for n, scene in enumerate(scenes)}
    return {}


def open_stack(path: Path, scene: int = 0) -> FileStack:
    """A scene of a CZI file as a stack."""
    return CziStack(path, scene)
