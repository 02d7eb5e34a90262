"""Which library runs the network."""

from __future__ import annotations

from importlib.util import find_spec

from ..errors import ConfigError

ENGINES = ("tensorflow", "openvino")


def check_engine(wanted: str) -> str:
    """The engine, if it is one and installed.

    Parameters
    ----------
    wanted : {"tensorflow", "openvino"}
        "tensorflow" stands for Keras's backend, whichever that is.

    Raises
    ------
    ConfigError
        If it is none of the two, or not installed.
    """
    if wanted not in ENGINES:
        raise ConfigError(f"engine: expected one of {', '.join(ENGINES)}, got {wanted!r}")
    if wanted == "openvino" and find_spec("openvino") is None:
        raise ConfigError("engine: expected OpenVINO to be installed, it is not; pip install 'starpoly[fast]'")
    return wanted
