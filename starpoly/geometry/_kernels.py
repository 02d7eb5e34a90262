"""How every kernel of this package is compiled, and what several of them share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba


def kernel(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """``numba.njit`` that releases the GIL and caches machine code where a cache can be written.

    numba refuses to decorate a cached function when neither the package's folder nor the user's cache folder
    is writable (a read-only container, say); the code is then compiled anew in each process.
    """
    if function is None:
        return lambda function: kernel(function, **options)
    try:
        return numba.njit(nogil=True, cache=True, **options)(function)
    except RuntimeError:
        return numba.njit(nogil=True, **options)(function)


@kernel
def between(index, offset, length):
    """The two pixels that a place lies between, and how far it is from the first; continued at the image's ends.

    The offset is split before it is added to the pixel, so that the bits do not depend on where that lies.
    """
    whole = math.floor(offset)
    first = index + int(whole)
    return min(max(first, 0), length - 1), min(max(first + 1, 0), length - 1), offset - whole


@kernel
def bilinear(upper_left, upper_right, lower_left, lower_right, down, right):
    """The value in a cell of four, the parts ``down`` and ``right`` of its sides from the first."""
    upper = (1 - right) * upper_left + right * upper_right
    lower = (1 - right) * lower_left + right * lower_right
    return (1 - down) * upper + down * lower
