"""Executor on the workers of a dask cluster. With :mod:`starpoly.detection.worker`, all that knows of dask.

Tasks are small: the coordinates of tiles. What they share is pickled once and opened once per worker. A task that a worker
takes down with it runs again elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import logging
import pickle
import threading
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from .._version import __version__
from ..errors import ConfigError, StarpolyError, install_command
from ..parallel import n_threads, thread_settings
from .worker import run_task

_log = logging.getLogger(__name__)

#: Bytes of a shared object that every task carries along; larger ones are sent to each worker once.
_CARRIED = 1 << 14
#: Number of shared objects that are held ready: those of an image that is segmented and measured, and of the next one.
_SHARED = 4
#: Seconds for which the number of workers is taken as known.
_KNOWN_FOR = 2.0
#: Seconds to wait for a result, or for a scheduler, until something is said.
_PATIENCE = 20.0


class ClusterError(StarpolyError):
    """The cluster is gone, or its workers cannot run starpoly; no task will succeed."""


class Cluster:
    """Runs functions on the workers of a dask cluster.

    Parameters
    ----------
    client : distributed.Client
        Connected; closed by whoever made it.
    """

    def __init__(self, client: Any) -> None:
        self._client, self._address = client, str(client.scheduler.address)
        self._lock = threading.Lock()
        self._shared: OrderedDict[int, tuple[Any, str, Any]] = OrderedDict()
        self._slots, self._asked_at = 1, -_KNOWN_FOR
        self._said_waiting = False

    def __repr__(self) -> str:
        return f"Cluster({self.address}, {self.n_slots} slots)"

    @property
    def address(self) -> str:
        """Address of the scheduler."""
        return self._address

    @property
    def n_slots(self) -> int:
        """Number of threads of all workers; at least 1."""
        now = time.monotonic()
        if now - self._asked_at > _KNOWN_FOR:
            with self._reporting():
                self._slots, self._asked_at = max(1, sum(self._client.nthreads().values())), now
        return self._slots

    def submit(self, function: Callable[..., Any], /, *args: Any) -> ClusterTask:
        """Run ``function(*args)`` on a worker.

        Parameters
        ----------
        function : callable
            Picklable. Opened once per worker, for all tasks of the same object.
        *args
            Picklable and small.

        Raises
        ------
        StarpolyError
            If it cannot be pickled.
        ClusterError
            If the scheduler is gone.
        """
        packed = _pickled(args)
        with self._reporting():
            digest, shared = self._share(function)
            return ClusterTask(self, self._client.submit(run_task, __version__, digest, shared, packed, pure=False))

    def _share(self, function: Any) -> tuple[str, Any]:
        """Hash of a function, and its pickle or where that lies."""
        with self._lock:
            found = self._shared.get(id(function))
            if found is None:
                content = _pickled(function)
                digest = hashlib.blake2b(content, digest_size=16).hexdigest()
                found = function, digest, content if len(content) <= _CARRIED else self._send(digest, content)
                self._shared[id(function)] = found  # holds the function, so that no other gets its id
                while len(self._shared) > _SHARED:
                    self._shared.popitem(last=False)
            return found[1:]

    def _send(self, digest: str, content: bytes) -> Any:
        # a task that gives its argument: unlike scattered data it survives the loss of a worker
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph")
            return self._client.submit(bytes, content, key=f"starpoly-shared-{digest}")

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except StarpolyError:
            raise
        except Exception as error:
            raise self.lost(error) from error

    def lost(self, error: Exception) -> ClusterError:
        """The error to raise for one of dask's."""
        if (
            self._client.status != "running"
            or isinstance(error, OSError)
            or type(error).__name__.endswith("CancelledError")
        ):
            return ClusterError(
                f"{self.address}: lost the scheduler; start it again and repeat the command, it continues from what is finished"
            )
        return ClusterError(f"{self.address}: expected workers with the packages of this process, got: {_line(error)}")

    def say_waiting(self) -> None:
        """Say, once, that there are no workers to wait for."""
        if not self._said_waiting and not self._client.nthreads():
            self._said_waiting = True
            _log.warning(
                "no workers at %s; waiting for some: start them with dask worker %s", self.address, self.address
            )


class ClusterTask:
    """A submitted task; a future, as far as an executor needs one."""

    def __init__(self, cluster: Cluster, future: Any) -> None:
        self._cluster, self._future = cluster, future

    def result(self) -> Any:
        """Wait for the result.

        Raises
        ------
        StarpolyError
            If the task failed, or several workers died of it.
        ClusterError
            If the scheduler is gone, or workers lack packages.
        """
        from distributed import KilledWorker

        while True:
            try:
                return self._future.result(timeout=_PATIENCE)
            except StarpolyError:
                raise
            except KilledWorker as error:
                raise StarpolyError(
                    f"expected workers that live, got several that died of the same task, last {error.last_worker.address}; "
                    "they may lack memory: give them more, or use a smaller --tile-size"
                ) from error
            except TimeoutError:
                self._cluster.say_waiting()
            except Exception as error:
                raise self._cluster.lost(error) from error

    def cancel(self) -> bool:
        """Do not run it, if it does not run yet."""
        try:
            self._future.cancel()
        except Exception as error:  # the scheduler is gone, and the task with it
            _log.debug("not cancelled: %s", error)
        return True


def _pickled(function: Any) -> bytes:
    try:
        return pickle.dumps(function, protocol=pickle.HIGHEST_PROTOCOL)
    except StarpolyError:
        raise
    except Exception as error:
        raise StarpolyError(
            f"expected a model and an image that can be sent to workers, got: {_line(error)}; give a model from a folder, and "
            "the path of the image"
        ) from error


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


@contextmanager
def open_cluster(
    client: Any = None, *, scheduler_file: Any = None, workers: int | None = None
) -> Iterator[Cluster | None]:
    """The workers to run on; None if none are asked for.

    Parameters
    ----------
    client : distributed.Client or str, optional
        A client, which stays open, or the address of a scheduler.
    scheduler_file : path, optional
        File that a scheduler wrote its address to.
    workers : int, optional
        Start so many workers on this machine, and end them with the block.

    Raises
    ------
    ConfigError
        If dask.distributed is not installed, or there is no such scheduler.
    """
    if client is None and scheduler_file is None and workers is None:
        yield None
        return
    if isinstance(client, Cluster):
        yield client
        return
    _check_installed()
    with ExitStack() as stack:
        if workers is not None:
            client = stack.enter_context(_local_client(workers))
        elif client is None or isinstance(client, str):
            client = stack.enter_context(_connected(client, scheduler_file))
        yield Cluster(client)


def _check_installed() -> None:
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"cluster: expected dask.distributed to be installed, it is not; {install_command('dask')}"
        ) from error


@contextmanager
def _local_client(workers: int) -> Iterator[Any]:
    """Workers on this machine that share its processors."""
    import dask
    from distributed import Client, LocalCluster

    threads = max(1, n_threads() // workers)
    with (
        # a profile of an hour of calls grows all the while
        dask.config.set({"distributed.worker.profile.enabled": False}),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=threads,
            memory_limit=0,  # tiles bound the memory
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
            env=thread_settings(threads),  # this process's number is that of all workers together
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@contextmanager
def _connected(address: str | None, scheduler_file: Any) -> Iterator[Any]:
    from distributed import Client

    where = address if address is not None else _address_in(Path(scheduler_file))
    try:
        client = Client(where, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise _no_scheduler(where, error) from error
    with client:
        if not client.nthreads():
            _log.info("no workers at %s yet; start them with dask worker", where)
        yield client


def _address_in(file: Path) -> str:
    """The address that a scheduler wrote to a file; waits for a scheduler that is starting."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return str(json.loads(file.read_text(encoding="utf-8"))["address"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            if time.monotonic() > end:
                raise _no_scheduler(file, error) from error
        time.sleep(0.1)


def _no_scheduler(where: object, error: Exception) -> ConfigError:
    return ConfigError(
        f"{where}: expected a scheduler of dask, such as tcp://host:8786, got none ({_line(error)}); start one with "
        "dask scheduler"
    )
