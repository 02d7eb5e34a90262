"""Registry of engines, and the choice of one for a network."""

from __future__ import annotations

from importlib.util import find_spec

from ...errors import ConfigError, ModelError, install_command
from ..precision import check_precision, cpu_has_bfloat16
from ..registry import Registry
from .engine import Engine, RunningNetwork
from .fastest import fastest_engine
from .forked import check_process
from .source import NetworkSource

#: Each engine is one module and one line here.
ENGINES: Registry[Engine] = Registry(
    "engine",
    {
        "tensorflow": f"{__package__}.tensorflow:TENSORFLOW",
        "tensorflow_c": f"{__package__}.tensorflow_c:TENSORFLOW_C",
        "keras": f"{__package__}.keras:KERAS",
        "openvino": f"{__package__}.openvino:OPENVINO",
        "onnx": f"{__package__}.onnx:ONNX",
    },
)
#: Asks for the engine that takes the least time on this machine.
AUTO = "auto"
#: Engines that it chooses from, the usual one first.
_MEASURED = ("tensorflow", "openvino", "onnx")
#: Engines tried in turn for a requested one. The first starts fastest; the last runs everywhere.
_TRIED = {"tensorflow": ("tensorflow_c", "tensorflow", "keras")}


def _able(precision: str) -> list[str]:
    """The engines that AUTO chooses from, as far as they have a precision."""
    return [name for name in _MEASURED if precision in ENGINES[name].precisions]


def is_installed(engine: str) -> bool:
    """Whether the packages of an engine are installed."""
    return all(find_spec(package) is not None for package in ENGINES[engine].packages)


def resolve_engine(wanted: str, source: NetworkSource, precision: str) -> str:
    """The engine to open a network with: ``wanted``, or for "auto" the one that takes the least time on this machine.

    Engines round differently, so the result is what counts for fingerprints, journals and other processes.
    """
    if wanted != AUTO:
        return wanted
    precision = source.choose_precision(precision, fast=cpu_has_bfloat16())
    able = [name for name in _able(precision) if is_installed(name)]
    packages = {name: ENGINES[name].packages for name in able}
    return fastest_engine(source, precision, packages, lambda name: open_network(source, name, precision))


def check_engine(wanted: str, precision: str = "auto") -> None:
    """Check that an engine exists, is installed and supports a precision.

    Parameters
    ----------
    wanted : str
        A name in :data:`ENGINES`, or "auto".
    precision : {"auto", "float32", "bfloat16", "int8"}

    Raises
    ------
    ConfigError
        If one of these fails.
    """
    check_precision(precision)
    if wanted == AUTO:
        able = _able(precision)
        if able and not any(map(is_installed, able)):
            check_engine(able[0], precision)
        return
    engine = ENGINES[wanted]
    if not is_installed(wanted):
        raise ConfigError(
            f"engine: expected {engine.title} to be installed, it is not; {install_command(engine.extra)}"
        )
    if precision not in ("auto", *engine.precisions):
        raise ConfigError(
            f"precision: expected {', '.join(engine.precisions)} or auto, as {engine.title} computes, got {precision}; "
            f"or use another engine ({', '.join(_able(precision))})"
        )


def open_network(source: NetworkSource, engine: str, precision: str) -> RunningNetwork:
    """Open a network with an engine.

    "tensorflow" means TensorFlow's C library if the cache holds a frozen graph: that needs no import of Keras or
    TensorFlow. Otherwise it means TensorFlow, with the same bits, or Keras under another backend.

    Parameters
    ----------
    source : NetworkSource
    engine : str
        A name in :data:`ENGINES`.
    precision : {"auto", "float32", "bfloat16", "int8"}

    Raises
    ------
    ConfigError
        See :func:`check_engine`.
    ModelError
        If the engine cannot run the network, even made anew where its graph came from the cache, or the network's
        receptive field has no bound.
    """
    check_engine(engine, precision)
    check_process()
    try:
        return _open(source, engine, precision)
    except ModelError:
        if not source.distrust_cache():
            raise
        return _open(source, engine, precision)


def _open(source: NetworkSource, engine: str, precision: str) -> RunningNetwork:
    for name in _TRIED.get(engine, (engine,)):
        running = ENGINES[name].open(source, precision, make=name == engine)
        if running is not None:
            return running
    raise ModelError(f"engine: expected a network that {ENGINES[engine].title} can run, it cannot; use tensorflow")
