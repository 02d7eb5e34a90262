"""The sparse table of overlaps against counting pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from starpoly.errors import DataError
from starpoly.evaluation import label_overlaps as module
from starpoly.evaluation.label_overlaps import overlaps

import reference

DTYPES = [np.uint8, np.int8, np.uint16, np.int32, np.uint32, np.int64, np.uint64]


def as_dict(table):
    pairs = zip(table.true_labels[table.true_index], table.pred_labels[table.pred_index], strict=True)
    return {(int(i), int(j)): int(n) for (i, j), n in zip(pairs, table.shared, strict=True)}


def check(table, true, pred):
    assert as_dict(table) == reference.shared_pixels(true, pred)
    for labels, areas, image in (
        (table.true_labels, table.true_areas, true),
        (table.pred_labels, table.pred_areas, pred),
    ):
        assert labels.tolist() == reference.object_ids(image)
        assert areas.tolist() == [int((image == label).sum()) for label in labels.tolist()]


@st.composite
def label_pairs(draw):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=9))
    ids = draw(st.sampled_from([1, 3, 100]))
    images = [draw(hnp.arrays(draw(st.sampled_from(DTYPES)), shape, elements=st.integers(0, ids))) for _ in range(2)]
    return images


@settings(deadline=None, max_examples=60)
@given(label_pairs(), st.integers(1, 40))
def test_equals_counting_whatever_the_block(images, block):
    before, module.BLOCK_PIXELS = module.BLOCK_PIXELS, block
    try:
        check(overlaps(*images), *images)
    finally:
        module.BLOCK_PIXELS = before


@pytest.mark.parametrize("top", [2**16 - 1, 2**32 - 1, 2**32, 2**63 - 1, 2**64 - 1])
def test_large_ids_do_not_alias(top):
    dtype = np.uint64 if top >= 2**63 else np.int64
    true = np.array([[top, top, 1], [0, top - 1, 1]], dtype)
    pred = np.array([[1, 2, 2], [top, 2, 0]], dtype)
    check(overlaps(true, pred), true, pred)


def test_views_and_big_endian_arrays():
    base = np.arange(48).reshape(6, 8) // 5
    true, pred = base[::2, ::-1], base.astype(">i4")[1::2, ::-1]
    check(overlaps(true, pred), true, pred)


def test_without_is_the_table_of_the_images_with_those_objects_erased():
    rng = np.random.default_rng(0)
    for _ in range(20):
        true, pred = rng.integers(0, 6, (2, 7, 9))
        drop_true, drop_pred = rng.integers(0, 7, (2, 3))
        table = overlaps(true, pred).without(drop_true, drop_pred)
        check(table, np.where(np.isin(true, drop_true), 0, true), np.where(np.isin(pred, drop_pred), 0, pred))


def test_scores():
    table = overlaps(np.array([[1, 1, 1, 1, 0]]), np.array([[0, 0, 7, 7, 7]]))
    assert [table.scores(name).tolist() for name in ("iou", "iot", "iop")] == [[2 / 5], [2 / 4], [2 / 3]]
    with pytest.raises(DataError, match="iou, iot, iop"):
        table.scores("dice")


def test_memory_mapped_labels_are_read_in_blocks(tmp_path):
    true = np.zeros((600, 700), np.uint32)
    true[100:300, 50:90] = 70_000
    np.save(tmp_path / "true.npy", true)
    mapped = np.load(tmp_path / "true.npy", mmap_mode="r")
    check(overlaps(mapped, true), true, true)


@pytest.mark.parametrize(
    ("true", "pred", "message"),
    [
        (np.zeros((2, 2)), np.zeros((2, 2), int), "y_true: expected a label image of integers, got float64"),
        (np.zeros((2, 2), int), np.zeros((2, 2), bool), "y_pred: expected a label image of integers, got bool"),
        (np.zeros((2, 2), int), [[0, 0], [0, 0]], "y_pred: expected a label image of integers"),
        (np.zeros((2, 2), int), np.zeros((2, 3), int), r"same shape, got \(2, 2\) \(true\) and \(2, 3\) \(predicted\)"),
        (np.array([[0, -1]]), np.array([[0, 1]]), "y_true: expected ids from 0, got -1"),
        (np.array([[0, 1]]), np.array([[-3, 1]], np.int8), "y_pred: expected ids from 0, got -3"),
        (np.array(1), np.array(1), "got a single number"),
    ],
)
def test_what_is_no_label_image_is_refused(true, pred, message):
    with pytest.raises(DataError, match=message):
        overlaps(true, pred)
