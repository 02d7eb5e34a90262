"""Planes of a TIFF: pages, ImageJ's hyperstacks, OME-TIFF, LSM and STK."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError
from ...tiling import Box
from .axes import PlaneAxes, arrange_axes, arrange_plane, has_channels, plane_axes
from .channel_names import names_in_tiff
from .pixel_size import pixel_size_of_tiff, scaled
from .plane_steps import steps_of_tiff
from .source import FileSource, Source, check_level
from .stack import Stack, check_scene, reopen_plane
from .tiff import TiffPixels, check_complete, first_series, main_index, rows_and_columns, storage
from .tiff_file import open_tiff
from .tiff_pixels import NotByRegionError, TiffBytes, check_extent
from .untrusted import decoding

_BESIDE_A_SLIDE = re.compile(r"(label|macro|thumbnail|overview)( image)?", re.IGNORECASE)
"""Names of images that converters of slides add."""


def scene_names(path: Path) -> tuple[str, ...]:
    """See :func:`starpoly.io.readers.tiff.scene_names`."""
    with decoding(path, "a TIFF file"), open_tiff(path) as tiff:
        return tuple(name for _, name in _scenes(tiff))


class TiffStack(Stack):
    """The planes of one image in a TIFF.

    Parameters
    ----------
    path : Path
    scene : int
        Which image of an OME-TIFF; of other files there is one.

    Raises
    ------
    ImageError
        If the file is damaged, its axes are more than time, z and channels, or there is no such scene.
    """

    def __init__(self, path: Path, scene: int = 0) -> None:
        self.name = str(path)
        self._path, self._scene = path.absolute(), scene
        with ExitStack() as opened, decoding(path, "a TIFF file"):
            tiff = opened.enter_context(open_tiff(path))
            scenes = _scenes(tiff)
            check_scene(path, scene, [name for _, name in scenes])
            number = scenes[scene][0] if scenes else main_index(tiff)
            self._series = tiff.series[number]
            check_complete(tiff, self._series, path)
            self._planes = plane_axes(self._series.shape, self._series.axes, path, pages=True)
            if self._planes.names:
                if not scenes:
                    first_series(tiff, path)  # warns of further images
                check_extent(self._series, path)
            with suppress(Exception):  # tags that cannot be read state nothing
                self.pixel_size = pixel_size_of_tiff(tiff, self._series.keyframe, number)
                self.z_step, self.t_step = steps_of_tiff(tiff, number)
            self._number = number
            self.channel_names = names_in_tiff(tiff, _n_channels(self._series), number)
            self._file, self._tiff = TiffBytes(tiff.filehandle), tiff
            self._opened = opened.pop_all()
        self.axes, self.lengths, self.unnamed = self._planes.names, self._planes.lengths, self._planes.unnamed
        self.has_channels = has_channels(self._series.shape, self._series.axes)

    def open_plane(self, index: tuple[int, ...], level: int = 0) -> Source:
        """See :meth:`Stack.open_plane`."""
        return _TiffPlane(self, tuple(index), level)

    def open_as_channels(self, level: int = 0) -> Source:
        """See :meth:`Stack.open_as_channels`."""
        return _TiffPlane(self, None, level) if self.may_be_channels else super().open_as_channels(level)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._opened.close()

    def _pixels(self, index: tuple[int, ...] | None, level: int) -> tuple[TiffPixels, list[tuple[int, int]]]:
        levels = [rows_and_columns(series) for series in self._series.levels]
        series = self._series.levels[check_level(self.name, level, levels)]
        if len(series.shape) != len(self._series.shape) or series.transform is not None:
            raise _not_by_plane(self.name)
        try:
            return self._arranged(series, index), levels
        except NotByRegionError as error:
            raise _not_by_plane(self.name) from error

    def _arranged(self, series: Any, index: tuple[int, ...] | None) -> TiffPixels:
        byteorder = self._tiff.byteorder
        if index is None or series.dataoffset is not None:  # planes are channels, or lie in one piece
            arrangement = arrange_plane(series.shape, series.axes, self._planes, index, self._path)
            return TiffPixels(series, arrangement, self._file, self._path, byteorder)
        plane = _pages_of(series, self._planes, index)
        return TiffPixels(plane, arrange_axes(plane.shape, plane.axes, self._path), self._file, self._path, byteorder)


class _TiffPlane(FileSource):
    """A plane of a stack, or all its planes as channels. Closing it leaves the file open."""

    def __init__(self, stack: TiffStack, index: tuple[int, ...] | None, level: int) -> None:
        path = Path(stack.name)
        with decoding(path, "a TIFF file"):
            self._pixels, levels = stack._pixels(index, level)
        self._opener = (TiffStack, stack._path, stack._scene, index)
        super().__init__(
            path,
            self._pixels.shape,
            self._pixels.dtype,
            pixel_size=scaled(stack.pixel_size, levels[0], levels[level]),
            level=level,
            levels=levels,
            block=self._pixels.block,
            read_warning=self._pixels.read_warning,
            channel_names=names_in_tiff(stack._tiff, self._pixels.shape[2], stack._number),
            stored_as=storage(stack._series.keyframe),
        )

    def made_by(self) -> tuple[Callable[..., Source], tuple[Any, ...]]:
        """See :meth:`Source.made_by`."""
        return reopen_plane, (*self._opener, self.level, self.name)

    def read(self, box: Box, channels: Sequence[int]) -> NDArray:
        """See :meth:`Source.read`."""
        return self._pixels.read(box, channels)

    def close(self) -> None:
        """Drop what is held of the plane."""
        super().close()
        self._pixels.clear()


@dataclass(frozen=True)
class _PlaneSeries:
    """The pages of a plane, as a tifffile series."""

    pages: list[Any]
    shape: tuple[int, ...]
    axes: str
    keyframe: Any
    dataoffset: None = None


def _pages_of(series: Any, planes: PlaneAxes, index: tuple[int, ...]) -> _PlaneSeries:
    """Pages that hold a plane: leading axes count pages, the others lie in a page."""
    pages = list(series.pages)
    n_leading = next(n for n in range(len(series.shape) + 1) if prod(series.shape[:n]) == len(pages))
    axes = series.axes.upper()
    while axes[n_leading] not in "YX" and series.shape[n_leading] == 1:
        n_leading += 1
    if any(axis >= n_leading for axis in planes.axes) or not set("YX") <= set(axes[n_leading:]):
        raise NotByRegionError
    numbers = np.arange(len(pages)).reshape(series.shape[:n_leading])
    at: list[Any] = [slice(None)] * n_leading
    for axis, position in zip(planes.axes, index, strict=True):
        at[axis] = slice(position, position + 1)
    chosen = numbers[tuple(at)]
    found = [pages[number] for number in chosen.ravel().tolist()]
    return _PlaneSeries(found, (*chosen.shape, *series.shape[n_leading:]), axes, series.keyframe)


def _scenes(tiff: Any) -> list[tuple[int, str]]:
    """Numbers and names of the images of an OME-TIFF, if there are several."""
    if not tiff.is_ome or len(tiff.series) < 2:
        return []
    named = [(number, str(series.name)) for number, series in enumerate(tiff.series) if series.kind == "ome"]
    kept = [scene for scene in named if not _BESIDE_A_SLIDE.fullmatch(scene[1].strip())]
    return kept if len(kept) > 1 else []


def _n_channels(series: Any) -> int:
    return prod(length for axis, length in zip(series.axes.upper(), series.shape, strict=False) if axis in "CS")


def _not_by_plane(name: str) -> ImageError:
    return ImageError(
        f"{name}: expected planes that can be read one by one, got pages that hold several; save it as OME-TIFF, a page "
        "for each plane"
    )
