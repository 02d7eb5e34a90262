"""Registry of image file kinds: suffixes, detection and reader module.

A new kind is one module of this package and one line in :data:`READERS`. The module defines

- ``open_image(path, level) -> Source``,
- where files hold more than one plane, ``open_stack(path, scene) -> Stack``, and, where they hold more than one scene,
  ``scene_names(path) -> tuple of str``, empty for a single scene,
- and, where there is a better way than through that source, ``read_whole(path, *, raw) -> array`` and
  ``read_header(path) -> Header``.

The table is light: it loads the module of a kind, and the libraries behind it, when a file of that kind is read.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ...errors import ImageError, StarpolyWarning
from .header import Header
from .untrusted import decoding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .source import Source
    from .stack import Stack

N_FIRST_BYTES = 16
"""Bytes at the start of a file that tell its kind."""

_ZARR_MARKS = ("zarr.json", ".zarray", ".zgroup", ".zattrs")


@dataclass(frozen=True)
class Reader:
    """One kind of image file.

    Attributes
    ----------
    name : str
        The module of this package that reads it.
    title : str
        What messages call it.
    suffixes : tuple of str
        Of such files, in small letters; folders and patterns are searched for them.
    matches : callable
        Whether a path and the first bytes of the file (none for a folder) are of this kind.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    matches: Callable[[Path, bytes], bool]

    def open(self, path: Path, level: int = 0) -> Source:
        """Open a level of the image to read it by region."""
        return self._module().open_image(path, level)

    def read(self, path: Path, *, raw: bool = False) -> NDArray:
        """The whole image; ``raw`` for the stored numbers without conversion of colours, as labels are read."""
        read_whole = getattr(self._module(), "read_whole", None)
        with decoding(path):
            if read_whole is not None:
                return read_whole(path, raw=raw)
            with self.open(path) as source:
                return source[:, :]

    def header(self, path: Path) -> Header:
        """What the header says; the pixels need not be whole."""
        read_header = getattr(self._module(), "read_header", None)
        with decoding(path, "an image file with a header"):
            if read_header is not None:
                return read_header(path)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", StarpolyWarning)  # said when it is read
                with self.open(path) as source:
                    return Header(source.shape[:2], source.nbytes, by_region=True, pixel_size=source.pixel_size)

    def stack(self, path: Path, scene: int = 0) -> Stack:
        """Open the planes of a scene; a kind without stacks has one."""
        from .single_plane import SinglePlane

        return getattr(self._module(), "open_stack", SinglePlane)(path, scene)

    def scene_names(self, path: Path) -> tuple[str, ...]:
        """Names of the scenes of a file; none if there is one."""
        names = getattr(self._module(), "scene_names", None)
        with decoding(path):
            return () if names is None else names(path)

    def _module(self) -> ModuleType:
        return import_module(f".{self.name}", __package__)


def starts_with(*starts: bytes) -> Callable[[Path, bytes], bool]:
    """Tells a kind by its first bytes."""
    return lambda path, first: first.startswith(starts)


def ends_with(*suffixes: str) -> Callable[[Path, bytes], bool]:
    """Tells a kind by its suffix, for kinds without a mark of their own."""
    return lambda path, first: path.suffix.lower() in suffixes


def is_zarr(path: Path, first: bytes = b"") -> bool:
    """Whether a folder is a zarr array or group: one image."""
    return not first and any((path / mark).is_file() for mark in _ZARR_MARKS)


_TIFF = (".tif", ".tiff", ".btf", ".tf8", ".svs", ".ndpi", ".scn", ".bif", ".qptiff", ".lsm", ".stk")
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_SLIDES = (".mrxs", ".vms", ".vmu", ".dcm", ".svslide", ".czi")
_RASTER_STARTS = (b"\x89PNG", b"\xff\xd8\xff", b"BM")

READERS: tuple[Reader, ...] = (
    Reader("zarr", "OME-Zarr", (".zarr",), is_zarr),
    Reader("npy", "NPY", (".npy",), starts_with(b"\x93NUMPY")),
    Reader("tiff", "TIFF", _TIFF, starts_with(*_TIFF_STARTS)),
    Reader("openslide", "slide", _SLIDES, ends_with(*_SLIDES)),  # before raster: a .mrxs file is a JPEG
    Reader("raster", "PNG, JPEG or BMP", (".png", ".jpg", ".jpeg", ".bmp"), starts_with(*_RASTER_STARTS)),
)
"""All kinds; the first that matches reads a file."""

SUFFIXES = frozenset(suffix for reader in READERS for suffix in reader.suffixes)
"""Suffixes of all kinds, in small letters."""

TITLES = ", ".join(reader.title for reader in READERS)
"""All kinds, for messages."""


def has_image_suffix(path: Path) -> bool:
    """Whether a name ends as those of images do, in small or capital letters."""
    return path.suffix.lower() in SUFFIXES


def find_reader(path: Path) -> Reader:
    """The reader of a file or folder, told by its content.

    Raises
    ------
    ImageError
        If there is nothing, the file is empty or cannot be read, or no reader knows it.
    """
    first = b"" if path.is_dir() else first_bytes(path)
    for reader in READERS:
        if reader.matches(path, first):
            return reader
    got = "something else; convert it" if first else "a folder that is no zarr; name the files in it"
    raise ImageError(f"{path}: expected an image ({TITLES}), got {got}")


def first_bytes(path: Path) -> bytes:
    """The bytes at the start of a file; a clear error where there are none."""
    try:
        with open(path, "rb") as file:
            start = file.read(N_FIRST_BYTES)
    except FileNotFoundError as error:
        raise ImageError(f"{path}: expected an image file, got nothing there; check the path") from error
    except OSError as error:
        raise ImageError(f"{path}: expected a readable image file, got: {error.strerror or error}") from error
    if not start:
        raise ImageError(f"{path}: expected an image file, got an empty one (0 bytes); copy it again")
    return start
