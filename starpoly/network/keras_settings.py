"""Keras's global settings, which another project may have changed: starpoly works with its own and leaves theirs.

``keras.json`` in the user's home and ``KERAS_BACKEND`` hold for all programs of a user.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

from ..errors import install_command, warn

#: Backends that starpoly runs under; the first installed one by default.
BACKENDS = ("tensorflow", "jax")
_BACKEND, _HOME = "KERAS_BACKEND", "KERAS_HOME"


def backend() -> str:
    """Keras's backend, or the one that it will be imported with: ``KERAS_BACKEND`` if starpoly runs under it."""
    if (keras := sys.modules.get("keras")) is not None:
        return keras.backend.backend()
    named = os.environ.get(_BACKEND, "")
    wanted = (named, *BACKENDS) if named in BACKENDS else BACKENDS
    return next((name for name in wanted if find_spec(name) is not None), BACKENDS[0])


@contextmanager
def own_environment() -> Iterator[None]:
    """Name :func:`backend` in the environment while Keras is imported in the block, and hide what would stop the import."""
    with ExitStack() as stack:
        changes = {_BACKEND: backend()}
        asked = os.environ.get(_BACKEND, "")
        if "keras" not in sys.modules and asked in BACKENDS and asked != changes[_BACKEND]:
            warn(f"{_BACKEND}={asked}: not installed, {changes[_BACKEND]} is used; {install_command(asked)}")
        if not _is_readable(_home() / "keras.json"):
            changes[_HOME] = stack.enter_context(tempfile.TemporaryDirectory())
        before = {name: os.environ.get(name) for name in changes}
        os.environ.update(changes)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def _home() -> Path:
    return Path(os.environ.get(_HOME) or Path(os.path.expanduser("~"), ".keras"))


def _is_readable(settings: Path) -> bool:
    """Whether Keras gets along with a file of settings: it does without one, or with one that is no JSON."""
    try:
        return isinstance(json.loads(settings.read_bytes()), dict)
    except (OSError, ValueError):
        return True


@contextmanager
def own_settings(policy: str = "float32") -> Iterator[None]:
    """Build and trace networks in the block in float32, with channels last.

    Parameters
    ----------
    policy : {"float32", "mixed_bfloat16"}
        Keras dtype policy.
    """
    import keras

    config = keras.config
    before = config.dtype_policy(), config.floatx(), config.image_data_format(), config.epsilon()
    _set(policy, "float32", "channels_last", 1e-7)
    try:
        yield
    finally:
        _set(*before)


def _set(policy: object, floatx: str, data_format: str, epsilon: float) -> None:
    import keras

    keras.config.set_floatx(floatx)
    keras.config.set_image_data_format(data_format)
    keras.config.set_epsilon(epsilon)
    keras.config.set_dtype_policy(policy)
