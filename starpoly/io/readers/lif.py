"""Leica LIF and LOF through the optional package liffile, which reads what the file says; its pixels are mapped."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import ImageError, warn
from .file_stack import (
    FileStack,
    Pixels,
    check_planes,
    import_library,
    names_of_several,
    positive_step,
    size_from,
)
from .mapped import MappedChannels
from .source import check_dtype
from .stack import check_scene
from .untrusted import decoding

_ROLES = {"red": 1, "green": 2, "blue": 3}
"""Tags of the channels of a colour image."""


@dataclass(frozen=True)
class _Scene:
    """An image of the file, or a tile of a mosaic, with its name."""

    name: str
    image: Any
    tile: int = 0


class LifStack(FileStack):
    """An image of a LIF or LOF file; every tile of a mosaic is a scene.

    Parameters
    ----------
    path : Path
    scene : int

    Raises
    ------
    ImageError
        If liffile is not installed, the file is damaged, or there is no such scene.

    Warns
    -----
    StarpolyWarning
        If the image has axes beside those of a stack, such as wavelengths; the first along each is used.
    """

    stored_as = "planes, not compressed"

    def __init__(self, path: Path, scene: int = 0) -> None:
        super().__init__(path, scene, open_stack)
        with _scenes(path) as scenes:
            chosen = scenes[check_scene(path, scene, [found.name for found in scenes])]
            with decoding(path, f"the image {chosen.name}"):
                self._describe(chosen)

    def _describe(self, scene: _Scene) -> None:
        image = scene.image
        dimensions = {dimension.label: dimension for dimension in image._dimensions}
        if "X" not in dimensions or "Y" not in dimensions:
            raise ImageError(f"{self.path}: expected an image with rows and columns, got axes {''.join(dimensions)}")
        self._shape = dimensions["Y"].number_elements, dimensions["X"].number_elements
        self._strides = dimensions["Y"].bytes_inc, dimensions["X"].bytes_inc
        self.axes = "".join(axis for axis in dimensions if axis in "TZ" and dimensions[axis].number_elements > 1)
        self.lengths = tuple(dimensions[axis].number_elements for axis in self.axes)
        self._steps = tuple(dimensions[axis].bytes_inc for axis in self.axes)
        self._first = scene.tile * dimensions["M"].bytes_inc if "M" in dimensions else 0
        self._block = image.memory_block
        self._dtype = check_dtype(self.path, image.dtype)
        channels = _in_order(image._channels)
        self._offsets = [channel.bytes_inc for channel in channels]
        self.channel_names = _names(image, channels)
        self.pixel_size = size_from(_step(dimensions["Y"]), _step(dimensions["X"]))
        self.z_step = positive_step(_step(dimensions["Z"])) if "Z" in dimensions else None
        self.t_step = positive_step(_step(dimensions["T"])) if "T" in dimensions else None
        self._start, self._stop = int(self._block.offset), int(self._block.offset + self._block.size)
        others = [label for label, found in dimensions.items() if label not in "XYZTM" and found.number_elements > 1]
        if others:
            message = (
                f"{self.path}: expected axes of a stack, got also {', '.join(others)}; the first along each is used"
            )
            warn(message, stacklevel=6)
        self.pixels((0,) * len(self.lengths), 0)  # whether the first and the last plane are there
        self.pixels(tuple(length - 1 for length in self.lengths), 0)

    def pixels(self, index: tuple[int, ...], level: int) -> Pixels:
        """The pixels of a plane."""
        first = self._first + sum(at * step for at, step in zip(index, self._steps, strict=True))
        offsets = [first + offset for offset in self._offsets]
        return MappedChannels(self.path, self._start, self._stop, offsets, self._shape, self._strides, self._dtype)

    def close(self) -> None:
        """Nothing: the file is mapped for each read."""


def _in_order(channels: Sequence[Any]) -> list[Any]:
    """Channels in their order; those of a colour image as red, green, blue."""
    by_tag = {channel.channel_tag: channel for channel in channels}
    is_colour = len(channels) == len(by_tag) == 3 and set(by_tag) == set(_ROLES.values())
    return [by_tag[tag] for tag in _ROLES.values()] if is_colour else list(channels)


def _names(image: Any, channels: Sequence[Any]) -> tuple[str, ...]:
    """The dye of each channel where all have one, else its look-up table, where they differ."""
    dyes = {}
    for element in image.xml_element.findall("./Data/Image/ImageDescription/Channels/ChannelDescription"):
        properties = {found.findtext("Key"): found.findtext("Value") for found in element.findall("ChannelProperty")}
        dyes[int(element.get("BytesInc", 0))] = properties.get("DyeName") or ""
    names = tuple(dyes.get(channel.bytes_inc, "") for channel in channels)
    tables = tuple(str(channel.lut_name) for channel in channels)
    return names if all(names) else tables if len(set(tables)) == len(tables) else ()


def _step(dimension: Any) -> float:
    """Micrometres or seconds from an element to the next; 0 where it is not known."""
    factor = {"m": 1e6, "s": 1.0}.get(dimension.unit.strip(), 0.0)
    step = abs(dimension.length) * factor / max(1, dimension.number_elements - 1)
    return step if math.isfinite(step) else 0.0


@contextmanager
def _scenes(path: Path) -> Iterator[list[_Scene]]:
    """All scenes of a file that is open inside the block."""
    liffile = import_library("liffile", path, "LIF and LOF files")
    with decoding(path, "a whole LIF or LOF file"):
        file = liffile.LifFile(path)
    file.children = ()  # other files that this one names: an image from outside must not choose what is read
    try:
        with decoding(path, "a LIF or LOF file"):
            if file.type not in (liffile.LifFileType.LIF, liffile.LifFileType.LOF):
                raise ImageError(
                    f"{path}: expected a LIF or LOF file, got {file.type.name}, which names others; give those"
                )
            images = [image for image in file.images if isinstance(image, liffile.LifImage)]
            check_planes(sum(map(_n_tiles, images)), path)
            scenes = [scene for image in images for scene in _tiles(image)]
        if not scenes:
            raise ImageError(f"{path}: expected at least one image in the file, got none")
        yield scenes
    finally:
        file.close()


def _n_tiles(image: Any) -> int:
    return next((int(found.number_elements) for found in image._dimensions if found.label == "M"), 1)


def _tiles(image: Any) -> Iterator[_Scene]:
    n_tiles = _n_tiles(image)
    for tile in range(n_tiles):
        yield _Scene(f"{image.path} tile {tile}" if n_tiles > 1 else image.path, image, tile)


def scene_names(path: Path) -> tuple[str, ...]:
    """Names of the images; none if there is one."""
    with _scenes(path) as scenes:
        return names_of_several(tuple(scene.name for scene in scenes))


def open_stack(path: Path, scene: int = 0) -> FileStack:
    """An image of a LIF or LOF file as a stack."""
    return LifStack(path, scene)
