"""Memory of a network window, and the largest window within a memory limit."""

from __future__ import annotations

import math

from ..config import NetworkConfig
from .architectures.registry import ARCHITECTURES

#: bytes (measured) of Python, TensorFlow and a model, without windows
BASELINE_BYTES = 1_000_000_000
#: default memory limit of a run, bytes, for slides and images in memory alike. Halos are computed twice: with 1.4 GB they take
#: three quarters of a slide's pixels, with 2 GB a third. More gains little
USUAL_MEMORY = 2_100_000_000

_SMALLEST_SIDE = 128
_LARGEST_SIDE = 4096
#: bound of the default window side, pixels: smaller ones waste time on halos
_LEAST_USUAL_SIDE = 1024
#: window sides are multiples of this
_STEP = 16


def window_bytes(network: NetworkConfig, shape: tuple[int, int], precision: str = "float32") -> int:
    """Memory of the network for a window of ``shape`` pixels, in bytes.

    Parameters
    ----------
    network : NetworkConfig
    shape : (int, int)
        Height and width of the window in pixels.
    precision : {"float32", "bfloat16", "int8"}
    """
    return math.ceil(shape[0] * shape[1] * _bytes_per_pixel(network, precision))


def usual_tile_size(network: NetworkConfig, precision: str = "float32") -> int:
    """Default window side, from 1 024 to 4 096 pixels."""
    return max(tile_size_within(USUAL_MEMORY, network, precision=precision), _LEAST_USUAL_SIDE)


def tile_size_within(
    memory: int, network: NetworkConfig, wanted: int | None = None, *, precision: str = "float32"
) -> int:
    """Largest window side that keeps a run within about ``memory`` bytes.

    Parameters
    ----------
    memory : int
        Bytes for the whole process.
    network : NetworkConfig
    wanted : int, optional
        Upper bound of the side.
    precision : {"float32", "bfloat16", "int8"}

    Returns
    -------
    int
        Pixels, from 128 (even if that exceeds the memory) to 4 096.
    """
    spare = max(0, memory - BASELINE_BYTES)
    side = int(math.sqrt(spare / _bytes_per_pixel(network, precision))) // _STEP * _STEP
    return min(max(side, _SMALLEST_SIDE), wanted or _LARGEST_SIDE)


def _bytes_per_pixel(network: NetworkConfig, precision: str) -> float:
    architecture = ARCHITECTURES[network.architecture]
    return architecture.bytes_per_pixel(architecture.config_of(network), precision)


def format_size(n_bytes: float) -> str:
    """Format a number of bytes for people."""
    units = ["B", "KB", "MB", "GB", "TB"]
    power = min(int(max(n_bytes, 1)).bit_length() - 1, 49) // 10
    return f"{n_bytes / 1024**power:.3g} {units[power]}"
