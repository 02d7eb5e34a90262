"""How every kernel of this package is compiled."""

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
