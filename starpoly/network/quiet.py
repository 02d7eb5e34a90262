"""Import Keras without the backend's log messages; keep its errors."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..io.console import flush, write
from .keras_settings import own_environment
from .onednn import use_onednn

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_SILENT = "3"
_LOUD = ("0", "1")
"""Levels at which TensorFlow's warnings are wanted."""

# TensorFlow's C++ side logs at import before it reads its level: information and warnings are dropped, and so is
# the error that its GPU builds print whenever two of their own parts register one plugin twice
_CHATTER = re.compile(
    r"^\s*$|^[IW]\d{4} |^WARNING: All log messages before absl::InitializeLog|Unable to register cu\w+ factory"
    r"|^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IW] "
)


def quiet_import() -> Any:
    """Import Keras and its backend; drop their output except errors.

    The backend is that of :func:`~starpoly.network.keras_settings.backend`.
    With ``TF_CPP_MIN_LOG_LEVEL`` below 2 in the environment, or if the import fails, all output appears.

    Returns
    -------
    module
        ``keras``.
    """
    use_onednn()
    if "keras" not in sys.modules:
        with own_environment(), quiet_level():
            import keras
    import keras

    return keras


@contextmanager
def quiet_level() -> Iterator[None]:
    """Silence TensorFlow's libraries while they load, unless ``TF_CPP_MIN_LOG_LEVEL`` is below 2."""
    if os.environ.setdefault(LEVEL, _SILENT) in _LOUD:
        yield
        return
    with filtered_stderr():
        yield


@contextmanager
def filtered_stderr() -> Iterator[None]:
    """Buffer the process's stderr in the block, then write it without the log messages.

    If the block raises, everything is written, but after Ctrl-C. Works on the file descriptor: C++ code bypasses ``sys.stderr``.
    """
    flush()
    try:
        # without a stderr at the start, another file may have got its descriptor
        stderr = None if sys.__stderr__ is None else os.dup(2)
    except OSError:  # stderr is closed
        stderr = None
    if stderr is None:
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        whole = True
        try:
            yield
            whole = False
        except KeyboardInterrupt:
            whole = False
            raise
        finally:
            flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            lines = held.read().decode(errors="replace").splitlines(keepends=True)
            write("".join(line for line in lines if whole or not _CHATTER.search(line)))
