"""A label image that grows is at every moment a part of the final one, however the polygons come."""

from __future__ import annotations

import math
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starpoly.errors import StarpolyError
from starpoly.labels.measurements import measure
from starpoly.labels.streaming import LabelDtypeOverflow, StoppedError, StreamingLabels
from starpoly.polygons import StarPolygons
from starpoly.tiling import Box, cut

import reference
from support.examples import POLYGONS, stars
from support.strategies import SHAPE, polygon_sets
from support.streaming_labels import add_in_parts, columns_of, in_order_if_shown, in_parts


def finished(polygons: StarPolygons, shape=SHAPE, **settings) -> StreamingLabels:
    streaming = StreamingLabels(shape, **settings)
    streaming.add(polygons, math.inf, math.inf)
    streaming.measure()
    return streaming


def everything(streaming: StreamingLabels) -> np.ndarray:
    return streaming.picture().region(Box(0, 0, *streaming.shape))


@given(polygon_sets(), st.integers(0, 5), st.integers(0, 99), st.sampled_from([1, 5, 30]))
def test_what_can_be_drawn_is_final(polygons, n_parts, seed, band):
    expected = reference.numbered_labels(polygons, SHAPE)
    streaming = StreamingLabels(SHAPE, band=band)
    for rows in add_in_parts(streaming, polygons, n_parts, seed):
        np.testing.assert_array_equal(streaming.picture().region(Box(0, 0, rows, SHAPE[1])), expected[:rows])
    assert rows == SHAPE[0]
    assert streaming.count() == expected.max()


@given(polygon_sets(), st.integers(0, 5), st.integers(0, 99), st.sampled_from([1, 5, 30]))
def test_table_is_that_of_the_final_picture(polygons, n_parts, seed, band):
    streaming = StreamingLabels(SHAPE, band=band)
    for _ in add_in_parts(streaming, polygons, n_parts, seed):
        pass
    labels = reference.numbered_labels(polygons, SHAPE)
    expected, found = measure(labels, in_order_if_shown(polygons)), columns_of(streaming)
    assert list(found) == list(expected)
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])


@pytest.mark.parametrize("name", POLYGONS)
@pytest.mark.parametrize("step", [1, 2, 8])
def test_the_catalogue_at_every_level(name, step):
    labels = finished(POLYGONS[name]).picture().region(Box(0, 0, *SHAPE), step)
    np.testing.assert_array_equal(labels, reference.numbered_labels(POLYGONS[name], SHAPE)[::step, ::step])


def test_rows_are_given_out_before_the_last_polygon_is_known():
    polygons = stars((5, 9, 3), (20, 30, 2), (45, 9, 2))
    streaming = StreamingLabels(SHAPE, band=1)
    streaming.add(polygons.take([1, 0]), 40, 35)
    streaming.advance()
    assert streaming.n_drawable == 33
    assert streaming.n_ids == 2
    top = streaming.picture().region(Box(0, 0, 33, 64))
    streaming.add(polygons.take([2]), math.inf, math.inf)
    streaming.measure()
    whole = everything(streaming)
    np.testing.assert_array_equal(top, whole[:33])
    assert np.unique(whole).tolist() == [0, 1, 2, 3]


def test_a_polygon_that_may_be_hidden_holds_back_the_ids_after_it():
    # one that is to come may hide the lower end of the first, which may then be another piece
    streaming = StreamingLabels(SHAPE, band=1)
    known, later = (
        stars((10, 9, 6), (14, 9, 4), (15, 30, 1), probabilities=[0.9, 0.5, 0.5]),
        stars((20, 9, 5), probabilities=[0.8]),
    )
    streaming.add(known, 20, 15.5)
    streaming.advance()
    assert streaming.n_ids == 0
    assert streaming.n_drawable == 3
    streaming.add(later, math.inf, math.inf)
    streaming.measure()
    np.testing.assert_array_equal(
        everything(streaming), reference.numbered_labels(StarPolygons.concatenate([known, later]), SHAPE)
    )


def test_readers_wait_for_what_is_not_known():
    rng = np.random.default_rng(1)
    polygons = StarPolygons(rng.uniform(0, SHAPE[0] - 1, (40, 2)), rng.uniform(2, 6, (40, 8)), rng.uniform(0, 1, 40))
    expected = reference.numbered_labels(polygons, SHAPE)
    streaming = StreamingLabels(SHAPE, band=1)
    begun = threading.Barrier(4)

    def draw(step: int) -> np.ndarray:
        begun.wait()
        picture, out = streaming.picture(), np.zeros(SHAPE, np.uint16)
        for box in cut(SHAPE, 16):
            out[box.slices][::step, ::step] = picture.region(box, step)
        return out[::step, ::step]

    with ThreadPoolExecutor() as threads:
        whole, half, table = (
            threads.submit(draw, 1),
            threads.submit(draw, 2),
            threads.submit(lambda: (begun.wait(), columns_of(streaming))[1]),
        )
        measuring = threads.submit(streaming.measure)
        begun.wait()
        for part in in_parts(polygons, 6, 1):
            streaming.add(*part)
        np.testing.assert_array_equal(whole.result(), expected)
        np.testing.assert_array_equal(half.result(), expected[::2, ::2])
        assert table.result()["label"] == list(range(1, expected.max() + 1))
        measuring.result()


def test_an_error_ends_all_waiting():
    streaming = StreamingLabels(SHAPE)
    waiting = [
        streaming.measure,
        streaming.count,
        streaming.whole,
        lambda: list(streaming.objects()),
        lambda: everything(streaming),
    ]
    with ThreadPoolExecutor(len(waiting)) as threads:
        ends = [threads.submit(wait) for wait in waiting]
        streaming.stop(OSError("the disk"))
        assert all(isinstance(end.exception(), StoppedError) for end in ends)
    with pytest.raises(OSError, match="the disk"):
        streaming.add(POLYGONS["one"], 0, 0)


def test_ids_that_a_dtype_does_not_hold_are_refused_at_once():
    y, x = np.mgrid[0:520:2, 0:520:2]
    points = np.stack([y.ravel(), x.ravel()], 1)
    polygons = StarPolygons(points, np.full((len(points), 4), 0.4), np.ones(len(points)))
    streaming = StreamingLabels((520, 520), band=1)
    small = streaming.picture()
    streaming.add(polygons.take(points[:, 0] < 504), 504, 503)
    streaming.advance()
    np.testing.assert_array_equal(np.unique(small.region(Box(0, 0, 490, 520))), np.arange(245 * 260 + 1))
    streaming.add(polygons.take(points[:, 0] >= 504), math.inf, math.inf)
    streaming.measure()
    with pytest.raises(LabelDtypeOverflow, match="at most 65535 objects, got 67600"):
        small.region(Box(0, 0, 1, 1))
    large = streaming.picture()
    assert large.dtype == np.uint32
    assert everything(streaming).max() == streaming.whole()[:, :].max() == 67_600


def test_nothing_is_a_picture_too():
    streaming = finished(StarPolygons.empty(8, 2))
    assert streaming.count() == 0
    assert not everything(streaming).any()
    ((polygons, columns),) = streaming.objects()
    assert len(polygons) == 0
    assert polygons.class_probabilities.shape == (0, 3)
    assert {name: len(column) for name, column in columns.items()} == dict.fromkeys(
        ["label", "y", "x", "area", "diameter", "score", "class"], 0
    )
    with pytest.raises(StarpolyError, match="added first"):
        StreamingLabels(SHAPE).polygons()


def test_objects_come_some_at_a_time(monkeypatch):
    monkeypatch.setattr("starpoly.labels.streaming._AT_ONCE", 3)
    polygons = stars(*((5 + 9 * (i // 5), 5 + 9 * (i % 5), 3) for i in range(20)))
    parts = [polygons.points.tolist() for polygons, _ in finished(polygons).objects()]
    assert max(map(len, parts)) == 3
    assert [point for part in parts for point in part] == sorted(polygons.points.tolist())


def test_memory_is_bounded_by_polygons_and_regions():
    n, side = 20_000, 20_000
    rng = np.random.default_rng(3)
    polygons = StarPolygons(rng.uniform(0, side, (n, 2)), rng.uniform(3, 9, (n, 8)), rng.uniform(0, 1, n))
    finished(polygons.take(slice(9)), (99, 99))
    tracemalloc.start()
    streaming = StreamingLabels((side, side))
    order = np.argsort(polygons.points[:, 0])
    for part in np.array_split(order, 40):
        last = float(polygons.points[part[-1], 0])
        streaming.add(polygons.take(part), last, last - 9)
        streaming.advance()
    assert streaming.n_drawable > side - 2000
    assert streaming.picture().region(Box(9000, 9000, 9512, 9512)).shape == (512, 512)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 400 * n + 3e7
