"""TIFF, read by tile or strip: plain, BigTIFF, OME, and the slides that tifffile knows (SVS, NDPI, SCN, QPTIFF ...)."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError, StarpolyWarning
from ...tiling import Box
from .axes import Arrangement, arrange_axes
from .blocks import BlockGrid
from .mapped import MappedPlanes
from .pixel_size import pixel_size_of_tiff, scaled
from .source import Source, check_level
from .tiff_decoding import check_claim, check_extent, to_intensities
from .untrusted import decoding

_SLIDES = ("svs", "ndpi", "scn", "bif", "philips", "qpi", "avs")
"""Kinds of series beside which a label, a macro and a thumbnail are ordinary."""

_JPEG = (6, 7, 34892, 33007)
"""Compressions whose tables stand apart from the tiles."""


class NotByRegionError(ImageError):
    """The layout is one that only a decoder of whole images knows."""


class TiffSource(Source):
    """The first image of a TIFF file, at a level of its pyramid.

    Parameters
    ----------
    path : Path
    level : int
        0 is full resolution.

    Raises
    ------
    ImageError
        If the file is damaged, holds a stack or a colour space that is not converted, or has no such level.
    NotByRegionError
        If the image must be decoded as a whole.

    Warns
    -----
    StarpolyWarning
        As :func:`starpoly.io.readers.images.read_image` does.
    """

    def __init__(self, path: Path, level: int = 0) -> None:
        import tifffile

        with ExitStack() as stack, decoding(path, "a TIFF file"):
            # an OME-TIFF may name other files; an image from outside must not choose what is read
            tiff = stack.enter_context(tifffile.TiffFile(path, _multifile=False))
            first = _first_series(tiff, path)
            levels = [_rows_and_columns(series) for series in first.levels]
            series = first.levels[check_level(path, level, levels)]
            check_extent(series, path)
            arrangement = arrange_axes(series.shape, series.axes, path)
            page = series.keyframe
            self._file = _TiffBytes(tiff.filehandle)
            self._pixels = _pixels_of(series, arrangement, self._file, path, tiff.byteorder)
            self._convert = _Conversion(page, arrangement.names, self._pixels.shape[2], path)
            sample = self._convert(np.zeros((1, 1, self._pixels.shape[2]), self._pixels.dtype), None)
            size = scaled(pixel_size_of_tiff(tiff, first.keyframe), levels[0], levels[level])
            self._tiff = tiff
            super().__init__(
                path,
                (*self._pixels.shape[:2], sample.shape[2]),
                sample.dtype,
                pixel_size=size,
                level=level,
                levels=levels,
                block=getattr(self._pixels, "block", (1, 1)),
                read_warning=getattr(self._pixels, "read_warning", None),
            )
            stack.pop_all()  # stays open

    def read(self, box: Box, channels: Sequence[int]) -> NDArray:
        """See :meth:`Source.read`."""
        if self._convert.by_channel:
            return self._convert(self._pixels.read(box, channels), None)
        return self._convert(self._pixels.read(box, range(self._pixels.shape[2])), channels)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._tiff.close()
        if isinstance(self._pixels, BlockGrid):
            self._pixels.clear()


def _first_series(tiff: Any, path: Path) -> Any:
    first = tiff.series[0]
    if len(tiff.series) > 1 and first.kind not in _SLIDES:
        message = f"{path}: expected one image, got {len(tiff.series)}; the first is used"
        warnings.warn(message, StarpolyWarning, stacklevel=5)
    if first.transform is not None:
        raise NotByRegionError
    return first


def _rows_and_columns(series: Any) -> tuple[int, int]:
    sizes = dict(zip(series.axes, series.shape, strict=False))
    return sizes.get("Y", 1), sizes.get("X", 1)


@dataclass(frozen=True)
class _Conversion:
    """Stored samples to intensities; ``by_channel`` where a channel does not need the others."""

    page: Any
    names: str
    n_stored: int
    path: Path

    @property
    def by_channel(self) -> bool:
        return self.names in ("YXC", "YXQ")

    def __call__(self, stored: NDArray, channels: Sequence[int] | None) -> NDArray:
        image = stored[..., 0] if self.names == "YX" else stored
        image = to_intensities(image, self.names, self.page, self.path)
        image = image if image.ndim == 3 else image[..., None]
        return image if channels is None else image[..., list(channels)]


class _TiffBytes:
    """Bytes of an open file for several threads."""

    def __init__(self, handle: Any) -> None:
        self._handle, self._lock, self._open = handle, threading.Lock(), True

    def read(self, offset: int, count: int) -> bytes:
        with self._lock:
            if not self._open:
                raise ValueError("the file is closed")
            self._handle.seek(offset)
            data = self._handle.read(count)
        if len(data) != count:
            raise ValueError(f"expected {count} bytes at {offset}, got {len(data)}")
        return data

    def close(self) -> None:
        with self._lock:
            self._open = False


def _pixels_of(
    series: Any, arrangement: Arrangement, file: _TiffBytes, path: Path, byteorder: str
) -> BlockGrid | MappedPlanes:
    """How the pixels of a series are reached: mapped where they lie there plainly, else block by block."""
    page = series.keyframe
    dtype = np.dtype(page.dtype)
    stored = dtype.newbyteorder(byteorder)
    if series.dataoffset is not None:
        return MappedPlanes(path, [series.dataoffset], series.shape, stored, arrangement)
    pages = list(series.pages)
    planes, depth, height, width, samples = page.shaped
    fits = (height, width, len(pages) * planes * samples) == arrangement.lengths(series.shape)
    alike = all(other is None or other.keyframe.shaped == page.shaped for other in pages)
    if depth != 1 or not fits or not alike or (samples > 1 and len(pages) > 1):
        raise NotByRegionError
    block = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, width)
    whole = all(other is not None and len(other.dataoffsets) == 1 for other in pages)
    if whole and page.is_final and not page.is_tiled and planes * samples == 1:
        plain = Arrangement((0, 1), "YX", 2)
        return MappedPlanes(path, [other.dataoffsets[0] for other in pages], (height, width), stored, plain)
    if page.compression != 1:
        check_claim(min(block[0], height) * min(block[1], width) * samples * dtype.itemsize, path)
    decode = _SegmentDecoder(pages, block, file)
    kind = "tile" if page.is_tiled else "strip"
    return BlockGrid(str(path), (height, width, len(pages) * planes * samples), dtype, block, samples, decode, kind)


class _SegmentDecoder:
    """Decodes the tile or strip at a row and column of a plane: a page's sample plane, page after page."""

    def __init__(self, pages: Sequence[Any], block: tuple[int, int], file: _TiffBytes) -> None:
        self._file = file
        key = next(page for page in pages if page is not None).keyframe
        self._planes, _, height, width, self._samples = key.shaped
        self._n_rows, self._n_columns = -(-height // block[0]), -(-width // block[1])
        self._block, self._key = (min(block[0], height), min(block[1], width)), key
        # read now: afterwards nothing but tiles is read, under the lock
        self._options = [
            {"jpegtables": page.jpegtables, "jpegheader": page.keyframe.jpegheader}
            if page is not None and key.compression in _JPEG
            else {}
            for page in pages
        ]
        # tifffile makes a page's decoder when it is first asked for, which is not thread-safe
        self._decoders = [None if page is None else page.keyframe.decode for page in pages]
        self._places = [None if page is None else (page.dataoffsets, page.databytecounts) for page in pages]

    def __call__(self, plane: int, row: int, column: int) -> NDArray:
        index = ((plane % self._planes) * self._n_rows + row) * self._n_columns + column
        number = plane // self._planes
        place, decode = self._places[number], self._decoders[number]
        if place is None or decode is None or place[1][index] == 0:
            return np.full((*self._block, self._samples), self._key.nodata, self._key.dtype)
        data = self._file.read(place[0][index], place[1][index])
        decoded, _, shape = decode(data, index, **self._options[number])
        if decoded is None or shape[0] != 1:
            raise ImageError("no pixels")
        return decoded[0]
