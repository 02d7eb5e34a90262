"""A step of decoding that does not end is given up."""

from __future__ import annotations

import threading
import time

import pytest

from starpoly.errors import ConfigError, ImageError
from starpoly.io.readers import time_limit
from starpoly.io.readers.time_limit import VARIABLE, seconds_allowed, within_time


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setenv(VARIABLE, "0.2")


@pytest.mark.parametrize("limit", ["", "0", "5"])
def test_a_step_gives_its_result_or_its_own_error(monkeypatch, limit):
    monkeypatch.setenv(VARIABLE, limit)
    assert within_time(lambda: 3, "a.tif") == 3
    with pytest.raises(KeyError, match="own"):
        within_time(lambda: {}["own"], "a.tif")
    with pytest.raises(TimeoutError, match="own"):
        within_time(_own_timeout, "a.tif")


def _own_timeout():
    raise TimeoutError("own")


def test_python_code_without_end_is_ended(short):
    threads = []

    def work():
        threads.append(threading.current_thread())
        while True:
            pass

    with pytest.raises(
        ImageError, match=r"^a\.tif: expected to be decoded within 0\.2 seconds, got no end; .* " + VARIABLE
    ):
        within_time(work, "a.tif")
    threads[0].join(60)
    assert not threads[0].is_alive()


def test_a_decoder_that_waits_is_left_behind_and_others_go_on(short):
    done = threading.Event()
    with pytest.raises(ImageError, match="no end"):
        within_time(lambda: done.wait(60), "a.tif")
    assert within_time(lambda: 4, "b.tif") == 4
    done.set()


def test_steps_within_a_step_are_part_of_it(monkeypatch):
    monkeypatch.setenv(VARIABLE, "60")
    inner = within_time(lambda: within_time(threading.current_thread, "a.tif"), "a.tif")
    assert inner.daemon
    assert inner.name == "decoding"


def test_an_idle_thread_does_the_next_step_and_holds_no_result(monkeypatch):
    import weakref

    monkeypatch.setenv(VARIABLE, "60")

    class Result:
        pass

    result = within_time(Result, "a.tif")
    gone = weakref.ref(result)
    del result
    deadline = time.monotonic() + 60
    while gone() is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert gone() is None
    assert time_limit._idle or within_time(lambda: True, "a.tif")


@pytest.mark.parametrize("stated", ["soon", "-1", "nan"])
def test_another_limit_is_refused(monkeypatch, stated):
    monkeypatch.setenv(VARIABLE, stated)
    with pytest.raises(ConfigError, match=f"{VARIABLE}: expected seconds"):
        seconds_allowed()
