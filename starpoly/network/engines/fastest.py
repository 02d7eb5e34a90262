"""The fastest engine for a network on this machine, by measurement.

Each engine runs one window, once per machine, model and installed versions. The choice is kept beside the frozen graphs, under
the same rules of trust; what is read back is the name of an installed engine or nothing. Engines round differently, so the engine
that was taken is part of fingerprint, journal and provenance, and is what workers of a cluster get.
"""

from __future__ import annotations

import hashlib
import logging
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from ...parallel import n_threads
from ..precision import cpu_flags
from . import graph_cache
from .engine import RunningNetwork
from .source import NetworkSource

_log = logging.getLogger(__name__)

#: What an engine must save to be taken instead of the first one: less may be chance.
_WORTHWHILE = 0.1
#: Side of the window in pixels; a multiple of the stride of usual networks.
_SIDE = 1024
#: Calls before the one that is timed: OpenVINO compiles a network for a window shape that comes again.
_WARM_UP = 2


def fastest_engine(
    source: NetworkSource, precision: str, engines: Mapping[str, Sequence[str]], open_: Callable[[str], RunningNetwork]
) -> str:
    """The engine with which a window takes the least time; the first one unless another saves a tenth.

    Parameters
    ----------
    source : NetworkSource
    precision : {"auto", "float32", "bfloat16", "int8"}
    engines : mapping of str to sequence of str
        Engines to choose from, with the packages of each.
    open_ : callable
        Opens the network with an engine.
    """
    first, *others = engines
    if not others:
        return first
    key = None if source.weights is None else _key(source, precision, engines)
    chosen = None if key is None else graph_cache.find_note(key)
    if chosen is None or chosen not in engines:
        seconds = {name: _seconds(open_, name, source.spec.network.n_channels) for name in engines}
        best = min(seconds, key=lambda name: seconds[name])
        chosen = best if seconds[best] <= (1 - _WORTHWHILE) * seconds[first] else first
        _log.info("%s: %s takes the least time here (%s)", source.spec.name, chosen, _in_words(seconds))
        if key is not None:
            graph_cache.keep_note(key, chosen)
    return chosen


def _seconds(open_: Callable[[str], RunningNetwork], engine: str, n_channels: int) -> float:
    """Time of one window; endless if the engine does not run the network."""
    try:
        network = open_(engine)
        window = _window(network, n_channels)
        for _ in range(_WARM_UP):
            network.run(window)
        start = time.perf_counter()
        network.run(window)
        return time.perf_counter() - start
    except Exception as error:  # an engine that fails here is not chosen, whatever its reason
        _log.debug("%s is not chosen: %s", engine, error)
        return float("inf")


def _window(network: RunningNetwork, n_channels: int) -> np.ndarray:
    height, width = (-(-_SIDE // step) * step for step in network.geometry.stride)
    return np.random.default_rng(0).random((1, height, width, n_channels), np.float32)


def _key(source: NetworkSource, precision: str, engines: Mapping[str, Sequence[str]]) -> str:
    """Hash of what the times depend on: machine, threads, versions, network."""
    machine = [platform.machine(), platform.processor(), *sorted(cpu_flags()), str(n_threads())]
    versions = [f"{package} {_version(package)}" for packages in engines.values() for package in packages]
    parts = [graph_cache.key_of(source.spec, source.checksum, precision, "engine"), *machine, *engines, *versions]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _in_words(seconds: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {duration:.2f} s" for name, duration in seconds.items() if duration < float("inf"))
