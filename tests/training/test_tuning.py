"""A model is fitted to a few labelled images; its network stays."""

from __future__ import annotations

import logging
import re

import numpy as np
import pytest

import starpoly.network.engines.tensorflow  # noqa: F401  before other tests patch what it imports
from starpoly.config import MaskGrowth
from starpoly.detection.detector import Detector
from starpoly.errors import DataError, ModelError, StarpolyWarning
from starpoly.network.storage.folder import copy_model, find_weights, load_spec
from starpoly.training import array_pairs, generate_nuclei, tune_model
from starpoly.training.tuning import log_baseline, log_trained

MODEL = "nuclei-fluo-small"


@pytest.fixture(scope="module")
def pairs():
    images = [generate_nuclei(seed, shape=(128, 128)) for seed in range(2)]
    return array_pairs([one.image for one in images], [one.labels for one in images])


def test_thresholds_sizes_and_masks_are_those_of_the_images(pairs, tmp_path):
    tuning = tune_model(MODEL, pairs, tmp_path / "mine")
    spec = load_spec(tmp_path / "mine")
    assert spec == tuning.spec
    start = Detector.from_pretrained(MODEL).spec
    assert spec.name == "mine"
    assert spec.network == start.network
    assert spec.calibration != start.calibration
    assert spec.training["tuned"]["from"] == start.name
    assert spec.training["tuned"]["objects"] == tuning.n_objects > 10
    areas = np.concatenate([np.bincount(pair.read_labels().ravel())[1:] for pair in pairs])
    assert spec.object_diameter[1] == pytest.approx(np.median(np.sqrt(4 * areas / np.pi)), abs=0.01)
    assert tuning.after.mean_ap >= tuning.before.mean_ap
    assert find_weights(tmp_path / "mine")[1].read_bytes() == find_weights(folder_of_model())[1].read_bytes()


def folder_of_model():
    from starpoly.model_zoo import find_model

    return find_model(MODEL)


def test_what_few_objects_gain_by_little_is_not_adopted(pairs, monkeypatch):
    start = load_spec(folder_of_model())
    for least, adopted in ((10.0, False), (0.0, True)):
        monkeypatch.setattr("starpoly.training.tuning._LEAST_GAIN", least)
        tuning = tune_model(MODEL, pairs)
        assert (tuning.spec.thresholds != start.thresholds) == adopted
        assert (tuning.after != tuning.before) == adopted
        assert tuning.spec.object_diameter != start.object_diameter


def test_a_model_may_be_tuned_in_place(pairs, tmp_path):
    copy_model(folder_of_model(), tmp_path / "mine", load_spec(folder_of_model()))
    tuning = tune_model(tmp_path / "mine", pairs[:1], tmp_path / "mine")
    assert Detector.from_pretrained(tmp_path / "mine").spec == tuning.spec


def test_what_cannot_be_tuned_is_said(pairs, tmp_path):
    with pytest.raises(DataError, match="at least one image"):
        tune_model(MODEL, [])
    with pytest.warns(StarpolyWarning, match="holds no object"), pytest.raises(DataError, match="background alone"):
        tune_model(MODEL, array_pairs([pairs[0].read_image()], [0 * pairs[0].read_labels()]))
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="can be written"):
        copy_model(folder_of_model(), tmp_path / "file" / "mine", load_spec(folder_of_model()))


@pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
def test_before_a_training_both_scores_are_logged(pairs, caplog):
    with caplog.at_level(logging.INFO, "starpoly"):
        log_baseline(folder_of_model(), pairs)
        log_baseline(folder_of_model(), array_pairs([np.zeros((64, 64))], [np.eye(64, dtype=int)]))
    text = caplog.text
    assert f"{MODEL} on 2 validation images, untouched: AP at IoU 0.5" in text
    assert f"{MODEL} only tuned on these (starpoly tune): AP at IoU 0.5" in text
    assert "cannot be scored on the validation images as it is" in text


def test_a_trained_model_is_scored_on_the_images_of_the_initial_one(pairs, caplog):
    with caplog.at_level(logging.INFO, "starpoly"):
        log_baseline(folder_of_model(), pairs)
        log_trained(folder_of_model(), pairs)
    untouched, trained = (
        re.search(rf"{MODEL} .*{what}: (AP.*)", caplog.text)[1] for what in ("untouched", "trained and tuned")
    )
    assert trained == untouched


def test_masks_that_follow_the_foreground_are_part_of_a_model(tmp_path):
    start = load_spec(folder_of_model())
    assert start.mask_growth == MaskGrowth()
    assert "mask_growth" not in start.to_dict()
    copy_model(folder_of_model(), tmp_path / "mine", start.replace(mask_growth=MaskGrowth(16, 0.8)))
    assert load_spec(tmp_path / "mine").mask_growth == MaskGrowth(16, 0.8)
