"""Which channels of an image a network may look at, if the user named none.

A grey image and a stained one in colour have one answer. A channel that is named after a stain of nuclei is the answer.
Otherwise any stain may be that of the objects: of fluorescence in colour, and of images with two or more than three
channels, each channel is tried alone, then the most telling ones together.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..errors import without_warnings
from ..images.channels import map_channels, the_nuclei
from ..images.sample import middle
from ..io.readers.source import Source

#: As the network would take them without a choice: all, grey repeated, or luminance.
NATURAL: tuple[int, ...] = ()
#: Channels, of more than which none is tried.
MOST_TRIED = 16
#: Commonest level of a dark background, at most, on a scale from 0 (1st percentile) to 1 (99.8th).
_DARK = 0.175
_BINS = 20
#: Correlation of two channels from which they show the same.
_EQUAL = 0.98


class ChannelSets:
    """What may be taken for the inputs of networks; the middle of the image is read once, if it decides.

    Parameters
    ----------
    source : Source
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    def of(self, n_inputs: int, *, asked: bool = False, named: bool = False) -> list[tuple[int, ...]]:
        """Channels to try, in the order of a network's inputs.

        Parameters
        ----------
        n_inputs : int
            Channels of the network.
        asked : bool
            Whether the user named the model. Channels that it takes are then left as they are.
        named : bool
            Whether the user named the channels. They are taken as they are by networks that take so many.

        Returns
        -------
        list of tuple of int
            :data:`NATURAL` where there is nothing to choose.
        """
        n, names = self._source.shape[2], () if named else self._source.channel_names
        nuclei = the_nuclei(names) if n > 1 and not (asked and n == n_inputs) else None
        if nuclei is not None:
            return [(nuclei,) * n_inputs]
        if n == 1 or n == n_inputs != 3 or n > MOST_TRIED:
            return [NATURAL]
        if _maps(self._source, n_inputs):
            several = not (asked or named) and self.is_colour_fluorescence
            return [NATURAL, *self._alone(n_inputs)] if several else [NATURAL]
        return self._alone(n_inputs) or [NATURAL]

    @property
    def is_colour_fluorescence(self) -> bool:
        """Whether an image in colour shows several stains on a dark background."""
        return self._source.shape[2] == 3 and self._is_dark and self._colours_differ

    @cached_property
    def _middle(self) -> NDArray:
        return np.asarray(self._source[middle(self._source.shape[:2]).slices])

    @cached_property
    def _is_dark(self) -> bool:
        return background_level(self._middle[..., :3].astype(np.float64)) < _DARK

    @cached_property
    def _colours_differ(self) -> bool:
        return _differ(self._middle[..., :3].astype(np.float64))

    def _alone(self, n_inputs: int) -> list[tuple[int, ...]]:
        """Each channel that is not constant in the middle of the image, alone."""
        varying = (channel for channel in range(self._source.shape[2]) if _varies(self._middle[..., channel]))
        return [(channel,) * n_inputs for channel in varying]


def together(channels: Sequence[int], n_inputs: int) -> tuple[int, ...] | None:
    """The most telling channels as the inputs of a network, in the file's order; None for fewer than two of either.

    Parameters
    ----------
    channels : sequence of int
        The most telling first.
    n_inputs : int
    """
    chosen = sorted(dict.fromkeys(channels[:n_inputs]))
    if len(chosen) < 2:
        return None
    return (*chosen, *chosen[-1:] * (n_inputs - len(chosen)))


def background_level(image: NDArray) -> float:
    """The commonest intensity level; 0 is the 1st percentile and 1 the 99.8th.

    Parameters
    ----------
    image : (Y, X) or (Y, X, C) array
        Channels are averaged.

    Returns
    -------
    float
        Centre of one of 20 bins from 0 to 1; 0 for a constant image.
    """
    pixels = image if image.ndim == 2 else image.mean(axis=2, dtype=np.float64)
    finite = pixels[np.isfinite(pixels)]
    low, high = np.percentile(finite, (1, 99.8)) if finite.size else (0.0, 0.0)
    if not high > low:
        return 0.0
    counts = np.histogram(np.clip(finite, low, high), _BINS, (low, high))[0]
    return (int(counts.argmax()) + 0.5) / _BINS


def _varies(pixels: NDArray) -> bool:
    """Whether its finite values differ."""
    finite = pixels[np.isfinite(pixels)]
    return bool(finite.size and finite.min() < finite.max())


def _differ(pixels: NDArray[np.float64]) -> bool:
    """Whether at least two channels vary, and not alike."""
    flat = np.nan_to_num(pixels.reshape(-1, pixels.shape[2])).T
    varying = flat[flat.std(axis=1) > 0]
    return len(varying) > 1 and bool((np.corrcoef(varying) < _EQUAL).any())


def _maps(source: Source, n_inputs: int) -> bool:
    """Whether the channels fit the network without a choice."""
    with without_warnings():
        return map_channels(source, n_inputs) is not None
