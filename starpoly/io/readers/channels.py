"""A source with as many channels as a model takes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError, StarpolyWarning
from ...images.channels import as_channels, luminance
from ...images.normalization import fit_normalizer
from ...tiling import Box
from .array import ArraySource
from .source import DerivedSource, Source

#: Sources up to this size are read whole, and their content decides how channels are mapped.
HELD_BYTES = 256 << 20


def match_channels(source: Source, n_channels: int, *, merge: bool = False) -> Source:
    """The source with ``n_channels`` channels, as :func:`starpoly.images.channels.as_channels` maps them.

    A large source is not searched for equal or constant channels: RGB becomes luminance (the common value where all
    three are equal), grey is repeated, and nothing counts as alpha.

    Parameters
    ----------
    source : Source
    n_channels : int
        That a model takes.
    merge : bool
        Merge channels that cannot be mapped into grey (:func:`starpoly.images.channels.merge_channels`).

    Raises
    ------
    ImageError
        If the number of channels cannot be mapped.

    Warns
    -----
    StarpolyWarning
        If luminance is used, or channels are merged.
    """
    if source.shape[2] == n_channels:
        return source
    try:
        return _mapped(source, n_channels)
    except ImageError:
        if not merge:
            raise
        grey = match_channels(_Merged(source), n_channels)
    message = f"expected {n_channels} channel(s), as the model has, got {source.shape[2]}: the mean of all is used"
    warnings.warn(message, StarpolyWarning, stacklevel=2)
    return grey


def _mapped(source: Source, n_channels: int) -> Source:
    if source.nbytes <= HELD_BYTES:
        return ArraySource(as_channels(np.asarray(source), n_channels), source.name)
    if (source.shape[2], n_channels) not in ((1, 3), (3, 1)):
        raise ImageError(
            f"{source.name}: expected {n_channels} channel(s), as the model has, got {source.shape[2]}; "
            "choose channels, or use another model"
        )
    if n_channels == 1:
        warnings.warn(
            "the model expects 1 channel, the image has 3: its luminance is used", StarpolyWarning, stacklevel=4
        )
    return _Mapped(source, n_channels)


class _Merged(DerivedSource):
    """The mean of all channels, each at full contrast, region by region."""

    def __init__(self, source: Source) -> None:
        super().__init__(source, (*source.shape[:2], 1), np.float32)
        self._normalizer = fit_normalizer(source)

    def made_by(self) -> tuple[Callable[..., Source], tuple[Any, ...]]:
        """See :meth:`Source.made_by`."""
        return _Merged, (self._source,)

    def read(self, box: Box, channels: Sequence[int]) -> NDArray:
        """See :meth:`Source.read`."""
        pixels = self._source.read(box, range(self._source.shape[2]))
        grey = np.clip(self._normalizer(pixels), 0, 1).mean(axis=2)[..., None]
        return grey[..., list(channels)]


class _Mapped(DerivedSource):
    """RGB as luminance, or grey as RGB, region by region."""

    def __init__(self, source: Source, n_channels: int) -> None:
        super().__init__(source, (*source.shape[:2], n_channels), np.float32 if n_channels == 1 else source.dtype)

    def made_by(self) -> tuple[Callable[..., Source], tuple[Any, ...]]:
        """See :meth:`Source.made_by`."""
        return _Mapped, (self._source, self.shape[2])

    def read(self, box: Box, channels: Sequence[int]) -> NDArray:
        """See :meth:`Source.read`."""
        pixels = self._source.read(box, range(self._source.shape[2]))
        if self.shape[2] == 1:
            return luminance(pixels)
        return np.repeat(pixels, len(channels), axis=2)
