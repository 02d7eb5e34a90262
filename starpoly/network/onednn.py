"""oneDNN, TensorFlow's faster kernels on CPUs.

TensorFlow itself switches them on only on processors with AVX-512. With AVX2 alone they save 20 to 30 % of a network's time, too.
They round differently, so results depend on whether they are on.
"""

from __future__ import annotations

import os
import sys

from ..errors import warn

SWITCH = "TF_ENABLE_ONEDNN_OPTS"
"""TensorFlow's environment variable, read when it is loaded: 1 for oneDNN, 0 for none."""


def use_onednn() -> None:
    """Switch oneDNN on for the TensorFlow that is about to be loaded, unless the environment says otherwise.

    A TensorFlow that was loaded before keeps its own choice. Warns if that is none.
    """
    if not _is_late():
        os.environ.setdefault(SWITCH, "1")
    elif not has_onednn():
        warn(
            "TensorFlow was loaded before starpoly and runs without oneDNN: networks take longer, and results may differ in "
            f"the last bits from those of other runs; set {SWITCH}=1 before TensorFlow is imported"
        )


def has_onednn() -> bool:
    """Whether oneDNN is not switched off."""
    if _is_late():
        return _asked_tensorflow()
    return os.environ.get(SWITCH, "1") == "1"


def _is_late() -> bool:
    """Whether TensorFlow was loaded, by something else, without a word about oneDNN."""
    return SWITCH not in os.environ and "tensorflow" in sys.modules


def _asked_tensorflow() -> bool:
    """What TensorFlow chose; True if it does not tell."""
    try:
        from tensorflow.python.util import _pywrap_util_port

        return bool(_pywrap_util_port.IsMklEnabled())
    except (ImportError, AttributeError):
        return True
