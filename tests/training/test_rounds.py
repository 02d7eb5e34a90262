"""A round of labelling on disk: whole, gone on with, and refused where it was changed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from starpoly.errors import ImageError, ModelError, StarpolyWarning
from starpoly.polygons import StarPolygons
from starpoly.training.rounds import label_images, read_round
from starpoly.training.unlabelled import UnlabelledImage, array_unlabelled

from support.examples import stars
from support.painted import model_that_finds

SHAPE = (30, 40)
TWO = stars((8, 8, 5), (20, 30, 5), probabilities=[0.9, 0.3])


def broken():
    raise ImageError("bad.tif: expected an image file,\n got an empty one")


def label(folder, model=None, images=None, **settings):
    images = array_unlabelled([np.zeros(SHAPE)] * 2) if images is None else images
    return label_images(folder, model or model_that_finds(TWO), images, **{"score": 0.6, "background": 0.1, **settings})


def test_labels_come_back_as_pairs(tmp_path):
    images = array_unlabelled([np.full(SHAPE, 7.0), np.zeros(SHAPE)])
    found = label(tmp_path, images=images)
    first, _ = found.pairs(images)
    np.testing.assert_array_equal(first.read_image(), images[0].read())
    labels = first.read_labels()
    assert labels[8, 8] == 1
    assert labels[20, 30] == -1
    assert first.classes is None
    assert found.images[0].certainty == 0.5
    assert found.summary()["objects"] == 2
    assert found.summary()["objects_ignored"] == 2
    assert 0 < found.summary()["pixels_ignored"] < 0.2
    assert read_round(tmp_path, found.digest).images == found.images


def test_classes_come_back(tmp_path):
    classes = np.array([[0, 0.05, 0.95], [0, 1, 0]], np.float32)
    model = model_that_finds(StarPolygons(TWO.points, TWO.distances, TWO.probabilities, classes))
    images = array_unlabelled([np.zeros(SHAPE)])
    assert label(tmp_path, model, images).pairs(images)[0].classes == {1: 2}


def test_a_bad_image_costs_itself_alone_and_an_empty_one_nothing(tmp_path):
    images = [UnlabelledImage("bad.tif", broken), *array_unlabelled([np.zeros(SHAPE)])]
    with pytest.warns(StarpolyWarning, match=r"^bad\.tif: left out .* image file, got an empty one$"):
        found = label(tmp_path, images=images)
    assert found.usable == [1]
    assert found.summary()["images_unreadable"] == 1
    assert [pair.name for pair in found.pairs(images)] == ["unlabelled 0"]
    # no object is sure: not an error, but not used
    assert label(tmp_path / "other", score=0.95).usable == []


def test_a_stopped_round_is_gone_on_with_by_the_same_teacher_alone(tmp_path):
    asked = []
    model = model_that_finds(TWO)
    find = model.find_candidates

    def count(image, lowest):
        asked.append(1)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return find(image, lowest)

    model.find_candidates = count
    images = array_unlabelled([np.zeros(SHAPE)] * 4)
    with pytest.raises(KeyboardInterrupt):
        label(tmp_path / "a", model, images)
    with pytest.raises(ModelError, match="unreadable table"):
        read_round(tmp_path / "a")
    found = label(tmp_path / "a", model, images)
    assert len(asked) == 5
    assert found.digest == label(tmp_path / "b", images=images).digest
    model.fingerprint = lambda: "another"
    label(tmp_path / "a", model, images)
    assert len(asked) == 9


def test_a_file_of_no_use_is_made_again(tmp_path):
    found = label(tmp_path)
    file = tmp_path / found.images[0].file
    file.write_bytes(b"PK nothing of the kind")
    assert label(tmp_path).digest == found.digest


def test_what_was_changed_is_refused(tmp_path):
    images = array_unlabelled([np.zeros(SHAPE)] * 2)
    found = label(tmp_path, images=images)
    pairs = found.pairs(images)
    file, table = tmp_path / found.images[0].file, tmp_path / "labels.json"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(ModelError, match="got a changed file"):
        pairs[0].read_labels()
    file.unlink()
    with pytest.raises(ModelError, match="expected the labels of an unlabelled image"):
        found.pairs(images)
    rows = json.loads(table.read_text())
    rows[1]["file"] = "../../elsewhere.npz"
    table.write_text(json.dumps(rows))
    with pytest.raises(ModelError, match="got another one"):
        read_round(tmp_path, found.digest)
    with pytest.raises(ModelError, match="path to elsewhere"):
        read_round(tmp_path)
    for damaged in ("[1]", "{", '[{"name": "a", "colour": 1}]'):
        table.write_text(damaged)
        with pytest.raises(ModelError, match="unreadable table"):
            read_round(tmp_path)
