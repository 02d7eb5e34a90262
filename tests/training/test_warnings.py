"""Warnings about training images name them, once each, and say what to change."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile

from starpoly.cli.main import main
from starpoly.config import ModelSpec, NetworkConfig
from starpoly.errors import DataError, StarpolyWarning, warn, without_warnings
from starpoly.training.advice import advise
from starpoly.training.data import TrainingData, array_pairs
from starpoly.training.tuning import look_through

from support.examples import with_discs

LABELS = with_discs((60, 80), *[(y, x, 6) for y in (12, 36) for x in (12, 36, 60)])
GREY = np.where(LABELS > 0, 200, 20) + np.random.default_rng(0).integers(0, 9, LABELS.shape)
SPEC = ModelSpec("m", NetworkConfig(n_rays=8), max_distance=9.0)
COLOUR = np.stack([GREY, GREY // 2, 255 - GREY], axis=-1)


def warned(data):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data.summarize(progress=False)
        for index in range(len(data)):
            data._cache.clear()
            data[index]  # read again: nothing is repeated
    assert all(issubclass(one.category, StarpolyWarning) for one in caught)
    return [str(one.message) for one in caught]


def test_colour_for_a_grey_network_is_said_once_with_the_remedy():
    (line,) = warned(TrainingData(array_pairs([COLOUR] * 7, [LABELS] * 7)))
    assert line.startswith("image 0, image 1, image 2, image 3, image 4 and 2 more: colour")
    assert "n_channels = 3" in line
    assert warned(TrainingData(array_pairs([COLOUR], [LABELS]), n_channels=3)) == []


def test_each_image_is_named():
    lines = warned(TrainingData(array_pairs([GREY, GREY * 0, GREY], [LABELS, LABELS, (LABELS > 0) * 255])))
    assert len(lines) == 2
    assert any(line.startswith("image 1: ") and "constant" in line for line in lines)
    assert any(line.startswith("image 2: ") and "connected components" in line for line in lines)


def test_warnings_do_not_change_what_is_read():
    data = TrainingData(array_pairs([COLOUR], [LABELS]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StarpolyWarning)
        first = data[0].image
    data._cache.clear()
    np.testing.assert_array_equal(data[0].image, first)


def test_evaluate_names_a_mask_and_a_photograph(tmp_path, capsys):
    for name, pred, true in (("a", LABELS, (LABELS > 0) * 255), ("b", GREY * 257 + LABELS, LABELS)):
        for folder, values in (("pred", pred), ("true", true)):
            (tmp_path / folder).mkdir(exist_ok=True)
            tifffile.imwrite(tmp_path / folder / f"{name}.tif", values.astype(np.uint16))
    main(["evaluate", str(tmp_path / "pred"), str(tmp_path / "true"), "--iou", "0.5"])
    lines = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert any(str(tmp_path / "true" / "a.tif") in line and "connected components" in line for line in lines)
    assert any(str(tmp_path / "pred" / "b.tif") in line for line in lines)


def test_advise_names_masks(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("starpoly.network.quiet.quiet_import", lambda: None)
    monkeypatch.setattr("starpoly.training.advice.receptive_field_side", lambda grid: 10)
    tifffile.imwrite(tmp_path / "a.tif", (LABELS > 0).astype(np.uint8))
    tifffile.imwrite(tmp_path / "b.tif", LABELS.astype(np.uint8))
    assert main(["advise", "--masks", str(tmp_path)]) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert f"{tmp_path / 'a.tif'}: expected one id per object" in line


def test_tune_names_masks():
    with pytest.warns(StarpolyWarning, match="image 1: expected one id per object, got the single id 255"):
        look_through(SimpleNamespace(spec=SPEC), array_pairs([GREY] * 2, [LABELS, (LABELS > 0) * np.uint8(255)]))


def test_tune_tells_of_colour_once():
    with pytest.warns(StarpolyWarning, match="image 0, image 1: colour, and a network for one channel") as said:
        look_through(SimpleNamespace(spec=SPEC), array_pairs([COLOUR] * 2, [LABELS] * 2))
    assert len(said) == 1
    with without_warnings(), warnings.catch_warnings():
        warn("by a pass over the images, which would be an error here")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("images/", "got the path images/; of folders use find_pairs"),
        (Path("images"), "got the path images; of folders use find_pairs"),
        ((image for image in [GREY]), "got generator; make a list of it"),
        (None, "got NoneType; make a list of it"),
        (GREY, r"got one array of shape \(60, 80\); put it into a list"),
    ],
)
def test_what_is_no_list_of_images_is_refused(given, expected):
    with pytest.raises(DataError, match=f"images: expected a list of arrays or paths, {expected}"):
        array_pairs(given, [LABELS])


def test_pairs_of_paths_and_array_likes(tmp_path):
    da = pytest.importorskip("dask.array")
    tifffile.imwrite(tmp_path / "i.tif", GREY.astype(np.uint8))
    tifffile.imwrite(tmp_path / "l.tif", LABELS.astype(np.uint16))
    images = [GREY, str(tmp_path / "i.tif"), da.from_array(GREY), GREY[None]]
    masks = [LABELS, tmp_path / "l.tif", da.from_array(LABELS), LABELS[None]]
    data = TrainingData(array_pairs(images, masks))
    for index in range(len(data)):
        np.testing.assert_allclose(data[index].image, data[0].image, atol=1e-6)
        np.testing.assert_array_equal(data[index].labels, data[0].labels)


def test_advice_in_python_names_masks_by_their_number(monkeypatch):
    monkeypatch.setattr("starpoly.training.advice.receptive_field_side", lambda grid: 10)
    with pytest.warns(StarpolyWarning, match="mask 1: expected one id per object, got the single id 255") as said:
        advise([LABELS, (LABELS > 0) * np.uint8(255)])
    assert len(said) == 1


def test_an_image_in_colour_is_told_of_once_and_without_a_flag_that_training_lacks():
    (line,) = warned(TrainingData(array_pairs([COLOUR, COLOUR], [LABELS, LABELS])))
    assert line.startswith("image 0, image 1: colour, and a network for one channel")
    with warnings.catch_warnings():
        warnings.simplefilter("error", StarpolyWarning)
        TrainingData(array_pairs([COLOUR], [LABELS]))[0]  # as validation images are read
