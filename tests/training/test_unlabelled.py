"""Unlabelled images: which files they are, which window of a large one, and when they are labelled."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from starpoly.config import TrainingConfig
from starpoly.errors import ConfigError, DataError, StarpolyWarning
from starpoly.training.unlabelled import array_unlabelled, cropped, find_unlabelled, labelling_epochs


def training(**settings) -> TrainingConfig:
    return TrainingConfig.from_dict(settings)


def test_images_of_a_folder_without_those_that_have_labels(tmp_path):
    for name in ("b.tif", "a.tif", "c_img.tif"):
        tifffile.imwrite(tmp_path / name, np.full((4, 5), ord(name[0]), np.uint8))
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.warns(StarpolyWarning, match=r"passed over, no images: 1 \.txt \(notes\.txt\)"):
        assert [image.name for image in find_unlabelled(tmp_path)] == ["a.tif", "b.tif", "c_img.tif"]
    (tmp_path / "notes.txt").unlink()
    (only,) = find_unlabelled(tmp_path, exclude={"a", "c"})
    assert (only.read() == ord("b")).all()
    with pytest.raises(DataError, match="expected unlabelled images"):
        find_unlabelled(tmp_path, exclude={"a", "b", "c"})
    with pytest.raises(DataError):
        find_unlabelled(tmp_path / "nowhere")


def test_a_large_image_is_cut_the_same_each_time():
    whole = np.arange(200 * 50 * 3).reshape(200, 50, 3)
    settings = training(unlabelled={"largest_side": 64})
    (image,) = array_unlabelled([whole])
    window = cropped(image, 0, settings).read()
    assert window.shape == (64, 50, 3)
    np.testing.assert_array_equal(window, cropped(image, 0, settings).read())
    assert not np.array_equal(window, cropped(image, 1, settings).read())
    start = window[0, 0, 0] // 150
    np.testing.assert_array_equal(window, whole[start : start + 64])
    assert cropped(image, 0, training()).read().shape == whole.shape


@pytest.mark.parametrize(
    ("epochs", "settings", "expected"),
    [
        (80, {}, [40, 60]),
        (24, {"start": 0.5, "rounds": 3}, [12, 16, 20]),
        (2, {"rounds": 5}, [1]),
        (3, {"start": 0.99}, [2]),
        (10, {"start": 0.01, "rounds": 1}, [1]),
    ],
)
def test_labelling_epochs(epochs, settings, expected):
    assert labelling_epochs(training(epochs=epochs, unlabelled=settings)) == expected


def test_one_epoch_is_too_short():
    with pytest.raises(ConfigError, match="at least 2"):
        labelling_epochs(training(epochs=1))


@pytest.mark.parametrize(
    "settings", [{"start": 1.0}, {"rounds": 0}, {"share": 0}, {"confidence": 2}, {"largest_side": 3}, {"round": 1}]
)
def test_settings_are_checked(settings):
    with pytest.raises(ConfigError, match="unlabelled"):
        training(unlabelled=settings)
