"""Keras's global settings, which another project may have changed: starpoly works with its own and leaves theirs.

``keras.json`` in the user's home and ``KERAS_BACKEND`` hold for all programs of a user.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

#: Backends that starpoly runs under; the first installed one by default.
BACKENDS = ("tensorflow", "jax")
_BACKEND = "KERAS_BACKEND"


def backend() -> str:
    """Keras's backend, or the one that it will be imported with: ``KERAS_BACKEND`` if starpoly runs under it."""
    if (keras := sys.modules.get("keras")) is not None:
        return keras.backend.backend()
    named = os.environ.get(_BACKEND, "")
    wanted = (named, *BACKENDS) if named in BACKENDS else BACKENDS
    return next((name for name in wanted if find_spec(name) is not None), BACKENDS[0])


@contextmanager
def own_backend() -> Iterator[None]:
    """Name :func:`backend` in the environment while Keras is imported in the block."""
    before = os.environ.get(_BACKEND)
    os.environ[_BACKEND] = backend()
    try:
        yield
    finally:
        if before is None:
            del os.environ[_BACKEND]
        else:
            os.environ[_BACKEND] = before


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
