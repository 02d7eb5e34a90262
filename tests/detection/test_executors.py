"""Tiles may be run by anything: the answer is the same, memory is bounded, errors arrive."""

from __future__ import annotations

import pickle
import random
import threading
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
import pytest

from starpoly.config import Thresholds
from starpoly.detection.executors import SerialExecutor, map_tiles, threads
from starpoly.detection.out_of_memory import SplitOnOutOfMemory
from starpoly.detection.pipeline import detect, plan_for
from starpoly.detection.tile_work import TileOptions, process_tile

from support.painted import Painted, disks, identity, paint

THRESHOLDS = Thresholds(0.3, 0.4)


class Shuffling:
    """Runs what is submitted when a result is asked for, in a random order, as a cluster might."""

    def __init__(self, seed: int):
        self._random, self._waiting = random.Random(seed), []

    def submit(self, function, /, *args):
        future = Later(self)
        self._waiting.append((future, partial(function, *args)))
        return future

    def run_all(self):
        self._random.shuffle(self._waiting)
        while self._waiting:
            future, work = self._waiting.pop()
            future.set_result(work())


class Later(Future):
    def __init__(self, executor):
        super().__init__()
        self._executor = executor

    def result(self, timeout=None):
        self._executor.run_all()
        return super().result(timeout)


@pytest.fixture(scope="module")
def image():
    return paint(disks((150, 130), seed=4))


@pytest.mark.parametrize("executor", [SerialExecutor(), Shuffling(0), Shuffling(1)], ids=["serial", "one", "other"])
def test_any_executor_gives_the_same_objects(image, executor):
    expected = detect(image, Painted(), identity(), THRESHOLDS, tile_size=48)
    found = detect(image, Painted(), identity(), THRESHOLDS, tile_size=48, executor=executor)
    assert len(expected.polygons) > 3
    assert found.n_tiles > 6
    assert found.n_candidates == expected.n_candidates
    for name in ("points", "distances", "probabilities"):
        np.testing.assert_array_equal(getattr(found.polygons, name), getattr(expected.polygons, name))


def test_the_work_of_a_tile_can_be_sent_elsewhere(image):
    options = TileOptions(THRESHOLDS, foreground=0.5, suppress=True)
    network = Painted(has_foreground=True)
    work = partial(
        process_tile, source=image, network=SplitOnOutOfMemory(network), normalizer=identity(), options=options
    )
    tile = plan_for(network, image.shape[:2], 48).tiles[1]
    here, there = work(tile), pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(work))(tile)))
    for part in ("kept", "pending"):
        np.testing.assert_array_equal(getattr(here, part).points, getattr(there, part).points)
    np.testing.assert_array_equal(here.foreground, there.foreground)
    assert here.n_candidates == there.n_candidates
    assert set(there.seconds) == {"reading", "network", "geometry"}


@pytest.mark.slow
def test_processes_give_the_same_objects(image):
    expected = detect(image, Painted(), identity(), THRESHOLDS, tile_size=64)
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        found = detect(image, Painted(), identity(), THRESHOLDS, tile_size=64, executor=pool)
    np.testing.assert_array_equal(found.polygons.points, expected.polygons.points)
    np.testing.assert_array_equal(found.polygons.distances, expected.polygons.distances)


def test_no_more_tiles_than_allowed_are_in_flight():
    submitted, running = [], set()

    class Counting(SerialExecutor):
        def submit(self, function, /, *args):
            submitted.append(args)
            running.add(args)
            assert len(running) <= 3
            return super().submit(function, *args)

    for tile, result in map_tiles(Counting(), lambda tile: 10 * tile, range(9), in_flight=3):
        assert result == 10 * tile
        running.discard((tile,))
    assert len(submitted) == 9


def test_an_error_cancels_what_is_submitted():
    cancelled = []

    class Lasting(Future):
        def cancel(self):
            cancelled.append(self)

        def result(self, timeout=None):
            raise ValueError("here")

    class Waiting:
        def submit(self, function, /, *args):
            return Lasting()

    with pytest.raises(ValueError, match="here"):
        list(map_tiles(Waiting(), str, range(9), in_flight=lambda: 4))
    assert len(cancelled) == 4


def test_the_network_has_one_window_at_a_time(image):
    class Alone(Painted):
        busy = threading.Lock()

        def __call__(self, batch):
            assert self.busy.acquire(blocking=False)
            try:
                return super().__call__(batch)
            finally:
                self.busy.release()

    assert len(detect(image, Alone(), identity(), THRESHOLDS, tile_size=32, readers=4).polygons) > 3


@pytest.mark.parametrize("readers", [1, 3])
def test_an_error_in_a_tile_arrives_and_stops_the_others(image, readers):
    class Failing(Painted):
        def __call__(self, batch):
            if len(self.windows) == 4:
                raise RuntimeError("no more")
            return super().__call__(batch)

    network = Failing()
    with pytest.raises(RuntimeError, match="no more"):
        detect(image, network, identity(), THRESHOLDS, tile_size=32, readers=readers)
    assert len(network.windows) == 4


def test_threads_begin_nothing_new_after_an_error():
    begun = []

    def work(tile):
        begun.append(tile)
        if tile == 1:
            raise ValueError("here")

    with pytest.raises(ValueError, match="here"), threads(1) as pool:
        list(map_tiles(pool, work, range(1000), in_flight=4))
    assert len(begun) <= 5
