"""Channels: palettes, CMYK, luminance, and images with as many channels as a model expects."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError, StarpolyWarning
from .normalization import fit_normalizer

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
    (Y, X) or (Y, X, 3) uint8
    """
    if colors.dtype == np.uint16:
        colors = colors >> 8 if colors.max(initial=0) > 255 else colors  # some writers store 8 bits
    table = np.zeros((max(len(colors), int(indices.max(initial=0)) + 1), 3), np.uint8)
    table[: len(colors)] = colors
    if (table == table[:, :1]).all():
        table = table[:, 0]
    return table[indices]


def cmyk_to_rgb(image: NDArray) -> NDArray:
    """RGB of ``(Y, X, 4)`` cyan, magenta, yellow and black, without a colour profile; same unsigned dtype."""
    if image.dtype.kind != "u" or image.dtype.itemsize > 2:
        raise ImageError(f"expected 8 or 16 bits per CMYK sample, got {image.dtype}; convert it to RGB")
    full = np.iinfo(image.dtype).max
    light = (full - image[..., :4]).astype(np.uint32)
    return ((light[..., :3] * light[..., 3:] + full // 2) // full).astype(image.dtype)


def luminance(image: NDArray) -> NDArray[np.float32]:
    """Luminance ``(Y, X, 1)`` of red, green and blue ``(Y, X, 3)``; that of a crop is the crop of that, bit for bit."""
    # not rounded: in fluorescence saved as colour, luminance would lose most grey levels
    dtype = np.result_type(image, np.float32)
    grey = np.zeros(image.shape[:2], dtype)
    for channel, weight in enumerate(LUMINANCE):  # one by one: the image is not held as floats
        grey += np.multiply(image[..., channel], dtype.type(weight), dtype=dtype)
    return grey.astype(np.float32, copy=False)[..., None]


def merge_channels(image: NDArray) -> NDArray[np.float32]:
    """Grey ``(Y, X)`` of an image ``(Y, X, C)`` with any channels: their mean, each at full contrast."""
    return np.clip(fit_normalizer(image)(image), 0, 1).mean(axis=2)


def as_channels(image: NDArray, n_channels: int) -> NDArray:
    """The image with as many channels as a model expects, where that loses nothing or little.

    Grey is repeated to RGB. RGB with equal channels, or with a single one that varies, becomes that channel; other RGB
    becomes luminance, with a warning. A constant second or fourth channel is alpha and is dropped.

    Parameters
    ----------
    image : (Y, X) or (Y, X, C) array
        Intensities.
    n_channels : int
        Channels of the model.

    Returns
    -------
    (Y, X, n_channels) array
        Of the same dtype, but float32 for luminance.

    Raises
    ------
    ImageError
        If the number of channels cannot be mapped.
    """
    if image.ndim not in (2, 3):
        raise ImageError(f"expected an image with axes YX or YXC, got shape {image.shape}")
    given = image.shape
    image = image if image.ndim == 3 else image[..., None]
    if image.shape[2] != n_channels and image.shape[2] in (2, 4) and _is_constant(image[..., -1]):
        image = image[..., :-1]
    if image.shape[2] == n_channels:
        return image
    if image.shape[2] == 1 and n_channels == 3:
        return np.repeat(image, 3, axis=2)
    if image.shape[2] == 3 and n_channels == 1:
        return _to_grey(image)
    plural = "" if n_channels == 1 else "s"
    raise ImageError(
        f"expected {n_channels} channel{plural}, as the model has, got an image of shape {given}; "
        "save the wanted channels as an image of their own, or use another model"
    )


def _is_constant(values: NDArray) -> bool:
    return bool((values == values.flat[0]).all())


def _to_grey(image: NDArray) -> NDArray:
    if np.array_equal(image[..., 0], image[..., 1]) and np.array_equal(image[..., 0], image[..., 2]):
        return image[..., :1]
    varying = [channel for channel in range(3) if not _is_constant(image[..., channel])]
    if len(varying) == 1:
        return image[..., varying[0], None]
    message = "the model expects 1 channel, the image has 3: its luminance is used; a model for RGB may do better"
    warnings.warn(message, StarpolyWarning, stacklevel=3)
    return luminance(image)
