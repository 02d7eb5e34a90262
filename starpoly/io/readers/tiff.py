"""TIFF: plain, BigTIFF, OME, and the slides that tifffile knows (SVS, NDPI, SCN, QPTIFF ...)."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError, warn, without_warnings
from ...parallel import n_threads
from ...tiling import Box
from .array import DecodedSource
from .axes import Arrangement, arrange_axes, check_single_plane
from .blocks import BlockGrid
from .channel_names import names_in_tiff
from .header import Header
from .pixel_size import PixelSize, pixel_size_of_tiff, scaled
from .source import FileSource, Source, check_level
from .stack import Stack
from .tiff_colours import to_intensities
from .tiff_file import guard_decoder, open_tiff
from .tiff_pixels import NotByRegionError, TiffBytes, check_extent, pixels_of
from .untrusted import check_claim, decoding

_SLIDES = ("svs", "ndpi", "scn", "bif", "philips", "qpi", "avs")
"""Kinds of series beside which a label, a macro and a thumbnail are ordinary."""


def open_image(path: Path, level: int = 0) -> Source:
    """Open a TIFF by region, or decode it whole if its layout requires it."""
    try:
        return TiffSource(path, level)
    except NotByRegionError:
        return DecodedSource(path, level, read_whole)


def open_stack(path: Path, scene: int = 0) -> Stack:
    """Open the planes of an image in a TIFF; its scenes are the images of an OME-TIFF."""
    from .tiff_stack import TiffStack

    return TiffStack(path, scene)


def scene_names(path: Path) -> tuple[str, ...]:
    """Names of the images in an OME-TIFF, beside a slide's label, macro and thumbnail."""
    from .tiff_stack import scene_names

    return scene_names(path)


def read_whole(path: Path, *, raw: bool = False) -> NDArray:
    """Read the first image of a TIFF file at full resolution.

    Parameters
    ----------
    path : Path
        The file.
    raw : bool
        Stored numbers as they are: no palette, no colour conversion, alpha kept. For label images.

    Returns
    -------
    (Y, X) or (Y, X, C) array

    Raises
    ------
    ImageError
        For a stack along z or time, a file shorter than it says, or a colour space that is not converted. Decoders
        raise other errors on corrupt data.
    """
    with open_tiff(path) as tiff:
        series = tiff.series[main_index(tiff)] if raw else first_series(tiff, path)
        check_single_plane(series.shape, series.axes, path, pages=True)
        check_extent(series, path)
        check_claim(series.nbytes, path)
        stored = _decode_whole(series, tiff)
        arrangement = arrange_axes(stored.shape, series.axes, path)
        image = arrangement(stored)
        return image if raw else to_intensities(image, arrangement.names, series.keyframe, path)


def _decode_whole(series: Any, tiff: Any) -> NDArray:
    """All pixels of a series, whose tiles are held against their streams."""
    pages = [page for page in series.pages if page is not None]
    for page in pages:
        guard_decoder(page)
    first = series.keyframe
    if len(series.pages) == len(first.dataoffsets) == 1 and not first.is_contiguous:  # without a copy of all
        tiff.filehandle.seek(first.dataoffsets[0])
        data = tiff.filehandle.read(first.databytecounts[0])
        options = {"jpegtables": first.jpegtables, "jpegheader": first.jpegheader}
        decoded = guard_decoder(first)(data, 0, **options)[0] if data else None
        if decoded is not None and decoded.dtype == series.dtype and decoded.size == prod(series.shape):
            return decoded.reshape(series.shape)
    return series.asarray(maxworkers=n_threads())


def read_header(path: Path) -> Header:
    """Size of the first image of a TIFF file; of a stack, of one plane. Pixels need not be there.

    Raises
    ------
    ImageError
        If the size is none. tifffile raises other errors where not even the first page's tags can be read.
    """
    with open_tiff(path) as tiff:
        shape, n_bytes, n_channels = _size(tiff, path)
        pixel_size, names = _pixel_size(tiff), names_in_tiff(tiff, n_channels)
    if not (len(shape) == 2 and min(shape) > 0):
        raise ImageError(f"{path}: expected an image of at least one pixel, got shape {shape}")
    return Header(shape, n_bytes, by_region=True, pixel_size=pixel_size, channel_names=names)


def _size(tiff: Any, path: Path) -> tuple[tuple[int, int], int, int]:
    """Rows and columns of an image, bytes of all its channels, and their number."""
    page = tiff.pages.first
    size, n_bytes = (int(page.imagelength), int(page.imagewidth)), int(page.nbytes)
    try:
        series = tiff.series[main_index(tiff)]
        with without_warnings():  # said when it is read
            rows, columns, n_channels = arrange_axes(series.shape, series.axes, path).lengths(series.shape)
    except Exception:  # a stack, or later pages that cannot be read: the first page has the size of every plane
        return size, n_bytes, 0
    return (rows, columns), int(series.nbytes), n_channels


def _pixel_size(tiff: Any) -> PixelSize | None:
    with suppress(Exception):  # tags that cannot be read state none
        return pixel_size_of_tiff(tiff, tiff.series[main_index(tiff)].keyframe)
    return None


class TiffSource(FileSource):
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
        As :func:`starpoly.io.read_image` does.
    """

    def __init__(self, path: Path, level: int = 0) -> None:
        with ExitStack() as stack, decoding(path, "a TIFF file"):
            tiff = stack.enter_context(open_tiff(path))
            first = first_series(tiff, path)
            if first.transform is not None:
                raise NotByRegionError
            levels = [rows_and_columns(series) for series in first.levels]
            series = first.levels[check_level(path, level, levels)]
            check_single_plane(series.shape, series.axes, path, pages=True)
            check_extent(series, path)
            arrangement = arrange_axes(series.shape, series.axes, path)
            self._file = TiffBytes(tiff.filehandle)
            self._pixels = TiffPixels(series, arrangement, self._file, path, tiff.byteorder)
            size = scaled(pixel_size_of_tiff(tiff, first.keyframe), levels[0], levels[level])
            self._tiff = tiff
            super().__init__(
                path,
                self._pixels.shape,
                self._pixels.dtype,
                pixel_size=size,
                level=level,
                levels=levels,
                block=self._pixels.block,
                read_warning=self._pixels.read_warning,
                channel_names=names_in_tiff(tiff, self._pixels.shape[2]),
                stored_as=storage(series.keyframe),
            )
            stack.pop_all()  # stays open

    def read(self, box: Box, channels: Sequence[int]) -> NDArray:
        """See :meth:`Source.read`."""
        return self._pixels.read(box, channels)

    def close(self) -> None:
        """Close the file."""
        super().close()
        self._file.close()
        self._tiff.close()
        self._pixels.clear()


class TiffPixels:
    """Intensities of a plane of a series: what is stored, with its colours converted.

    Parameters
    ----------
    series : tifffile.TiffPageSeries
        Of the plane, or of a stack that lies in the file in one piece.
    arrangement : Arrangement
        Of the plane.
    file : TiffBytes
    path : Path
    byteorder : str
        Of the file.

    Raises
    ------
    ImageError
        For a colour space that is not converted.
    NotByRegionError
        If the layout cannot be read by region.
    """

    def __init__(self, series: Any, arrangement: Arrangement, file: TiffBytes, path: Path, byteorder: str) -> None:
        self._stored = pixels_of(series, arrangement, file, path, byteorder)
        n_stored = self._stored.shape[2]
        self._convert = _Conversion(series.keyframe, arrangement.names, n_stored, path)
        sample = self._convert(np.zeros((1, 1, n_stored), self._stored.dtype), None)
        self.shape, self.dtype = (*self._stored.shape[:2], int(sample.shape[2])), sample.dtype
        self.block: tuple[int, int] = getattr(self._stored, "block", (1, 1))
        self.read_warning: str | None = getattr(self._stored, "read_warning", None)

    def read(self, box: Box, channels: Sequence[int]) -> NDArray:
        """The pixels of a box, (y, x, len(channels))."""
        if self._convert.by_channel:
            return self._convert(self._stored.read(box, channels), None)
        return self._convert(self._stored.read(box, range(self._stored.shape[2])), channels)

    def clear(self) -> None:
        """Drop decoded blocks."""
        if isinstance(self._stored, BlockGrid):
            self._stored.clear()


_MASK = 4
"""Bit of a page's kind that marks a transparency mask."""

_PLAIN_KINDS = ("generic", "lsm", "shaped", "uniform")
"""Kinds of series, of those that tifffile knows, in which each image is a series of its own."""


def first_series(tiff: Any, path: Path) -> Any:
    """The image that is used, with a warning where there are more."""
    first = tiff.series[main_index(tiff)]
    check_complete(tiff, first, path)
    n_whole = max(1, sum(not _is_reduced(series) for series in tiff.series))
    if n_whole > 1 and first.kind not in _SLIDES:
        message = f"{path}: expected one image, got {n_whole}; the first is used"
        warn(message, stacklevel=5)
    return first


def main_index(tiff: Any) -> int:
    """Which series is the image: the first that its file does not call a reduced version of another."""
    return next((number for number, series in enumerate(tiff.series) if not _is_reduced(series)), 0)


def _is_reduced(series: Any) -> bool:
    """Whether the file calls it a reduced version, or the transparency mask, of another."""
    if series.kind not in _PLAIN_KINDS:
        return False
    page = series.keyframe
    return bool(page.is_reduced or page.subfiletype & _MASK)


def storage(page: Any) -> str:
    """How the pixels of a page lie in the file."""
    rows, columns = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
    compression = "not compressed" if page.compression == 1 else page.compression.name
    return f"{'tiles' if page.is_tiled else 'strips'} of {rows} x {columns} pixels, {compression}"


def check_complete(tiff: Any, series: Any, path: Path) -> None:
    """Refuse a file that holds fewer images than it says: tifffile reads those that are left."""
    size, following = tiff.filehandle.size, _offset_after_last(tiff)
    if following >= size:
        raise ImageError(
            f"{path}: expected a page at byte {following}, got {size} bytes; the file is truncated, copy it again"
        )
    n_planes = math.prod(series.shape) // max(1, math.prod(series.keyframe.shape))
    if n_planes > size:  # not a byte for each
        raise ImageError(
            f"{path}: expected planes that a file of {size} bytes holds, got a header for {n_planes}; save it again"
        )
    stated = (tiff.imagej_metadata or {}).get("images", 1) if tiff.is_imagej else 1
    if series.kind != "imagej" and isinstance(stated, int) and stated > len(series.pages):
        raise ImageError(
            f"{path}: expected {stated} images, got {len(series.pages)}; the file is truncated, copy it again"
        )


def _offset_after_last(tiff: Any) -> int:
    """Where the page after the last one that is there begins; 0 if there is none, or an NDPI, which counts otherwise."""
    layout, file = tiff.tiff, tiff.filehandle
    if tiff.is_ndpi or tiff.is_lsm:
        return 0
    try:
        start = tiff.pages[len(tiff.pages) - 1].offset
        file.seek(start)
        (n_tags,) = struct.unpack(layout.tagnoformat, file.read(layout.tagnosize))
        file.seek(start + layout.tagnosize + n_tags * layout.tagsize)
        return int(struct.unpack(layout.offsetformat, file.read(layout.offsetsize))[0])
    except struct.error:  # the end of the file cuts the list of tags; pixels are checked on their own
        return 0


def rows_and_columns(series: Any) -> tuple[int, int]:
    """Height and width of the planes of a series."""
    sizes = dict(zip(series.axes.upper(), series.shape, strict=False))
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
