"""Registry of image file kinds: suffixes, detection and reader module.

A new kind is one module of this package and one line in :data:`READERS`. The module defines one of

- ``open_image(path, level) -> Source``, where a file holds one plane,
- ``open_stack(path, scene) -> Stack``, where it may hold several, and ``scene_names(path) -> tuple of str``, empty for a single
  scene, where it may hold several of these, too,

and, where there is a better way than through these, ``open_image``, ``read_whole(path, *, raw) -> array``,
``read_header(path) -> Header`` and ``title_of(path) -> str``.

The table is light: it loads the module of a kind, and the libraries behind it, when a file of that kind is read.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ...errors import ImageError, without_warnings
from ..files.url import UrlPath
from .header import Header
from .time_limit import within_time
from .untrusted import check_claim, decoding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .source import Source
    from .stack import Stack

N_FIRST_BYTES = 16
"""Bytes at the start of a file that tell its kind."""

_TO_OPEN = "to be opened"

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
    package, extra : str
        The package that it needs, and the extra that installs it; empty where starpoly brings it.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    matches: Callable[[Path, bytes], bool]
    package: str = ""
    extra: str = ""

    @property
    def is_installed(self) -> bool:
        """Whether the package that it needs is there."""
        return not self.package or find_spec(self.package) is not None

    def open(self, path: Path, level: int = 0, *, as_channels: bool = False) -> Source:
        """Open a level of the one image of a file to read it by region.

        Parameters
        ----------
        path : Path
        level : int
        as_channels : bool
            Whether planes without names are channels, however many.

        Raises
        ------
        ImageError
            For a stack.
        """
        return within_time(lambda: self._open(path, level, as_channels), path, _TO_OPEN)

    def _open(self, path: Path, level: int, as_channels: bool) -> Source:
        from .single_plane import open_as_channels, open_only_plane

        if as_channels and self.has_stacks:
            source = open_as_channels(self.stack, path, level)
            if source is not None:
                return source
        open_image = getattr(self._module(), "open_image", None)
        return open_only_plane(self, path, level) if open_image is None else open_image(path, level)

    @property
    def has_stacks(self) -> bool:
        """Whether files of this kind may hold more than one plane."""
        return hasattr(self._module(), "open_stack")

    def read(self, path: Path, *, raw: bool = False) -> NDArray:
        """The whole image; ``raw`` for the stored numbers without conversion of colours, as labels are read."""
        with decoding(path):
            return within_time(lambda: self._read(path, raw), path)

    def _read(self, path: Path, raw: bool) -> NDArray:
        read_whole = getattr(self._module(), "read_whole", None)
        if read_whole is not None:
            return read_whole(path, raw=raw)
        with self.open(path) as source:
            check_claim(source.nbytes, path)
            return source[:, :]

    def header(self, path: Path) -> Header:
        """What the header says; the pixels need not be whole."""
        with decoding(path, "an image file with a header"):
            return within_time(lambda: self._header(path), path, "a header")

    def _header(self, path: Path) -> Header:
        read_header = getattr(self._module(), "read_header", None)
        if read_header is not None:
            return read_header(path)
        # its warnings come when it is read
        with without_warnings(), self.stack(path) as stack, stack.open_plane((0,) * len(stack.lengths)) as source:
            return Header(
                source.shape[:2],
                source.nbytes,
                by_region=True,
                pixel_size=source.pixel_size,
                bounds=source.bounds,
                position=source.position,
                channel_names=source.channel_names,
                single_axes=source.single_axes,
            )

    def title_of(self, path: Path) -> str:
        """What messages call a file of this kind: the title, or what its module says of files of several kinds."""
        title_of = getattr(self._module(), "title_of", None)
        return self.title if title_of is None else title_of(path)

    def stack(self, path: Path, scene: int = 0) -> Stack:
        """Open the planes of a scene; a kind without stacks has one."""
        from .single_plane import SinglePlane

        open_stack = getattr(self._module(), "open_stack", SinglePlane)
        return within_time(lambda: open_stack(path, scene), path, _TO_OPEN)

    def scene_names(self, path: Path) -> tuple[str, ...]:
        """Names of the scenes of a file; none if there is one."""
        names = getattr(self._module(), "scene_names", None)
        with decoding(path):
            return () if names is None else within_time(lambda: names(path), path, "a list of scenes")

    def _module(self) -> ModuleType:
        return import_module(f".{self.name}", __package__)


def starts_with(*starts: bytes) -> Callable[[Path, bytes], bool]:
    """Tells a kind by its first bytes."""
    return lambda path, first: first.startswith(starts)


def ends_with(*suffixes: str) -> Callable[[Path, bytes], bool]:
    """Tells a kind by its suffix, for kinds without a mark of their own."""
    return lambda path, first: path.suffix.lower() in suffixes


def is_zarr(path: Path, first: bytes = b"") -> bool:
    """Whether a folder is a zarr array or group: one image. Whatever a URL names has to be one."""
    return isinstance(path, UrlPath) or (not first and any((path / mark).is_file() for mark in _ZARR_MARKS))


def _is_imagexpress(path: Path, first: bytes) -> bool:
    """The TIFF of a field's first wavelength; its plate is described beside it."""
    if not first.startswith(_TIFF_STARTS) or "_" not in path.name:
        return False
    from .imagexpress import is_field

    return is_field(path)


def _is_nd2(path: Path, first: bytes) -> bool:
    """Old ND2 files are JPEG 2000 files of another name."""
    return first.startswith(b"\xda\xce\xbe\x0a") or (first.startswith(_JPEG_2000) and path.suffix.lower() == ".nd2")


def _is_leica(path: Path, first: bytes) -> bool:
    """LIF and LOF begin with a block of text."""
    return first.startswith(b"\x70\0\0\0") and first[8:9] == b"\x2a"


_TIFF = (".tif", ".tiff", ".btf", ".tf8", ".svs", ".ndpi", ".scn", ".bif", ".qptiff", ".lsm", ".stk")
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_SLIDES = (".mrxs", ".vms", ".vmu", ".dcm", ".svslide")
_JPEG_2000 = b"\0\0\0\x0cjP  "
_RASTER_STARTS = (b"\x89PNG", b"\xff\xd8\xff", b"BM")

READERS: tuple[Reader, ...] = (
    Reader("zarr", "OME-Zarr", (".zarr",), is_zarr),
    Reader("npy", "NPY", (".npy",), starts_with(b"\x93NUMPY")),
    Reader("htd", "ImageXpress field", (), _is_imagexpress),  # before TIFF, of which its planes are
    Reader("tiff", "TIFF", _TIFF, starts_with(*_TIFF_STARTS)),
    Reader("czi", "CZI", (".czi",), starts_with(b"ZISRAWFILE"), "pylibCZIrw", "czi"),
    Reader("nd2", "ND2", (".nd2",), _is_nd2, "nd2", "nd2"),
    Reader("lif", "LIF or LOF", (".lif", ".lof"), _is_leica, "liffile", "lif"),
    Reader("oif", "OIF or OIB", (".oif", ".oib"), ends_with(".oif", ".oib"), "oiffile", "oif"),
    Reader(
        "openslide", "slide", _SLIDES, ends_with(*_SLIDES), "openslide", "wsi"
    ),  # before raster: a .mrxs file is a JPEG
    Reader("raster", "PNG, JPEG or BMP", (".png", ".jpg", ".jpeg", ".bmp"), starts_with(*_RASTER_STARTS)),
)
"""All kinds; the first that matches reads a file."""

SUFFIXES = frozenset(suffix for reader in READERS for suffix in reader.suffixes)
"""Suffixes of all kinds, in small letters."""

TITLES = ", ".join(reader.title for reader in READERS)
"""All kinds, for messages."""


def missing_readers(paths: Iterable[Path]) -> dict[Reader, int]:
    """Kinds of files whose package is not installed, and how many of these files there are, by their suffix."""
    found = Counter(path.suffix.lower() for path in paths)
    missing = [reader for reader in READERS if not reader.is_installed]
    counts = {reader: sum(found[suffix] for suffix in reader.suffixes) for reader in missing}
    return {reader: n for reader, n in counts.items() if n}


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
    first = b"" if isinstance(path, UrlPath) or os.path.isdir(path) else first_bytes(path)
    for reader in READERS:
        if reader.matches(path, first):
            return reader
    got = "something else; convert it" if first else "a folder that is no zarr; name the files in it"
    raise ImageError(f"{path}: expected an image ({TITLES}), got {got}")


def first_bytes(path: Path) -> bytes:
    """The bytes at the start of a file; a clear error where there are none."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for, a device may have no end
            raise ImageError(f"{path}: expected an image file, got a pipe or device; save it as a file")
        with open(path, "rb") as file:
            start = file.read(N_FIRST_BYTES)
    except FileNotFoundError as error:
        raise ImageError(f"{path}: expected an image file, got nothing there; check the path") from error
    except OSError as error:
        raise ImageError(f"{path}: expected a readable image file, got: {error.strerror or error}") from error
    if not start:
        raise ImageError(f"{path}: expected an image file, got an empty one (0 bytes); copy it again")
    return start
