"""The floating-point numbers in which intensities are computed."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

ROUGH = (
    "64-bit intensities beyond 2**53, where floats have no room for small steps; subtract the smallest intensity first"
)
"""The warning about whole numbers of which :func:`is_rough` is true."""
_EXACT = 2.0**53
"""Whole numbers up to this are exact in double precision."""


def is_rough(dtype: DTypeLike, smallest: float, largest: float) -> bool:
    """Whether floats tell whole numbers in this range apart roughly only."""
    given = np.dtype(dtype)
    return given.kind in "iu" and given.itemsize > 4 and max(abs(float(smallest)), abs(float(largest))) > _EXACT


def exact_float(dtype: DTypeLike) -> np.dtype:
    """The smaller of float32 and float64 in which sums of intensities keep their contrast.

    float32 holds integers of up to 16 bits, half floats and itself. Wider numbers may lie on an offset beside which float32
    has no room for the contrast.

    Parameters
    ----------
    dtype : dtype
        Of the image.

    Returns
    -------
    numpy.dtype

    Examples
    --------
    >>> exact_float("uint16"), exact_float("float32"), exact_float("uint32")
    (dtype('float32'), dtype('float32'), dtype('float64'))
    """
    given = np.dtype(dtype)
    narrow = given.itemsize <= 2 or given.newbyteorder("=") == np.float32
    return np.dtype(np.float32 if narrow else np.float64)
