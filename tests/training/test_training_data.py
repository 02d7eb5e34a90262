"""Training pairs: paired by name, checked, relabelled, cached within a bound."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from starpoly.errors import DataError, StarpolyWarning
from starpoly.training.data import TrainingData, array_pairs, find_pairs


def square(value: int = 1, shape: tuple[int, int] = (20, 30)) -> np.ndarray:
    labels = np.zeros(shape, np.int32)
    labels[5:12, 6:15] = value
    return labels


def image_of(labels: np.ndarray) -> np.ndarray:
    return (40 + 100 * (labels > 0)).astype(np.uint8)


def data_of(*masks: np.ndarray, **settings) -> TrainingData:
    return TrainingData(array_pairs([image_of(m) for m in masks], masks), **settings)


def test_labels_become_consecutive_and_negative_ones_ignored():
    labels = square(70_000)
    labels[15:, :] = 9
    labels[:, -1] = -5
    sample = data_of(labels)[0]
    assert sample.labels.dtype == np.int32
    assert np.unique(sample.labels).tolist() == [-1, 0, 1, 2]
    assert sample.labels[6, 7] == 2
    assert sample.image.shape == (20, 30, 1)
    assert sample.image.dtype == np.float32


def test_cache_is_bounded_and_what_fell_out_is_read_again():
    reads = []
    masks = [square() for _ in range(4)]
    pairs = [
        type(pair)(pair.name, lambda p=pair: (reads.append(p.name), p.read_image())[1], pair.read_labels)
        for pair in array_pairs([image_of(m) for m in masks], masks)
    ]
    one = data_of(square())[0].nbytes
    data = TrainingData(pairs, cache_bytes=2 * one)
    for index in (0, 1, 1, 0, 2, 3, 0):
        data[index]
    assert reads == ["image 0", "image 1", "image 2", "image 3", "image 0"]


def test_summary_measures_objects():
    summary = data_of(square(), square(3)).summarize(progress=False)
    np.testing.assert_allclose(summary.diameters, np.sqrt(4 / np.pi * 63))
    assert summary.longest == pytest.approx(np.hypot(7, 9))
    assert summary.n_objects.tolist() == [1, 1]


def test_contents_differ_with_image_and_mask():
    image, mask = image_of(square()), square()
    brighter, smaller = image.copy(), mask.copy()
    brighter[3, 3] += 1
    smaller[5] = 0
    pairs = array_pairs([image, image.copy(), brighter, image], [mask, mask.copy(), mask, smaller])
    contents = TrainingData(pairs).summarize(progress=False).contents
    first, same, *others = contents.values()
    assert first == same
    assert len({first, *others}) == 3


def test_shape_of_image_and_mask_must_agree():
    data = TrainingData(array_pairs([np.zeros((4, 5), np.uint8)], [np.ones((5, 4), int)]))
    with pytest.raises(DataError, match=r"image 0: expected a mask of the image's shape \(4, 5\), got \(5, 4\)"):
        data[0]


@pytest.mark.parametrize("mask", [np.zeros((20, 30), np.float32), np.zeros((20, 30, 2), int)], ids=["float", "3D"])
def test_what_is_no_label_image_is_refused(mask):
    with pytest.raises(DataError, match="2D mask of integers"):
        TrainingData(array_pairs([np.zeros((20, 30), np.uint8)], [mask]))[0]


def test_all_unusable_pairs_are_said_at_once():
    images = [np.zeros((4, 5), np.uint8), np.zeros((4, 5), np.uint8), np.zeros((4, 6), np.uint8)]
    masks = [np.ones((5, 4), int), np.ones((4, 5), int), np.ones((4, 5), int)]
    expected = r"2 of 3 pairs cannot be used: image 0: expected .* got \(5, 4\); image 2: expected .* got \(4, 5\)"
    with pytest.raises(DataError, match=expected):
        TrainingData(array_pairs(images, masks)).summarize(progress=False)


def test_unusable_validation_pairs_are_said_with_those_of_training():
    wrong = array_pairs([np.zeros((4, 5), np.uint8)] * 2, [np.ones((5, 4), int), np.ones((4, 5), int)])
    training, validation = TrainingData(wrong), TrainingData(wrong[:1])
    with pytest.raises(DataError, match=r"2 of 3 pairs cannot be used: image 0: .*; image 0: "):
        training.summarize(validation=validation, progress=False)


def test_validation_pairs_are_not_measured_and_may_be_background():
    empty = TrainingData(array_pairs([image_of(square())], [np.zeros((20, 30), int)]))
    with pytest.warns(StarpolyWarning, match="the mask holds no object"):
        summary = data_of(square()).summarize(validation=empty, progress=False)
    assert summary.n_objects.tolist() == [1]


def test_channels_that_come_first_are_told_as_such():
    data = TrainingData(array_pairs([np.zeros((3, 4, 5), np.uint8)], [np.ones((4, 5), int)]))
    with pytest.raises(DataError, match=r"channels come first: move them last, as np\.moveaxis\(image, 0, -1\) does"):
        data[0]


def test_all_background_is_said_and_refused_if_everywhere():
    data = data_of(np.zeros((20, 30), int))
    with pytest.warns(StarpolyWarning), pytest.raises(DataError, match="background alone"):
        data.summarize(progress=False)


def test_negative_ids_alone_are_said():
    with pytest.warns(StarpolyWarning, match="no object, and negative ids, which are ignored; number objects from 1"):
        sample = TrainingData(array_pairs([image_of(square())], [-square()]))[0]
    assert np.unique(sample.labels).tolist() == [-1, 0]


def test_semantic_mask_is_said():
    scattered = np.zeros((20, 30), int)
    scattered[2:5, 2:5] = scattered[9:12, 9:12] = 1
    other = scattered.T.copy().T
    other[9:12, 20:25] = other[15:18, 2:5] = 2
    with pytest.warns(StarpolyWarning, match="2 of 2 objects are in several pieces"):
        data_of(other)[0]


def test_classes_follow_the_relabelling():
    labels = square(5)
    labels[15:, :] = 9
    pairs = array_pairs([image_of(labels)], [labels], [{9: 2}])
    assert TrainingData(pairs, n_classes=2)[0].classes.tolist() == [0, 0, 2]
    with pytest.raises(DataError, match="expected classes from 0"):
        TrainingData(pairs, n_classes=1)[0]


def test_folders_pair_by_name_and_say_what_does_not(tmp_path):
    images, masks = tmp_path / "images", tmp_path / "masks"
    images.mkdir()
    masks.mkdir()
    for name in ("a", "b", "alone"):
        tifffile.imwrite(images / f"{name}.tif", image_of(square()))
    for name in ("a_label", "b"):
        tifffile.imwrite(masks / f"{name}.tif", square().astype(np.uint16))
    with pytest.warns(StarpolyWarning, match=r"alone\.tif"):
        pairs = find_pairs(images, masks)
    assert [pair.name for pair in pairs] == ["a", "b"]
    np.testing.assert_array_equal(pairs[0].read_labels(), square())


def test_folders_that_share_no_name_are_refused(tmp_path):
    for folder, name in (("images", "a.tif"), ("masks", "b.tif")):
        (tmp_path / folder).mkdir()
        tifffile.imwrite(tmp_path / folder / name, square().astype(np.uint16))
    with pytest.warns(StarpolyWarning), pytest.raises(DataError, match=r"no image of .* pairs with a mask"):
        find_pairs(tmp_path / "images", tmp_path / "masks")


def test_class_table_is_read_from_csv(tmp_path):
    for folder in ("images", "masks", "classes"):
        (tmp_path / folder).mkdir()
    tifffile.imwrite(tmp_path / "images" / "a.tif", image_of(square()))
    tifffile.imwrite(tmp_path / "masks" / "a.tif", square().astype(np.uint16))
    with pytest.raises(DataError, match=r"a\.csv: expected a CSV table"):
        find_pairs(tmp_path / "images", tmp_path / "masks", tmp_path / "classes")
    (tmp_path / "classes" / "a.csv").write_text("label,class\n1,2\n")
    (pair,) = find_pairs(tmp_path / "images", tmp_path / "masks", tmp_path / "classes")
    assert pair.classes == {1: 2}


def test_every_kind_that_can_be_read_trains_and_the_rest_is_named(tmp_path):
    images, masks = tmp_path / "images", tmp_path / "masks"
    for folder in (images, masks):
        folder.mkdir()
    labels = square()
    np.save(images / "a.npy", image_of(labels))
    tifffile.imwrite(images / "b.svs", image_of(labels))
    np.save(masks / "a.npy", labels)
    tifffile.imwrite(masks / "b_cp_masks.tif", labels)
    (images / "notes.txt").touch()
    with pytest.warns(StarpolyWarning, match=r"passed over, no images: 1 \.txt \(notes\.txt\)"):
        pairs = find_pairs(images, masks)
    assert [pair.name for pair in pairs] == ["a", "b"]
    for pair in pairs:
        np.testing.assert_array_equal(pair.read_image(), image_of(labels))
        np.testing.assert_array_equal(pair.read_labels(), labels)
