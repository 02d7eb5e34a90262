"""Pictures during a training: when they are made, and what they show."""

from __future__ import annotations

import gc
import json
import re
import weakref
from types import SimpleNamespace

import numpy as np
import pytest

from starpoly.config import ModelSpec, NetworkConfig, Thresholds
from starpoly.io.readers.images import read_image
from starpoly.plot.matches import MATCH_COLORS
from starpoly.report.training_page import write_training_page
from starpoly.training import inspection as inspection_module
from starpoly.training.data import array_pairs
from starpoly.training.history import TENSORBOARD_FOLDER
from starpoly.training.inspection import SIDE, Inspection

from support.examples import with_discs

LABELS = with_discs((300, 400), (150, 200, 9), (150, 240, 9), (10, 10, 5))


def all_but_the_second(image):
    """What a model finds that reads the ids off the image."""
    found = (image / 10).astype(np.int32)
    return np.where(found == 2, 0, found), {}


class Best:
    """The best model of a training that goes as it is told."""

    epoch = 1

    def __init__(self, folder):
        self.folder = folder
        self.looks = []

    def spec(self, _=None):
        return ModelSpec(
            "mine", NetworkConfig(), 9.0, training={"best_epoch": self.epoch, "images": 3, "validation_loss": 0.5}
        )

    def from_pretrained(self, folder):
        self.looks.append(self.epoch)
        model = SimpleNamespace(spec=self.spec())
        model.predict_instances = all_but_the_second
        model.thresholds = Thresholds()
        return model


@pytest.fixture
def best(tmp_path, monkeypatch):
    best = Best(tmp_path)
    (tmp_path / "model.json").touch()
    monkeypatch.setattr(inspection_module, "load_spec", best.spec)
    monkeypatch.setattr(inspection_module, "Detector", best)
    monkeypatch.setattr(inspection_module, "_tune", lambda model, windows: None)
    monkeypatch.setattr(inspection_module, "write_training_page", lambda folder: None)
    return best


def pictures(folder):
    return sorted(path.name for path in (folder / "validation").iterdir())


def inspect(best, every=2, n=6):
    image = 10.0 * LABELS
    return Inspection(best.folder, array_pairs([image] * n, [LABELS] * n), every)


def test_new_best_models_are_looked_at_when_it_is_time(best):
    look = inspect(best)
    for epoch, best_so_far in enumerate([1, 1, 3, 3, 3, 3], start=1):
        best.epoch = best_so_far
        look(epoch)
    assert best.looks == [1, 3]
    assert pictures(best.folder) == ["epoch_0001.png", "epoch_0003.png"]
    look.finish()  # with the thresholds of the finished model
    assert best.looks == [1, 3, 3]


def test_nothing_is_drawn_unless_wanted(best):
    look = inspect(best, every=0)
    look(10)
    look.finish()
    assert not best.looks
    assert [path.name for path in best.folder.iterdir()] == ["model.json"]


def test_picture_shows_true_objects_above_those_that_were_found(best):
    inspect(best).finish()
    picture = read_image(best.folder / "validation" / "epoch_0001.png")
    assert picture.shape == (2 * SIDE + 6, 4 * (SIDE + 6) - 6, 3)
    below = picture[SIDE + 6 :, :SIDE]
    colors = {kind: [int(color[k : k + 2], 16) for k in (1, 3, 5)] for kind, color in MATCH_COLORS.items()}
    counts = {kind: int((below == color).all(axis=2).sum()) for kind, color in colors.items()}
    assert counts["matched"] > 30
    assert counts["missed"] > 30
    assert counts["false"] == 0


def test_tensorboard_shows_the_pictures(best):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    best.epoch = 7
    inspect(best).finish()
    events = accumulator.EventAccumulator(str(best.folder / TENSORBOARD_FOLDER / "validation")).Reload()
    (image,) = events.Images("validation")
    assert (image.step, image.height) == (7, 2 * SIDE + 6)
    assert image.encoded_image_string == (best.folder / "validation" / "epoch_0007.png").read_bytes()


def test_before_the_first_model_there_is_nothing_to_look_at(best):
    (best.folder / "model.json").unlink()
    inspect(best)(1)
    assert best.looks == []


def test_small_images_of_different_sizes_fit(best, monkeypatch):
    masks = [with_discs((30, 40), (10, 10, 4)), with_discs((50, 20), (10, 10, 4)), np.zeros((9, 9), int)]
    model = SimpleNamespace(spec=best.spec())
    model.predict_instances = lambda image: (np.zeros(image.shape[:2], np.int32), {})
    monkeypatch.setattr(best, "from_pretrained", lambda folder: model)
    look = Inspection(best.folder, array_pairs([mask * 1.0 for mask in masks], masks), 1)
    look(1)
    assert read_image(best.folder / "validation" / "epoch_0001.png").shape == (106, 40 + 20 + 9 + 12, 3)


def test_page_shows_facts_curves_and_pictures(best, monkeypatch):
    from starpoly.report import training_page

    monkeypatch.setattr(training_page, "load_spec", best.spec)
    (best.folder / "training.csv").write_text("epoch,loss,val_loss\n1,2,3\n2,1,2\n")
    look = inspect(best)
    look(2)
    best.epoch = 4
    look(4)
    (best.folder / "validation" / "epoch_x.png").write_bytes(b"no")
    (best.folder / "validation" / "epoch_5.png").write_bytes(b"no")
    write_training_page(best.folder)
    text = (best.folder / "training.html").read_text(encoding="utf-8")
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])
    assert [title for title, _ in data["pictures"]] == ["epoch 1", "epoch 4"]
    assert ["best epoch", "4"] in data["facts"]
    assert len(data["figures"]) == 2
    assert "http" not in re.sub("http-equiv", "", text)


def test_a_picture_leaves_no_model_behind(best):
    class Layer:
        """Refers to itself, as the layers of a network to each other."""

    def with_layer(folder, load=best.from_pretrained):
        model = load(folder)
        model.layer = Layer()
        model.layer.next = model.layer
        kept.append(weakref.ref(model.layer))
        return model

    kept: list[weakref.ref] = []
    best.from_pretrained = with_layer
    gc.disable()
    try:
        inspect(best)(2)
    finally:
        gc.enable()
    assert [one() for one in kept] == [None]
