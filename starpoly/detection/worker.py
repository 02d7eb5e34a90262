"""On a worker of a cluster: prepare the process, open what tasks share, run a task.

What tasks share, such as a model and an open image, comes pickled. It is opened once per process.
"""

from __future__ import annotations

import io
import os
import pickle
import platform
import threading
from collections import OrderedDict
from functools import lru_cache
from typing import Any

from .._version import __version__
from ..errors import StarpolyError
from ..network.predictor import reopen
from ..parallel import thread_settings

#: Number of shared objects kept open: those of an image that is segmented and measured, and of the next one.
_KEPT = 4
_kept: OrderedDict[str, Any] = OrderedDict()
_opening = threading.RLock()

#: Number of networks kept open.
_NETWORKS = 2

#: Held by a task that captures warnings or the like, which belong to the whole process.
ALONE = threading.Lock()


def run_task(version: str, digest: str, shared: bytes, args: bytes) -> Any:
    """Run a task.

    Parameters
    ----------
    version : str
        starpoly's version where the task comes from.
    digest : str
        Hash of ``shared``.
    shared : bytes
        The function, pickled.
    args : bytes
        Its arguments, pickled.

    Raises
    ------
    StarpolyError
        Any error, with the worker's name.
    """
    prepare_process()
    try:
        if version != __version__:
            raise StarpolyError(
                f"expected starpoly {version} on all workers, as where the run was started, got {__version__}"
            )
        return _opened(digest, shared)(*pickle.loads(args))
    except Exception as error:
        raise _with_worker(error) from error


def prepare_process() -> None:
    """Give libraries as many threads as the worker has; unless the environment says otherwise.

    To be called before they are imported. Networks on a GPU take memory as they need it, so that workers may share one.
    """
    more = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "TF_CPP_MIN_LOG_LEVEL": "3"}
    for name, value in (thread_settings(_worker().state.nthreads) | more).items():
        os.environ.setdefault(name, value)


def name_of_worker() -> str:
    """Address of this worker, and its machine."""
    return f"worker {_worker().address} on {platform.node()}"


def _worker() -> Any:
    from distributed import get_worker

    return get_worker()


def _opened(digest: str, shared: bytes) -> Any:
    with _opening:
        if digest in _kept:
            _kept.move_to_end(digest)
        else:
            _kept[digest] = _Unpickler(io.BytesIO(shared)).load()
            while len(_kept) > _KEPT:
                _kept.popitem(last=False)
        return _kept[digest]


class _Unpickler(pickle.Unpickler):
    """Opens a network once, though several shared objects hold it."""

    def find_class(self, module: str, name: str) -> Any:
        found = super().find_class(module, name)
        return _opened_once if found is reopen else found


@lru_cache(maxsize=_NETWORKS)
def _opened_once(*args: Any) -> Any:
    return reopen(*args)


def _with_worker(error: Exception) -> StarpolyError:
    """The same error, naming the worker."""
    text = " ".join(str(error).split())
    if isinstance(error, StarpolyError):
        return type(error)(f"{text} ({name_of_worker()})")
    if isinstance(error, MemoryError):
        return StarpolyError(f"out of memory ({name_of_worker()}); use a smaller --tile-size, or fewer workers there")
    return StarpolyError(f"unexpected {type(error).__name__}: {text} ({name_of_worker()})")
