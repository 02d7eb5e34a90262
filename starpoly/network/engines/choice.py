"""Which library runs the network."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from ...errors import ConfigError


@dataclass(frozen=True)
class Engine:
    """A library that runs networks.

    ``packages`` are those it needs beside starpoly's own, which the extra ``extra`` installs; ``form`` is the kind of graph
    that it is given; ``bfloat16`` tells whether it computes in these numbers.
    """

    title: str
    packages: tuple[str, ...] = ()
    extra: str = ""
    form: str = "tensorflow"
    bfloat16: bool = True


_ENGINES = {
    "tensorflow": Engine("TensorFlow"),
    "openvino": Engine("OpenVINO", ("openvino",), "fast"),
    "onnx": Engine("ONNX Runtime", ("onnxruntime", "tf2onnx"), "onnx", form="onnx", bfloat16=False),
}
ENGINES = tuple(_ENGINES)


def is_installed(engine: str) -> bool:
    """Whether the packages of an engine of this name are there."""
    return all(find_spec(package) is not None for package in _ENGINES[engine].packages)


def check_engine(wanted: str, precision: str = "auto") -> Engine:
    """The engine, if it is one, installed, and computes in the precision.

    Parameters
    ----------
    wanted : {"tensorflow", "openvino", "onnx"}
        "tensorflow" stands for Keras's backend, whichever that is.
    precision : {"auto", "float32", "bfloat16"}

    Raises
    ------
    ConfigError
        If it is none of these, or not installed, or does not compute in the precision.
    """
    if wanted not in _ENGINES:
        raise ConfigError(f"engine: expected one of {', '.join(ENGINES)}, got {wanted!r}")
    engine = _ENGINES[wanted]
    if not is_installed(wanted):
        raise ConfigError(
            f"engine: expected {engine.title} to be installed, it is not; pip install 'starpoly[{engine.extra}]'"
        )
    if precision == "bfloat16" and not engine.bfloat16:
        raise ConfigError(
            f"precision: expected float32 or auto, {engine.title} does not compute in bfloat16; or use another engine"
        )
    return engine
