"""Map the channels of a source to those of a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError, warn
from ...images.channels import list_channels, luminance, map_channels, the_nuclei, wrong_channels
from ...images.exact_floats import exact_float
from ...images.normalization import fit_normalizer
from ...tiling import Box
from .source import DerivedSource, Source
from .view import SourceView


def match_channels(source: Source, n_channels: int, *, merge: bool = False, by_name: bool = False) -> Source:
    """The source with ``n_channels`` channels, as :func:`starpoly.images.channels.map_channels` maps them.

    Parameters
    ----------
    source : Source
    n_channels : int
        Input channels of the model.
    merge : bool
        Merge unmappable channels into grey (:func:`starpoly.images.channels.merge_channels`).
    by_name : bool
        Take the channel that is named after a stain of nuclei, if it is the only one: for RGB three times.

    Raises
    ------
    ImageError
        If the number of channels cannot be mapped.

    Warns
    -----
    StarpolyWarning
        If luminance is used, channels are merged, or one is taken by its name.
    """
    if source.shape[2] == n_channels:
        return source
    nuclei = the_nuclei(source.channel_names) if by_name and n_channels in (1, 3) else None
    if nuclei is not None:
        there = list_channels(source.shape[2], source.channel_names)
        message = (
            f"expected {'1 channel' if n_channels == 1 else '3 channels'}, as the model has, got {source.shape[2]} ({there}): "
            f"{source.channel_names[nuclei]} is used, a stain of nuclei by its name; choose another with --channels"
        )
        warn(message)
        return SourceView(source, channels=[nuclei] * n_channels)
    found = map_channels(source, n_channels)
    if found is None:
        if not merge:
            raise ImageError(f"{source.name}: {wrong_channels(source.shape, n_channels, source.channel_names)}")
        there = list_channels(source.shape[2], source.channel_names)
        message = (
            f"expected {n_channels} channel(s), as the model has, got {source.shape[2]} ({there}): the mean of all is "
            "used; choose one with --channels"
        )
        warn(message)
        return match_channels(_Merged(source), n_channels)
    if found.to_luminance:
        return _Luminance(source)
    return SourceView(source, channels=found.channels)


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


class _Luminance(DerivedSource):
    """RGB, perhaps with alpha, as luminance, region by region."""

    def __init__(self, source: Source) -> None:
        super().__init__(source, (*source.shape[:2], 1), exact_float(source.dtype))

    def made_by(self) -> tuple[Callable[..., Source], tuple[Any, ...]]:
        """See :meth:`Source.made_by`."""
        return _Luminance, (self._source,)

    def read(self, box: Box, channels: Sequence[int]) -> NDArray:
        """See :meth:`Source.read`."""
        return luminance(self._source.read(box, (0, 1, 2)), exact=True)[..., list(channels)]
