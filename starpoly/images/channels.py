"""Channels: palettes, CMYK, luminance, and images with as many channels as a model expects."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError, warn
from .axes import with_channels
from .exact_floats import exact_float
from .normalization import fit_normalizer
from .percentiles import read_in_blocks

_MOST_LISTED = 40
_MOST_PLAUSIBLE = 16
"""Channels without names, beyond which a last axis that is no shorter than another is more likely to be X."""
_NUCLEAR = re.compile(
    r"\b(dapi|hoechst\w*|h33342|draq\d*|nuc\w*|dna|h2b\w*|sytox|syto\d*|propidium|pi|nissl|h3\w*)\b", re.IGNORECASE
)

COLOURS = ("red", "green", "blue")
"""What three channels without names are called."""

LUMINANCE = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in grey (ITU-R BT.601)."""


def apply_palette(indices: NDArray, colors: NDArray) -> NDArray[np.uint8]:
    """Colours of a palette image, as grey where the palette is grey.

    Parameters
    ----------
    indices : (Y, X) unsigned integers
        Stored pixels.
    colors : (n, 3) uint8, or uint16 as TIFF stores them
        Red, green and blue of each index; pixels beyond the palette become black.

    Returns
    -------
    (Y, X) or (Y, X, 3) uint8, or uint16 where the palette tells more than 256 levels apart
    """
    colors = _eight_bits(colors)
    table = np.zeros((max(len(colors), int(indices.max(initial=0)) + 1), 3), colors.dtype)
    table[: len(colors)] = colors
    if (table == table[:, :1]).all():
        table = table[:, 0]
    return table[indices]


def _eight_bits(colors: NDArray) -> NDArray:
    """Colours of 16 bits as 8, unless that would make different ones equal."""
    if colors.dtype != np.uint16:
        return colors
    if colors.max(initial=0) <= 255:  # some writers store 8 bits
        return colors.astype(np.uint8)
    high = (colors >> 8).astype(np.uint8)
    return high if len(np.unique(high)) == len(np.unique(colors)) else colors


def cmyk_to_rgb(image: NDArray) -> NDArray:
    """RGB of ``(Y, X, 4)`` cyan, magenta, yellow and black, without a colour profile; same unsigned dtype."""
    if image.dtype.kind != "u" or image.dtype.itemsize > 2:
        raise ImageError(f"expected 8 or 16 bits per CMYK sample, got {image.dtype}; convert it to RGB")
    full = np.iinfo(image.dtype).max
    light = (full - image[..., :4]).astype(np.uint32)
    return ((light[..., :3] * light[..., 3:] + full // 2) // full).astype(image.dtype)


def luminance(image: NDArray, *, exact: bool = False) -> NDArray[np.floating]:
    """Luminance ``(Y, X, 1)`` of red, green and blue ``(Y, X, 3)``; that of a crop is the crop of that, bit for bit.

    float32; with ``exact``, float64 of wide numbers.
    """
    # not rounded: in fluorescence saved as colour, luminance would lose most grey levels
    dtype = exact_float(image.dtype)
    grey = np.zeros(image.shape[:2], dtype)
    for channel, weight in enumerate(LUMINANCE):  # one by one: the image is not held as floats
        grey += np.multiply(image[..., channel], dtype.type(weight), dtype=dtype)
    return grey[..., None] if exact else grey.astype(np.float32, copy=False)[..., None]


def merge_channels(image: NDArray) -> NDArray[np.float32]:
    """Grey ``(Y, X)`` of an image ``(Y, X, C)`` with any channels: their mean, each at full contrast."""
    return np.clip(fit_normalizer(image)(image), 0, 1).mean(axis=2)


@dataclass(frozen=True)
class ChannelMap:
    """How the channels of an image become those that a model expects.

    Attributes
    ----------
    channels : tuple of int
        Channels that are taken, in this order; grey is taken three times for RGB.
    to_luminance : bool
        Whether these, red, green and blue, then become luminance.
    """

    channels: tuple[int, ...]
    to_luminance: bool = False

    def __call__(self, image: NDArray) -> NDArray:
        """Of an image ``(Y, X, C)`` or a crop of it."""
        if self.channels != tuple(range(image.shape[2])):
            one = len(self.channels) == 1
            image = image[..., self.channels[0], None] if one else image[..., list(self.channels)]
        return luminance(image, exact=True) if self.to_luminance else image


def map_channels(image: Any, n_channels: int, *, training: bool = False) -> ChannelMap | None:
    """Find how an image gets as many channels as a model expects, where that loses nothing or little.

    Grey is repeated to RGB. RGB with equal channels, or with a single one that varies, becomes that channel; other RGB
    becomes luminance, with a warning. A constant second or fourth channel is alpha and is dropped.

    Parameters
    ----------
    image : (Y, X, C) array-like
        Anything with ``shape``, ``dtype`` and slicing. Where its content decides, it is read in blocks, until that is decided.
    n_channels : int
        Channels of the model.
    training : bool
        Whether the network is not there yet: luminance is taken without a warning, as a training says so of all images together.

    Returns
    -------
    ChannelMap or None
        None if the number of channels cannot be mapped, see :func:`wrong_channels`.
    """
    n = image.shape[2]
    if n != n_channels and n in (2, 4) and not _find_varying(image, (n - 1,)):
        n -= 1
    if n == n_channels:
        return ChannelMap(tuple(range(n)))
    if (n, n_channels) == (1, 3):
        return ChannelMap((0, 0, 0))
    if (n, n_channels) == (3, 1):
        return _to_grey(image, training=training)
    return None


def list_channels(n_channels: int, names: Sequence[str] = ()) -> str:
    """Channels by index and name, for messages.

    Examples
    --------
    >>> list_channels(2, ("GFP", "DAPI")), list_channels(3), list_channels(40)
    ('0 GFP, 1 DAPI', 'channels 0, 1, 2', 'channels 0 to 39')
    """
    if any(names):
        listed = [f"{index} {name}".strip() for index, name in enumerate(names)]
        return ", ".join(listed if len(listed) <= _MOST_LISTED else [*listed[:_MOST_LISTED], "..."])
    if n_channels > 10:
        return f"channels 0 to {n_channels - 1}"
    return f"channel{'' if n_channels == 1 else 's'} {', '.join(map(str, range(n_channels)))}"


def likely_nuclei(names: Sequence[str]) -> int | None:
    """The first channel whose name is that of a nuclear stain."""
    return next((index for index, name in enumerate(names) if _NUCLEAR.search(name)), None)


def the_nuclei(names: Sequence[str]) -> int | None:
    """The only channel whose name is that of a nuclear stain; None if there is none, or several.

    Examples
    --------
    >>> the_nuclei(("GFP", "DAPI")), the_nuclei(("DAPI", "Hoechst")), the_nuclei(())
    (1, None, None)
    """
    found = [index for index, name in enumerate(names) if _NUCLEAR.search(name)]
    return found[0] if len(found) == 1 else None


def wrong_channels(
    shape: tuple[int, ...], n_channels: int, names: Sequence[str] = (), *, training: bool = False
) -> str:
    """What to say of an image whose channels cannot be mapped.

    Parameters
    ----------
    shape : tuple of int
        Of the image; the last axis holds the channels.
    n_channels : int
        Of the model.
    names : sequence of str
        Of the image's channels.
    training : bool
        Whether the network is not there yet.
    """
    n_there = shape[2] if len(shape) > 2 else 1
    plural = "" if n_channels == 1 else "s"
    start = f"expected {n_channels} channel{plural}, as the model has, got {n_there} ({list_channels(n_there, names)})"
    if training:
        return (
            f"{start}; set n_channels = {n_there} in [network] of the settings to train on all of them, or save the channel that "
            "shows the objects alone"
        )
    n_chosen = 1 if n_channels == 3 else n_channels  # one is enough for RGB: grey is repeated
    if n_there < max(2, n_chosen):
        return f"{start}; use another model"
    if n_there > _MOST_PLAUSIBLE and not any(names) and min(shape[:2]) <= n_there:
        channels = "; if its channels come first, axes='CYX'" if shape[0] <= _MOST_PLAUSIBLE else ""
        return f"{start}; if shape {tuple(shape)} is a stack, name its axes, as in axes='ZYX'{channels}"
    first = likely_nuclei(names) or 0
    chosen = ([first, *(index for index in range(n_there) if index != first)])[:n_chosen]
    if (n_there, n_channels) == (4, 3) and not any(names):  # RGB and alpha, rather than four stains
        chosen = [0, 1, 2]
    listed = ",".join(map(str, chosen))
    return f"{start}: choose with --channels {listed} (in Python image[..., {chosen}], of a file open_source(path, channels={chosen}))"


def as_channels(image: NDArray, n_channels: int) -> NDArray:
    """The image with as many channels as a model expects, see :func:`map_channels`.

    Parameters
    ----------
    image : (Y, X) or (Y, X, C) array
        Intensities.
    n_channels : int
        Channels of the model.

    Returns
    -------
    (Y, X, n_channels) array
        Of the same dtype, but float32 for luminance; float64 for that of wide numbers.

    Raises
    ------
    ImageError
        If the number of channels cannot be mapped.
    """
    if image.ndim not in (2, 3):
        raise ImageError(f"expected an image with axes YX or YXC, got shape {image.shape}")
    found = map_channels(with_channels(image), n_channels)
    if found is None:
        raise ImageError(wrong_channels(image.shape, n_channels))
    return found(with_channels(image))


def _to_grey(image: Any, *, training: bool) -> ChannelMap:
    if not _differ(image):
        return ChannelMap((0,))
    varying = _find_varying(image, (0, 1, 2), enough=2)
    if len(varying) == 1:
        return ChannelMap((varying.pop(),))
    if training:
        return ChannelMap((0, 1, 2), to_luminance=True)
    message = (
        f"the model expects 1 channel, the image has 3 ({list_channels(3, _names_of(image))}): its luminance is used; if the "
        f"nuclei are in one of them, choose it, as with --channels 2 for the third (in Python image[..., [2]])"
    )
    warn(message, stacklevel=4)
    return ChannelMap((0, 1, 2), to_luminance=True)


def _names_of(image: Any) -> Sequence[str]:
    return getattr(image, "channel_names", ()) or COLOURS


def _differ(image: Any) -> bool:
    """Whether red, green and blue differ anywhere."""
    return any((block[..., 1:3] != block[..., :1]).any() for block in read_in_blocks(image))


def _find_varying(image: Any, channels: tuple[int, ...], enough: int = 1) -> set[int]:
    """Which of these channels are not constant; the search ends when ``enough`` are found."""
    first = np.asarray(image[:1, :1])[0, 0]
    varying: set[int] = set()
    for block in read_in_blocks(image):
        varying |= {channel for channel in channels if (block[..., channel] != first[channel]).any()}
        if len(varying) >= enough:
            break
    return varying
