"""The data of a training: found in folders, split, grouped; or taken from arrays."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from starpoly.errors import DataError
from starpoly.training.data import Pair
from starpoly.training.inputs import TrainingFolders, inputs_from_arrays, inputs_from_folders, split_pairs

LABELS = np.eye(16, dtype=np.uint16)


def pairs(n):
    return [Pair(str(index), lambda: LABELS, lambda: LABELS) for index in range(n)]


def names(found):
    return [one.name for one in found]


@pytest.fixture
def folders(tmp_path):
    """Images a to f, of which e and f have no masks."""
    for place, files in (("images", "abcdef"), ("masks", "abcd")):
        (tmp_path / place).mkdir()
        for name in files:
            tifffile.imwrite(tmp_path / place / f"{name}.tif", LABELS)
    return {"images": tmp_path / "images", "masks": tmp_path / "masks"}


@pytest.mark.parametrize(("n", "fraction", "n_val"), [(10, 0.15, 2), (10, 0.01, 1), (2, 0.9, 1)])
def test_a_share_is_set_aside_the_same_for_the_same_seed(n, fraction, n_val):
    train, val = split_pairs(pairs(n), fraction, seed=3)
    assert len(val) == n_val
    assert sorted(names(train) + names(val), key=int) == names(pairs(n))
    assert names(split_pairs(pairs(n), fraction, seed=3)[1]) == names(val)


@pytest.mark.parametrize(("n", "fraction"), [(1, 0.5), (5, 0.0), (5, 1.0)])
def test_what_cannot_be_split_is_refused(n, fraction):
    with pytest.raises(DataError, match="at least two pairs"):
        split_pairs(pairs(n), fraction, seed=0)


@pytest.mark.filterwarnings("ignore:2 file.* without a partner")
def test_unlabelled_images_of_the_same_folder_are_those_without_masks(folders, tmp_path):
    data = inputs_from_folders(TrainingFolders(**folders, unlabelled=tmp_path / "images"), licence="CC0-1.0")
    assert names(data.unlabelled) == ["e.tif", "f.tif"]
    assert data.licence == "CC0-1.0"
    elsewhere = inputs_from_folders(TrainingFolders(**folders, unlabelled=tmp_path / "masks"))
    assert names(elsewhere.unlabelled) == ["a.tif", "b.tif", "c.tif", "d.tif"]


@pytest.mark.filterwarnings("ignore:2 file.* without a partner")
def test_groups_are_those_of_the_training_images(folders, tmp_path):
    (tmp_path / "groups.csv").write_text("name,group\na,x\nb.tif,y\nc,x\nd,x\n")
    data = inputs_from_folders(TrainingFolders(**folders, groups=tmp_path / "groups.csv", val_fraction=0.5), seed=1)
    assert {pair.name: pair.group for pair in data.training}.items() <= {"a": "x", "b": "y", "c": "x", "d": "x"}.items()


def test_validation_folders_come_in_twos(folders, tmp_path):
    with pytest.raises(DataError, match="both --val-images and --val-masks"):
        inputs_from_folders(TrainingFolders(**folders, val_images=tmp_path / "images"))


def test_arrays_with_classes_on_both_sides():
    data = inputs_from_arrays([LABELS], [LABELS], ([LABELS], [LABELS], [{1: 2}]), classes=[{1: 1}], groups=["a"])
    assert (data.training[0].classes, data.validation[0].classes) == ({1: 1}, {1: 2})
    assert data.training[0].group == "a"
    with pytest.raises(DataError, match="got 4 parts"):
        inputs_from_arrays([LABELS], [LABELS], ([], [], [], []))
