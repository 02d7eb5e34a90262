"""How every kernel of this package is compiled, and what several of them share."""

from __future__ import annotations

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


def was_compiled(called: Any) -> bool:
    """Whether the machine code of a kernel that was called was not in the cache."""
    return not called.stats.cache_hits


@kernel
def between(index, offset, length):
    """The two pixels on either side of a place, and its distance from the first; border pixels are repeated.

    The offset is split before it is added to the pixel, so the bits do not depend on the pixel's position.
    """
    whole = int(offset)
    whole -= offset < whole  # rounded down, without a call of floor()
    first = index + whole
    return min(max(first, 0), length - 1), min(max(first + 1, 0), length - 1), offset - whole


@kernel
def bilinear(upper_left, upper_right, lower_left, lower_right, down, right):
    """Bilinear interpolation in a cell of four pixels, at the fractions ``down`` and ``right`` of its sides."""
    upper = (1 - right) * upper_left + right * upper_right
    lower = (1 - right) * lower_left + right * lower_right
    return (1 - down) * upper + down * lower
