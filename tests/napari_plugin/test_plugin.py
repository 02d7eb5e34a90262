"""The plugin: its manifest, and what its widgets do, without napari."""

from __future__ import annotations

import os
import time
from importlib.metadata import entry_points
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from npe2 import PluginManifest

from starpoly.errors import DataError, ImageError
from starpoly.napari_plugin import predict
from starpoly.napari_plugin.helper import run
from starpoly.napari_plugin.layers import placement_of
from starpoly.napari_plugin.predict import find_objects
from starpoly.napari_plugin.train import split_planes, train_model
from starpoly.prediction.models import Choice

from support.examples import with_discs
from support.painted import BrightModel

MANIFEST = Path(predict.__file__).with_name("napari.yaml")


@pytest.fixture
def bright(monkeypatch):
    monkeypatch.setattr(predict, "_load", lambda folder: BrightModel())


def test_manifest_is_valid_and_what_it_names_can_be_imported():
    manifest = PluginManifest.from_file(MANIFEST)
    manifest.validate_imports()
    assert [widget.display_name for widget in manifest.contributions.widgets] == [
        "Find cells and nuclei",
        "Train from labels",
    ]


def test_manifest_is_found_through_its_entry_point():
    (entry,) = [entry for entry in entry_points(group="napari.manifest") if entry.name == "starpoly"]
    assert entry.value == "starpoly.napari_plugin:napari.yaml"


def spots(*places):
    image = np.zeros((30, 40), np.uint8)
    for y, x in places:
        image[y : y + 2, x : x + 2] = 255
    return image


@pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
def test_objects_of_a_stack_count_on(bright):
    stack = np.stack([spots((10, 10), (20, 30)), spots(), spots((25, 30))])
    labels, features = find_objects(stack, "nuclei-fluo")
    assert labels.shape == stack.shape
    assert set(np.unique(labels[0])) == {0, 1, 2}
    assert not labels[1].any()
    assert set(np.unique(labels[2])) == {0, 3}
    assert list(features["index"]) == [1, 2, 3]
    assert {"area", "score", "diameter"} <= set(features)


@pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
def test_one_plane_and_colour(bright, monkeypatch):
    labels, _ = find_objects(spots((10, 10)), "nuclei-fluo")
    assert labels.shape == (30, 40)
    monkeypatch.setattr(predict, "_load", lambda folder: BrightModel(3))
    labels, features = find_objects(np.repeat(spots((10, 10))[..., None], 3, axis=2), "nuclei-fluo", rgb=True)
    assert labels.shape == (30, 40)
    assert len(features["label"]) == 1
    with pytest.raises(ImageError, match="at least 3 axes"):
        find_objects(spots(), "nuclei-fluo", rgb=True)


@pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
def test_without_a_model_a_look_at_the_first_plane_chooses_model_and_channels(monkeypatch):
    looked = []

    def choose(image):
        looked.append(image)
        return Choice("painted", BrightModel(), (2,) if image.ndim == 3 else None)

    monkeypatch.setattr(predict, "choose_model", choose)
    image = spots((10, 10), (20, 30))
    stack = np.stack([image, spots((5, 5))])
    assert find_objects(stack)[0].max() == 3
    colour = np.stack([spots((5, 5)), spots((15, 15)), image], axis=2)
    assert find_objects(colour, rgb=True)[0].max() == 2
    assert [one.shape for one in looked] == [image.shape, colour.shape]


def test_labels_lie_in_the_world_as_their_image_does():
    layers = pytest.importorskip("napari.layers")
    components = pytest.importorskip("napari.components")
    affine = np.array([[0.0, 1, 3], [1, 0, 4], [0, 0, 1]])
    placed = {
        "scale": (0.5, 0.25), "translate": (10, 20), "rotate": 30, "shear": [0.2], "affine": affine, "units": ("um", "um"),
        "axis_labels": ("y", "x"),
    }  # fmt: skip
    for data, rgb in ((np.zeros((30, 40)), False), (np.zeros((30, 40, 3), np.uint8), True)):
        image = layers.Image(data, rgb=rgb, **placed)
        viewer = components.ViewerModel()
        labels = viewer.add_labels(np.ones((30, 40), int), **placement_of(image))
        for point in ((0, 0), (3, 7)):
            np.testing.assert_allclose(labels.data_to_world(point), image.data_to_world(point))
        assert labels.units == image.units
        assert labels.axis_labels == image.axis_labels


def test_a_napari_without_units_is_given_none():
    layer = SimpleNamespace(scale=(1, 2), translate=(3, 4), rotate=0, shear=[0], affine=np.eye(3))
    assert placement_of(layer) == vars(layer)


LABELS = with_discs((60, 120), (30, 30, 8), (30, 80, 8), (20, 100, 5))


def test_one_plane_is_cut_in_two():
    image = np.random.default_rng(0).normal(size=LABELS.shape)
    planes = split_planes(image, LABELS, crop=False, val_fraction=0.25)
    assert [mask.shape for mask in planes.masks + planes.val_masks] == [(60, 90), (60, 30)]
    np.testing.assert_array_equal(planes.images[0], image[:, :90])
    np.testing.assert_array_equal(planes.val_masks[0], LABELS[:, 90:])
    assert planes.patch_size == 64  # not less than a network needs


def test_unlabelled_surroundings_are_left_out():
    planes = split_planes(np.zeros((*LABELS.shape, 3)), LABELS, rgb=True)
    assert planes.masks[0].shape[0] == 38 - 15 + 1 + 2 * 8
    assert planes.images[0].shape[2] == 3


def test_planes_of_a_stack_are_pairs():
    stack = np.stack([LABELS, 0 * LABELS, LABELS, LABELS, LABELS])
    planes = split_planes(stack.astype(float), stack, crop=False)
    assert (len(planes.masks), len(planes.val_masks)) == (3, 1)


def test_layers_that_are_of_no_use_are_refused():
    with pytest.raises(DataError, match="the image's shape"):
        split_planes(np.zeros((9, 9)), LABELS)
    with pytest.raises(DataError, match="paint some"):
        split_planes(np.zeros(LABELS.shape), 0 * LABELS)
    with pytest.raises(DataError, match="both parts"):
        split_planes(np.zeros((60, 120)), with_discs((60, 120), (30, 30, 8)), crop=False)


@pytest.mark.slow
@pytest.mark.usefixtures("eager_steps")
def test_labels_become_a_model(tmp_path):
    labels = with_discs((96, 192), *[(y, x, 7) for y in range(12, 96, 24) for x in range(12, 192, 24)])
    image = np.where(labels > 0, 200.0, 20.0) + np.random.default_rng(0).normal(0, 5, labels.shape)
    planes = split_planes(image, labels)
    folder = train_model(planes, tmp_path / "mine", init="nuclei-fluo-small", epochs=1, steps=1)
    found, features = find_objects(image, folder)
    assert len(features["label"]) == found.max() > 10


def test_work_is_done_in_another_process(tmp_path):
    def outcome(generator):
        told = []
        while True:
            try:
                told.append(next(generator))
            except StopIteration as stop:
                return told, stop.value

    assert outcome(run(os.getpid))[1] != os.getpid()
    (tmp_path / "training.csv").write_text("epoch,loss\n1,2\n2,1\n")
    assert outcome(run(time.sleep, 1.0, log=tmp_path / "training.csv")) == ([2], None)
    with pytest.raises(DataError, match="a problem"):
        outcome(run(complain))


def complain():
    raise DataError("a problem")
