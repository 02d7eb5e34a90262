"""Images as Python libraries hold them, as arrays: masked, lazy, on a device, with a leading axis of one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError, ImageTypeError, warn
from ...images.exact_floats import ROUGH, exact_float, is_rough
from .untrusted import decoding

LARGEST_HELD = 32_000_000
"""Pixels up to which a lazy array is read at once. Larger ones are read by region."""
_NO_INTENSITIES = ("P", "PA", "CMYK", "YCbCr", "LAB", "HSV")
"""Modes of Pillow's pictures whose values are none: of palettes, inks and colour spaces."""
_MOST_CHANNELS = 16
"""Of an array (1, X, C), so that an image of one row with channels is told from a plane with a leading axis."""


def as_array(image: Any, *, n_channels: int = 0, squeeze: bool = True, hold: bool = True) -> Any:
    """An image as a numpy array, or as a large lazy one with ``shape``, ``dtype`` and slicing.

    Parameters
    ----------
    image : array-like
        Of numpy, dask, xarray, zarr, h5py, torch, tensorflow, jax, cupy or anything like these. Masked values become NaN,
        which an array of integers is converted to floats for.
    n_channels : int
        Channels that are expected: an array (1, X, n_channels) is an image of one row.
    squeeze : bool
        Drop leading axes of length one in front of (Y, X) or (Y, X, C).
    hold : bool
        Read lazy arrays of up to :data:`LARGEST_HELD` pixels at once.

    Raises
    ------
    ImageTypeError
        If it is no array.
    ImageError
        If its shape is not known, or it cannot be converted.
    """
    shape = _check(image)
    n_leading = _leading(shape, n_channels) if squeeze else 0
    small = hold and int(np.prod(shape[-3:], dtype=object)) <= LARGEST_HELD
    array = image if _is_lazy(image) and not small else _loaded(image)
    if not n_leading:
        return array
    return array[(0,) * n_leading] if isinstance(array, np.ndarray) else _Plane(array, n_leading)


def without_mask(array: np.ma.MaskedArray) -> NDArray:
    """The values, NaN where they are masked; float32, or float64 for integers of more than 16 bits, if any is."""
    data, mask = np.asarray(array.data), np.ma.getmaskarray(array)
    if not mask.any() or data.dtype.kind not in "buif":
        return data
    if is_rough(data.dtype, data.min(), data.max()):
        warn(ROUGH)
    values = data.astype(data.dtype if data.dtype.kind == "f" else exact_float(data.dtype))
    values[mask] = np.nan
    return values


class _Plane:
    """A lazy array without its leading axes of length one."""

    def __init__(self, array: Any, n_leading: int) -> None:
        self._array, self._leading = array, (0,) * n_leading
        self.shape, self.dtype = tuple(array.shape[n_leading:]), array.dtype
        self.chunks = tuple((getattr(array, "chunks", None) or ())[n_leading:])

    def __getitem__(self, key: Any) -> Any:
        return self._array[(*self._leading, *(key if isinstance(key, tuple) else (key,)))]


def _check(image: Any) -> tuple[int, ...]:
    """The shape of an array-like."""
    shape = getattr(image, "shape", None)
    is_array = hasattr(image, "dtype") and (hasattr(image, "__getitem__") or hasattr(image, "__array__"))
    if shape is None or callable(shape) or not is_array:
        raise ImageTypeError(
            "image: expected an array (Y, X) or (Y, X, C) of numpy, dask, xarray, zarr, h5py, torch or the like, or the "
            f"path of a file, got {type(image).__name__}; {_remedy(image)}"
        )
    if not all(length == length and isinstance(length, int | np.integer) for length in shape):
        raise ImageError(
            f"image: expected an array of known shape, got {tuple(shape)}; call its compute_chunk_sizes() first"
        )
    return tuple(int(length) for length in shape)


def _remedy(image: Any) -> str:
    if callable(getattr(image, "to_numpy", None)):  # pandas' and others' tables
        return "pass its to_numpy()"
    if isinstance(image, Mapping) or hasattr(image, "keys"):
        return "pass one of its arrays"
    if isinstance(image, list | tuple) and any(
        hasattr(part, "shape") or isinstance(part, str | os.PathLike) for part in image
    ):
        return "pass its images one by one"
    if getattr(image, "mode", "") in _NO_INTENSITIES:
        return "pass numpy.asarray of its convert('RGB'), or the path of its file"
    if isinstance(image, list | tuple) or hasattr(image, "__array_interface__"):
        return "pass numpy.asarray of it"
    return "convert it to a numpy array first"


def _leading(shape: tuple[int, ...], n_channels: int) -> int:
    """How many leading axes of length one stand before (Y, X) or (Y, X, C)."""
    n = 0
    while len(shape) - n > 2 and shape[n] == 1:
        if len(shape) - n == 3 and shape[-1] <= max(_MOST_CHANNELS, n_channels):
            break
        n += 1
    return n


def _is_lazy(image: Any) -> bool:
    """Whether ``numpy.asarray`` of its slices gives its values."""
    return (
        isinstance(image.dtype, np.dtype)
        and hasattr(image, "__getitem__")
        and not hasattr(image, "__cuda_array_interface__")
        and not isinstance(image, np.ndarray)
        and not isinstance(getattr(image, "_meta", None), np.ma.MaskedArray)  # dask's
    )


def _loaded(image: Any) -> NDArray:
    """The values in memory."""
    with decoding("image", f"an array that numpy can hold, from {type(image).__name__}"):
        if callable(getattr(image, "detach", None)):  # torch: off the graph and the device
            image = image.detach().cpu()
        elif callable(getattr(image, "compute", None)):  # dask, xarray
            image = image.compute()
        elif hasattr(image, "__cuda_array_interface__") and callable(getattr(image, "get", None)):  # cupy
            image = image.get()
        return without_mask(image) if isinstance(image, np.ma.MaskedArray) else np.asarray(image)
