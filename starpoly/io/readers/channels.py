"""A source with as many channels as a model takes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError, StarpolyWarning
from ...images.channels import as_channels, luminance
from ...tiling import Box
from .array import ArraySource
from .source import DerivedSource, Source

#: Sources up to this size are read whole, and their content decides how channels are mapped.
HELD_BYTES = 256 << 20


def match_channels(source: Source, n_channels: int) -> Source:
    """The source with ``n_channels`` channels, as :func:`starpoly.images.channels.as_channels` maps them.

    A large source is not looked through to find out whether its channels are equal or constant: RGB becomes luminance
    (which is the common value where all three are equal), grey is repeated, and nothing is taken for alpha.

    Raises
    ------
    ImageError
        If the number of channels cannot be mapped.

    Warns
    -----
    StarpolyWarning
        If luminance is used.
    """
    if source.shape[2] == n_channels:
        return source
    if source.nbytes <= HELD_BYTES:
        return ArraySource(as_channels(np.asarray(source), n_channels), source.name)
    if (source.shape[2], n_channels) not in ((1, 3), (3, 1)):
        raise ImageError(
            f"{source.name}: expected {n_channels} channel(s), as the model has, got {source.shape[2]}; "
            "choose channels, or use another model"
        )
    if n_channels == 1:
        warnings.warn(
            "the model expects 1 channel, the image has 3: its luminance is used", StarpolyWarning, stacklevel=2
        )
    return _Mapped(source, n_channels)


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
