"""Threads that write: they end with what is done beside them, and the first error is the one that is said."""

from __future__ import annotations

import math
import threading

import pytest

from starpoly.labels.streaming import StreamingLabels
from starpoly.prediction.writing import Writers

from support.examples import POLYGONS

SHAPE = (48, 64)


class Full(Exception):
    pass


def fail():
    raise Full("no room")


def all_known(labels: StreamingLabels) -> None:
    labels.add(POLYGONS["one"], math.inf, math.inf)


def test_the_last_appears_after_all_others():
    labels, done, goes_on = StreamingLabels(SHAPE), [], threading.Event()

    def last(before_naming):
        labels.whole()
        before_naming()
        done.append("last")

    def other():
        goes_on.wait(60)
        done.append("other")

    with Writers(labels) as writers:
        writers.start_last(last)
        writers.start(other)
        all_known(labels)
        goes_on.set()
        writers.wait()
        done.append("main")
        writers.finish()
    assert done == ["other", "main", "last"]


def test_an_error_reaches_whoever_waits_and_ends_the_others():
    labels, ended = StreamingLabels(SHAPE), []

    def listing():
        try:
            list(labels.objects())
        finally:
            ended.append(True)

    def run():
        with Writers(labels) as writers:
            writers.start(listing)
            writers.start(fail)
            writers.wait()

    with pytest.raises(Full, match="no room"):
        run()
    assert ended


def test_an_error_of_the_last_is_said_whatever_is_waited_for():
    def run(wait):
        labels = StreamingLabels(SHAPE)
        with Writers(labels) as writers:
            writers.start_last(lambda before_naming: fail())
            wait(labels, writers)

    for wait in (
        lambda labels, writers: writers.wait(),
        lambda labels, writers: labels.whole(),
        lambda labels, writers: [all_known(labels), writers.wait(), writers.finish()],
    ):
        with pytest.raises(Full, match="no room"):
            run(wait)


def test_an_error_beside_them_ends_them():
    named = []

    def run():
        labels = StreamingLabels(SHAPE)
        with Writers(labels) as writers:
            writers.start(lambda: named.extend(labels.objects()))
            writers.start_last(lambda before_naming: (before_naming(), named.append("last")))
            fail()

    with pytest.raises(Full):
        run()
    assert not named


def test_nothing_to_write_is_measured():
    labels = StreamingLabels(SHAPE)
    with Writers(labels) as writers:
        all_known(labels)
        writers.wait()
        writers.finish()
    assert labels.count() == 1
