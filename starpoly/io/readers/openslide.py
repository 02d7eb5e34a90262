"""MIRAX, Hamamatsu VMS, DICOM and other slides through the optional OpenSlide."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError, install_command
from ...tiling import Box
from .blocks import BlockGrid
from .pixel_size import in_micrometres, scaled
from .source import FileSource, check_level
from .untrusted import decoding

_BLOCK_LENGTH = 512


class OpenSlideSource(FileSource):
    """A level of a slide as RGB. Unscanned areas have the slide's background colour.

    Parameters
    ----------
    path : Path
    level : int
        0 is full resolution.

    Raises
    ------
    ImageError
        If OpenSlide is not installed, does not know the file, or there is no such level.
    """

    def __init__(self, path: Path, level: int = 0) -> None:
        openslide = _import_openslide(path)
        with decoding(path, "a slide"):
            self._slide = openslide.OpenSlide(path)
        try:
            levels = [(height, width) for width, height in self._slide.level_dimensions]
            check_level(path, level, levels)
            properties = self._slide.properties
            size = in_micrometres(properties.get("openslide.mpp-y"), properties.get("openslide.mpp-x"), "um")
            self._background = _colour(properties.get("openslide.background-color"))
            self._lock = threading.Lock()
            self._open = True
            # read fixed blocks: at low levels, OpenSlide's pixels depend slightly on the region's origin
            block = (_BLOCK_LENGTH, _BLOCK_LENGTH)
            self._pixels = BlockGrid(
                str(path), (*levels[level], 3), np.dtype(np.uint8), block, 3, self._decode, kind="region"
            )
        except BaseException:
            self._slide.close()
            raise
        self._downsample = self._slide.level_downsamples[level]
        super().__init__(
            path,
            self._pixels.shape,
            np.uint8,
            pixel_size=scaled(size, levels[0], levels[level]),
            level=level,
            levels=levels,
            bounds=_bounds(properties),
            block=self._pixels.block,
        )

    def read(self, box: Box, channels: Sequence[int]) -> NDArray:
        """See :meth:`Source.read`."""
        return self._pixels.read(box, channels)

    def close(self) -> None:
        """Close the slide."""
        super().close()
        with self._lock:
            self._open = False
            self._slide.close()
        self._pixels.clear()

    def _decode(self, plane: int, row: int, column: int) -> NDArray:
        height, width = self._pixels.block
        corner = round(column * width * self._downsample), round(row * height * self._downsample)
        with self._lock:
            if not self._open:
                raise ValueError("the file is closed")
            picture = np.asarray(self._slide.read_region(corner, self.level, (width, height)), np.uint16)
        alpha = picture[..., 3:]
        return ((picture[..., :3] * alpha + self._background * (255 - alpha) + 127) // 255).astype(np.uint8)


def _import_openslide(path: Path):  # type: ignore[no-untyped-def]
    """Import the optional library on demand."""
    try:
        import openslide
    except (ImportError, OSError) as error:
        message = f"{path}: expected OpenSlide to read {path.suffix} slides, got none; {install_command('wsi')}"
        raise ImageError(message) from error
    return openslide


def _bounds(properties: Mapping[str, str]) -> tuple[int, int]:
    """First pixel (y, x) that was scanned; QuPath counts from there where all four properties are whole numbers."""
    try:
        x, y, _, _ = (int(properties[f"openslide.bounds-{name}"]) for name in ("x", "y", "width", "height"))
    except (KeyError, ValueError):
        return 0, 0
    return y, x


def _colour(stated: str | None) -> NDArray[np.uint16]:
    """A colour RRGGBB; white where none is stated."""
    try:
        return np.frombuffer(bytes.fromhex(stated or "ffffff"), np.uint8)[:3].astype(np.uint16).reshape(3)
    except ValueError:
        return np.full(3, 255, np.uint16)


open_image = OpenSlideSource
