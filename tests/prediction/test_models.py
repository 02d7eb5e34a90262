"""Which model, channels and scale an image gets."""

from __future__ import annotations

import numpy as np
import pytest

from starpoly import model_zoo
from starpoly.config import SizeRange
from starpoly.errors import ImageError, StarpolyWarning
from starpoly.io.readers.array import ArraySource
from starpoly.prediction import models as rooms
from starpoly.prediction.models import Models
from starpoly.prediction.opening import HeldSource
from starpoly.prediction.part import ImagePart
from starpoly.prediction.request import PredictionRequest

from support.painted import KnownModel, discs

#: Sizes that a painted network sees.
SEEN = {"smallest": 6, "largest": 60}


def models(monkeypatch, asked=None, **known):
    """The models of a run that are painted: name -> settings of a KnownModel."""
    monkeypatch.setattr(model_zoo, "find_model", lambda name: name)
    monkeypatch.setattr(model_zoo, "default_models", lambda: tuple(known))
    painted = {name: KnownModel(name, **settings) for name, settings in known.items()}
    return Models(asked, lambda folder: painted[folder]), painted


def stained(*widths, side=256):
    """An image (Y, X, C): in each channel discs of a width, or a ramp for 0."""
    ramp = np.broadcast_to(np.linspace(0, 1, side, dtype=np.float32)[:, None, None], (side, side, 1))
    return np.concatenate([discs(width, 8, side) if width else ramp for width in widths], axis=2)


def choose(run, image, names=(), **part):
    return run.choose(ArraySource(image, channel_names=names), PredictionRequest(part=ImagePart(**part)))


def test_each_image_gets_the_model_that_explains_most_of_it(monkeypatch):
    run, _ = models(monkeypatch, small={"largest": 14}, large={"smallest": 16})
    assert choose(run, stained(10)).name == "small"
    assert choose(run, stained(22)).name == "large"
    assert str(run) == "chosen for each image"


def test_an_asked_model_is_not_compared(monkeypatch):
    run, painted = models(monkeypatch, asked="mine", mine={}, other={})
    choice = choose(run, stained(10))
    assert (choice.name, choice.look, choice.channels) == ("mine", None, None)
    assert painted["mine"]._predictor.windows == []
    assert choice.predict_instances(stained(10))[0].max() == 64


@pytest.mark.parametrize("n_inputs", [1, 3])
def test_of_several_stains_the_one_that_shows_objects_is_taken(monkeypatch, n_inputs):
    image = stained(0, 0, 10, 0, 0)
    run, _ = models(monkeypatch, one={"n_channels": n_inputs, **SEEN})
    choice = choose(run, image)
    assert choice.channels[0] == 2
    assert len(choice.channels) == n_inputs
    labels, details = choice.predict_instances(image)
    assert labels.max() == 64
    assert details["detection"].look["channels"] == list(choice.channels)


def test_the_most_telling_channels_are_tried_together(monkeypatch):
    run, _ = models(monkeypatch, rgb={"n_channels": 3, **SEEN})
    choice = choose(run, stained(0, 10, 12, 14))
    tried = [tuple(each["channels"]) for each in choice.look.describe(9)["runners_up"]] + [choice.channels]
    assert {(1, 1, 1), (2, 2, 2), (3, 3, 3), (1, 2, 3)} <= set(tried)
    assert choice.channels == (3, 3, 3)


def test_channels_alone_and_together_are_compared_on_the_same_middle(monkeypatch):
    run, painted = models(monkeypatch, rgb={"n_channels": 3, **SEEN})
    choose(run, stained(0, 10, 12, 14, side=640))
    assert {window[1:3] for window in painted["rgb"]._predictor.windows} == {(512, 512)}


def test_what_is_wrong_with_other_channels_is_not_told(monkeypatch, recwarn):
    image = stained(0, 0, 10, 0, 0)
    image[..., 0] = np.nan
    run, _ = models(monkeypatch, rgb={"n_channels": 1, **SEEN})
    choice = choose(run, image)
    assert choice.channels == (2,)
    assert not recwarn.list


def test_what_is_wrong_with_the_chosen_channel_is_told(monkeypatch):
    image = stained(0, 0, 10, 0, 0)
    image[:3, :4, 2] = np.nan
    run, _ = models(monkeypatch, rgb={"n_channels": 1, **SEEN})
    with pytest.warns(StarpolyWarning, match="12 values of the image are masked, NaN") as told:
        choice = choose(run, image)
    assert choice.channels == (2,)
    assert len(told) == 1


def test_a_channel_named_after_a_stain_of_nuclei_is_taken_unseen(monkeypatch):
    run, painted = models(monkeypatch, asked="one", one={})
    choice = choose(run, stained(10, 12), names=("membrane", "DAPI"))
    assert choice.channels == (1,)
    assert painted["one"]._predictor.windows == []


def test_named_channels_and_normalisers_leave_no_choice_of_channels(monkeypatch):
    run, _ = models(monkeypatch, asked="one", one={})
    image = stained(10)
    assert choose(run, image, channels=(0,)).channels is None
    assert choose(run, image, normalizer=False).channels is None


def test_of_named_channels_that_a_model_does_not_take_each_and_all_are_tried(monkeypatch):
    run, _ = models(monkeypatch, rgb={"n_channels": 3, **SEEN})
    choice = choose(run, stained(0, 10), channels=(4, 1))
    tried = {tuple(each["channels"]) for each in choice.look.describe(9)["runners_up"]} | {choice.channels}
    assert {(0, 0, 0), (1, 1, 1)} <= tried
    assert choice.channels == (1, 1, 1)
    assert choose(run, stained(0, 10, 0), channels=("a", "b", "c")).look is None


def test_where_a_model_is_sure_the_others_are_not_even_loaded(monkeypatch):
    sizes = SizeRange(6, 12, 20)
    for score, loaded in ((0.8, {"first"}), (0.6, {"first", "second"})):
        run, _ = models(monkeypatch, first={"score": score, "sizes": sizes}, second={"score": 1.0, "sizes": sizes})
        assert choose(run, stained(10)).name == ("first" if len(loaded) == 1 else "second")
        assert run._loaded.keys() == loaded
    # sure of what it does not know: objects of another size
    run, _ = models(monkeypatch, first={"score": 0.8, "sizes": SizeRange(40, 60, 80)}, second={"sizes": sizes})
    choose(run, stained(10))
    assert len(run._loaded) == 2


def test_a_given_scale_is_the_only_one(monkeypatch):
    sizes = SizeRange(8, 12, 20)
    run, _ = models(monkeypatch, a={"sizes": sizes}, b={"sizes": sizes})
    request = PredictionRequest.by_name(None, None, {"scale": 0.5})
    look = run.choose(ArraySource(stained(20)), request).look
    assert {finding.scale for finding in look.findings} == {0.5}


def test_pixels_in_memory_are_looked_at_as_an_array_and_others_by_region(monkeypatch):
    run, _ = models(monkeypatch, a={}, b={})
    source = ArraySource(stained(10))
    assert isinstance(run.choose(HeldSource(source), PredictionRequest()).look.best.view.image, np.ndarray)
    assert not isinstance(run.choose(source, PredictionRequest()).look.best.view.image, np.ndarray)


def test_percentiles_are_those_of_the_whole_image(monkeypatch):
    run, _ = models(monkeypatch, asked="one", one=SEEN)
    image = stained(0, 10, side=1024)
    image[:8, :8, 1] = 50
    normalizer = choose(run, image).look.best.view.normalizer
    assert normalizer.high == pytest.approx((float(np.percentile(image[..., 1], 99.8)),))


def test_more_channels_than_are_tried_are_an_error_that_names_the_flag(monkeypatch):
    run, _ = models(monkeypatch, a={}, b={})
    with pytest.raises(ImageError, match="--channels"):
        choose(run, stained(*[0] * 17, side=64))


def test_the_shipped_models_are_asked_the_quick_one_first():
    quick, *others = model_zoo.default_models()
    assert quick == "cells-fast"
    assert model_zoo.default_model() in others
    assert {quick, *others} <= set(model_zoo.available_models())
    assert rooms.Choice("a", KnownModel()).channels is None
