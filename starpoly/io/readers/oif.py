"""Olympus OIF and OIB through the optional package oiffile; a plane is decoded whole when it is read."""

from __future__ import annotations

import math
import re
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError
from .blocks import BlockGrid, Packed
from .compound_file import check_compound_file, is_compound_file
from .file_stack import FileStack, Pixels, closing, import_library, positive_step, size_from
from .pixel_size import MICROMETRES
from .source import check_dtype
from .stack import check_scene
from .tiff_file import guard_decoder, open_tiff_within
from .untrusted import check_claim, decoding, size_on_disk

_SECONDS = {"s": 1.0, "ms": 1e-3}
_PLANE = re.compile(r"s_((?:[A-Z]\d{1,6})+)\.tif$", re.IGNORECASE)


class OifStack(FileStack):
    """The image of an OIF, with its folder of planes beside it, or of an OIB file.

    Parameters
    ----------
    path : Path
    scene : int
        0, the only one.

    Raises
    ------
    ImageError
        If oiffile is not installed, or the file is damaged or without its planes.
    """

    def __init__(self, path: Path, scene: int = 0) -> None:
        super().__init__(path, scene, open_stack)
        check_scene(path, scene, ())
        library = import_library("oiffile", path, "OIF and OIB files")
        self._lock = threading.Lock()
        with decoding(path, "a whole OIF or OIB file"):
            self._file = _open(library, path)
        with self.describing("an OIF or OIB file"):
            self._describe()

    def _describe(self) -> None:
        settings = self._file.mainfile
        axes = {str(axis["AxisCode"]): axis for axis in _numbered(settings, "Axis {} Parameters Common", 0)}
        self.axes = "".join(axis for axis in "TZ" if int(axes.get(axis, {}).get("MaxSize", 0)) > 1)
        self.lengths = tuple(int(axes[axis]["MaxSize"]) for axis in self.axes)
        n_channels = max(1, int(axes.get("C", {}).get("MaxSize", 1)))
        reference = settings["Reference Image Parameter"]
        self._shape = (int(reference["ImageHeight"]), int(reference["ImageWidth"]), n_channels)
        self._dtype = check_dtype(self.path, np.dtype(self._file.dtype))
        folder = _folder_of(self.path)
        self._stored = folder if folder.is_dir() else self.path
        check_claim(math.prod(self._shape) * self._dtype.itemsize, self._stored)
        self._planes = {_place(name): name for name in self._file.glob("*.tif") if _PLANE.search(name)}
        self.stored_as = f"a TIFF per plane of {self._shape[0]} x {self._shape[1]} pixels"
        self._name_of({}, 0)  # whether there are planes at all
        self.channel_names = tuple(
            str(channel.get("DyeName") or channel.get("CH Name") or "")
            for channel in _numbered(settings, "Channel {} Parameters", 1)[:n_channels]
        )
        factors = [MICROMETRES.get(str(reference.get(f"{side}Unit", "")).lower(), 0.0) for side in ("Height", "Width")]
        self.pixel_size = size_from(
            float(reference.get("HeightConvertValue", 0)) * factors[0],
            float(reference.get("WidthConvertValue", 0)) * factors[1],
        )
        self.z_step = _step(axes.get("Z", {}), MICROMETRES)
        self.t_step = _step(axes.get("T", {}), _SECONDS)

    def pixels(self, index: tuple[int, ...], level: int) -> Pixels:
        """The pixels of a plane."""
        at = dict(zip(self.axes, index, strict=True))
        names = [self._name_of(at, channel) for channel in range(self._shape[2])]
        packed = Packed(size_on_disk(self._stored), self._shape[0] * self._shape[1] * self._dtype.itemsize)
        decode = _PlaneDecoder(self, names)
        return BlockGrid(self.name, self._shape, self._dtype, self._shape[:2], 1, decode, "plane", lambda *_: packed)

    def _name_of(self, at: dict[str, int], channel: int) -> str:
        place = frozenset((axis, number) for axis, number in {**at, "C": channel}.items() if number)
        if place not in self._planes:
            where = ", ".join(f"{axis} {number}" for axis, number in {**at, "C": channel}.items())
            raise ImageError(f"{self.name}: expected a plane at {where}, got none; copy the file with its folder again")
        return self._planes[place]

    def decode(self, name: str) -> NDArray:
        """The pixels of a file within, (Y, X)."""
        with self._lock, self._file.open_file(name) as file, open_tiff_within(file, name) as tiff:
            page = tiff.pages.first
            if page.shape != self._shape[:2] or len(tiff.pages) != 1:
                raise ImageError(f"expected a plane of {self._shape[:2]} pixels in {name}, got {page.shape}")
            guard_decoder(page)
            return page.asarray()

    def close(self) -> None:
        """Close the file."""
        with closing(self._lock) as alone:
            if alone:
                self._file.close()


class _PlaneDecoder:
    """Decodes a channel of a plane."""

    def __init__(self, stack: OifStack, names: list[str]) -> None:
        self._stack, self._names = stack, names

    def __call__(self, plane: int, row: int, column: int) -> NDArray:
        return self._stack.decode(self._names[plane])[..., None].astype(self._stack._dtype, copy=False)


def _open(library: Any, path: Path) -> Any:
    if is_compound_file(path):
        check_compound_file(path)
    else:
        _check_planes(_folder_of(path))
    return library.OifFile(path)


def _folder_of(path: Path) -> Path:
    """Where the planes of an OIF lie, beside it."""
    return path.with_name(f"{path.name}.files")


def _check_planes(folder: Path) -> None:
    """Refuse what is no regular file: a pipe would be waited for."""
    for path in sorted(folder.glob("*")):
        if not (path.is_file() or path.is_dir()):
            raise ImageError(
                f"{path}: expected a regular file, got something else; copy the image with its folder again"
            )


def _place(name: str) -> frozenset[tuple[str, int]]:
    """Position of a plane along its axes, from 0, without those at 0."""
    found = _PLANE.search(name)
    letters = re.findall(r"([A-Z])(\d+)", found[1].upper()) if found else []
    return frozenset((axis, int(number) - 1) for axis, number in letters if int(number) > 1)


def _numbered(settings: Any, name: str, first: int) -> list[Any]:
    """Sections with numbers in their names, until one is missing."""
    found: list[Any] = []
    while (section := settings.get(name.format(first + len(found)))) is not None:
        found.append(section)
    return found


def _step(axis: Any, units: dict[str, float]) -> float | None:
    """Distance of neighbours along an axis."""
    with suppress(Exception):  # settings that cannot be read state none
        factor = units[str(axis["UnitName"]).strip().lower()]
        extent = float(axis["EndPosition"]) - float(axis["StartPosition"])
        return positive_step(extent * factor / (int(axis["MaxSize"]) - 1))
    return None


def open_stack(path: Path, scene: int = 0) -> FileStack:
    """The image of an OIF or OIB file as a stack."""
    return OifStack(path, scene)
