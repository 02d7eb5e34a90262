"""ImageXpress plates: a field is the TIFF of its first wavelength, read with those of the others as channels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError
from ...tiling import Box
from .file_stack import FileStack, Pixels
from .imagexpress import description_of, numbered_folders, wave_names, wave_planes
from .source import Source
from .stack import check_scene
from .tiff import TiffSource


class FieldStack(FileStack):
    """A field of a plate: wavelengths are channels, folders time points and slices.

    Parameters
    ----------
    path : Path
        The plane of the first wavelength.
    scene : int
        0, the only one.

    Raises
    ------
    ImageError
        If a wavelength that the plate has is not there, or the planes differ in size.
    """

    stored_as = "a TIFF per channel"

    def __init__(self, path: Path, scene: int = 0) -> None:
        super().__init__(path, scene, open_stack)
        check_scene(path, scene, ())
        description = description_of(path)
        if description is None:
            raise ImageError(f"{path}: expected the HTD file of its plate beside it, got none; copy it, too")
        top = description.parent
        times = numbered_folders(top, "T") if path.parent != top else []
        slices = numbered_folders(times[0] if times else top, "Z") if path.parent not in (top, *times) else []
        self._folders = {"T": [time.name for time in times], "Z": [step.name for step in slices]}
        self.axes = "".join(axis for axis in "TZ" if len(self._folders[axis]) > 1)
        self.lengths = tuple(len(self._folders[axis]) for axis in self.axes)
        self._top = top
        names = wave_names(description)
        with _Wavelengths(self._planes((0,) * len(self.lengths), len(names))) as first:
            self.pixel_size = first.sources[0].pixel_size
            n_channels = len(first.sources)
        self._n_waves = n_channels
        self.channel_names = names if len(names) == n_channels and any(names) else ()

    def _planes(self, index: tuple[int, ...], n_waves: int) -> list[Path]:
        at = dict(zip(self.axes, index, strict=True))
        parts = [self._folders[axis][at.get(axis, 0)] for axis in "TZ" if self._folders[axis]]
        return wave_planes(self._top.joinpath(*parts) / self.path.name, n_waves)

    def pixels(self, index: tuple[int, ...], level: int) -> Pixels:
        """The pixels of a plane."""
        return _Wavelengths(self._planes(index, self._n_waves))

    def close(self) -> None:
        """Nothing: planes close their own files."""


class _Wavelengths:
    """The planes of a field as channels."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.sources: list[Source] = []
        try:
            for path in paths:
                self.sources.append(TiffSource(path))
            first = self.sources[0]
            for source in self.sources:
                if source.shape != (*first.shape[:2], 1):
                    raise ImageError(f"{source.name}: expected a plane of {first.shape[:2]} pixels, got {source.shape}")
        except BaseException:
            self.clear()
            raise
        self.shape = (*first.shape[:2], len(self.sources))
        self.dtype = np.result_type(*(source.dtype for source in self.sources))
        self.block, self.read_warning = first.block, first.read_warning

    def read(self, box: Box, channels: Sequence[int]) -> NDArray:
        """The pixels of a box, (y, x, len(channels))."""
        pixels = np.empty((*box.shape, len(channels)), self.dtype)
        for position, channel in enumerate(channels):
            pixels[..., position] = self.sources[channel].read(box, (0,))[..., 0]
        return pixels

    def clear(self) -> None:
        for source in self.sources:
            source.close()

    def __enter__(self) -> _Wavelengths:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()


def open_stack(path: Path, scene: int = 0) -> FileStack:
    """A field of a plate as a stack."""
    return FieldStack(path, scene)
