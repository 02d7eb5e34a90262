"""The executor of a cluster, with a client that runs tasks here; tests/prediction/test_cluster.py has real processes."""

from __future__ import annotations

import pickle
import sys
from types import SimpleNamespace

import pytest

from starpoly.detection import cluster as cluster_module
from starpoly.detection import worker
from starpoly.detection.cluster import Cluster, ClusterError, open_cluster
from starpoly.detection.executors import map_groups, spread_over, tasks_at_once
from starpoly.errors import ConfigError, ModelError, StarpolyError

distributed = pytest.importorskip("distributed")


class Task:
    """A future of the client; its result may raise what stands in it."""

    def __init__(self, result):
        self._result, self.cancelled = result, False

    def result(self, timeout=None):
        if isinstance(self._result, list) and self._result and isinstance(self._result[0], Exception):
            raise self._result.pop(0)
        return self._result

    def cancel(self):
        self.cancelled = True


class Client:
    """Runs what is submitted at once, as a worker would; keeps what was sent."""

    status, scheduler = "running", SimpleNamespace(address="tcp://here:8786")

    def __init__(self, threads: int = 2):
        self.threads, self.sent, self.answers = threads, [], []

    def nthreads(self):
        return {"one": self.threads} if self.threads else {}

    def submit(self, function, *args, **settings):
        args = [arg.result() if isinstance(arg, Task) else arg for arg in args]
        self.sent.append(sum(len(arg) for arg in args if isinstance(arg, bytes)))
        if self.answers:
            return Task(self.answers)
        try:
            return Task(function(*args))
        except Exception as error:
            return Task([error])


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """This process is a worker."""
    monkeypatch.setattr(
        worker, "_worker", lambda: SimpleNamespace(address="tcp://here:1", state=SimpleNamespace(nthreads=3))
    )
    monkeypatch.setattr(worker, "_kept", worker._kept.copy())
    monkeypatch.setattr(worker, "os", SimpleNamespace(environ={"TF_NUM_INTRAOP_THREADS": "7"}))


class Adding:
    """Adds a number; tells how often it was opened."""

    opened = 0

    def __init__(self, number, ballast=b""):
        self.number, self.ballast = number, ballast

    def __setstate__(self, state):
        self.__dict__.update(state)
        Adding.opened += 1

    def __call__(self, other):
        if other == -13:
            raise ModelError("-13: no such number")
        if other == -14:
            raise KeyError("no")
        return self.number + other


@pytest.mark.parametrize("ballast", [0, 1 << 16])
def test_what_tasks_share_is_opened_once(ballast):
    client, Adding.opened = Client(), 0
    cluster, work = Cluster(client), Adding(5 + ballast, bytes(ballast))
    assert [cluster.submit(work, n).result() for n in range(9)] == [5 + ballast + n for n in range(9)]
    assert Adding.opened == 1


def test_groups_of_tiles_come_in_order_and_few_at_a_time():
    client = Client()
    cluster = Cluster(client)
    tiles = list(range(100))
    assert list(map_groups(cluster, Adding(1), tiles)) == [(n, n + 1) for n in tiles]
    assert len(client.sent) == -(-100 // 8)
    client.sent.clear()
    assert len(list(map_groups(cluster, Adding(1), tiles[:5]))) == 5
    assert len(client.sent) == 5
    assert tasks_at_once(cluster) == 6


def test_what_is_in_memory_is_not_spread():
    cluster = Cluster(Client())
    assert spread_over(None, SimpleNamespace(in_memory=False)) is map
    assert spread_over(cluster, SimpleNamespace(in_memory=True)) is map
    run = spread_over(cluster, SimpleNamespace(in_memory=False))
    assert list(run(Adding(2), [1, 2, 3])) == [3, 4, 5]


@pytest.mark.parametrize(
    ("number", "kind", "text"),
    [(-13, ModelError, "-13: no such number"), (-14, StarpolyError, "unexpected KeyError: 'no'")],
)
def test_an_error_names_the_worker(number, kind, text):
    with pytest.raises(kind) as raised:
        Cluster(Client()).submit(Adding(0), number).result()
    assert str(raised.value).startswith(f"{text} (worker tcp://here:1 on ")


def test_another_version_on_a_worker_is_refused(monkeypatch):
    monkeypatch.setattr(cluster_module, "__version__", "0.0")
    with pytest.raises(StarpolyError, match=r"expected starpoly 0.0 on all workers, .* \(worker tcp://here:1"):
        Cluster(Client()).submit(Adding(0), 1).result()


def test_libraries_get_the_threads_of_the_worker():
    worker.prepare_process()
    assert worker.os.environ["NUMBA_NUM_THREADS"] == "3"
    assert worker.os.environ["TF_NUM_INTRAOP_THREADS"] == "7"
    assert worker.os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"


def test_a_task_that_kills_workers():
    client = Client()
    dead = SimpleNamespace(address="tcp://dead:1")
    client.answers = [distributed.scheduler.KilledWorker("task", dead, 3)]
    with pytest.raises(StarpolyError, match="died of the same task, last tcp://dead:1") as raised:
        Cluster(client).submit(Adding(0), 1).result()
    assert not isinstance(raised.value, ClusterError)


def test_a_scheduler_that_is_gone():
    client = Client()
    client.answers = [OSError("closed")]
    with pytest.raises(ClusterError, match="lost the scheduler"):
        Cluster(client).submit(Adding(0), 1).result()
    client.nthreads = lambda: (_ for _ in ()).throw(OSError("closed"))
    with pytest.raises(ClusterError, match="lost the scheduler"):
        Cluster(client).n_slots  # noqa: B018


def test_waiting_for_workers_is_said_once(caplog):
    client = Client(threads=0)
    client.answers = [TimeoutError(), TimeoutError()]
    cluster = Cluster(client)
    assert cluster.n_slots == 1
    assert cluster.submit(Adding(0), 1).result() == []
    assert caplog.text.count("no workers at tcp://here:8786") == 1


def test_what_cannot_be_pickled_is_refused():
    with pytest.raises(StarpolyError, match="sent to workers"):
        Cluster(Client()).submit(lambda: None)


def test_no_cluster_without_being_asked():
    with open_cluster() as cluster:
        assert cluster is None
    found = Cluster(Client())
    with open_cluster(found) as cluster:
        assert cluster is found


def test_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError, match="dask"), open_cluster("tcp://x:1"):
        pass


def test_a_network_is_opened_once(monkeypatch):
    opened = []
    monkeypatch.setattr(worker, "_opened_once", lambda *args: opened.append(args) or "network")
    monkeypatch.setattr(worker, "reopen", reopened)
    assert worker._opened("a", pickle.dumps(Holding())).network == "network"
    assert opened == [("folder",)]


def reopened(folder):
    raise AssertionError("opened twice")


class Network:
    def __reduce__(self):
        return reopened, ("folder",)


class Holding:
    def __init__(self):
        self.network = Network()
