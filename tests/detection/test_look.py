"""The look at an image: model, channels and scale, and results in the pixels of the image."""

from __future__ import annotations

import math

import numpy as np
import pytest

from starpoly.config import SizeRange, Thresholds
from starpoly.detection.look import Finding, contrast, explained, familiarity, look_at, look_for_scale, side_of_look
from starpoly.detection.pipeline import detect
from starpoly.detection.sizes import scale_for
from starpoly.errors import ConfigError
from starpoly.images.normalization import Normalizer
from starpoly.images.rescaling import Rescaled
from starpoly.polygons import StarPolygons

from support.painted import N_RAYS, KnownModel, PaintedModel, discs, disks, paint

PLAIN = Normalizer((0.0,), (1.0,))
SIZES = SizeRange(smallest=8, target=12, largest=20)


def view_of(image, model=None, **known):
    """The image as a model sees it; by default one that knows objects from 6 to 40 px."""
    model = model or KnownModel(sizes=SIZES, **({"smallest": 6, "largest": 40} | known))
    return model.view(image, normalizer=PLAIN)


@pytest.mark.parametrize(
    ("diameter", "scale"), [(0, 1), (8, 3), (5, 4), (12, 1), (20, 1), (40, 1), (60, 0.4), (1e9, 1 / 16)]
)
def test_scale_for_objects_of_a_size(diameter, scale):
    assert scale_for(diameter, SizeRange(12, 24, 40)) == pytest.approx(scale)


def test_a_model_that_says_nothing_of_sizes_looks_at_images_as_they_are():
    assert scale_for(3, SizeRange()) == 1
    model = KnownModel()
    look = look_for_scale(model.view(discs(12, 2, 64), normalizer=PLAIN))
    assert look.best.scale == 1
    assert model._predictor.windows == []
    assert look.describe() == {"model": "known", "channels": [], "scale": 1.0}


def test_image_that_was_sampled_whole_is_not_looked_at_again():
    image = discs(12, 4, 120)
    plain = KnownModel().detect(image, normalizer=PLAIN)
    model = KnownModel(sizes=SIZES)
    again = model.detect(image, normalizer=PLAIN)
    assert len(model._predictor.windows) == 1
    np.testing.assert_array_equal(again.polygons.points, plain.polygons.points)
    assert again.n_candidates == plain.n_candidates
    assert again.look == {
        "model": "known", "channels": [], "scale": 1.0, "score": pytest.approx(0.126, abs=0.02), "objects": 16,
    }  # fmt: skip
    # other thresholds ask for a look of their own
    model.detect(image, normalizer=PLAIN, prob_threshold=0.9)
    assert len(model._predictor.windows) == 3


def test_wanted_scale_and_diameter_are_taken_and_checked():
    image = paint(disks((80, 60), 0))
    model = PaintedModel()
    model.spec = model.spec.replace(sizes=SizeRange(smallest=10, target=20, largest=30))
    model.detect(image, scale=2)
    assert [window[1:3] for window in model._predictor.windows] == [(160, 120)]
    model.detect(image, diameter=40)
    assert [window[1:3] for window in model._predictor.windows[1:]] == [(40, 32)]
    with pytest.raises(ConfigError, match=r"from 0\.0625 to 8"):
        model.detect(image, scale=30)
    with pytest.raises(ConfigError, match="positive number of pixels"):
        model.detect(image, diameter=-1)
    for absurd in (1e-9, 1e6, 1e300, float("inf")):
        with pytest.raises(ConfigError, match=r"positive number of pixels, 0\.1 to 320 for this image"):
            model.detect(image, diameter=absurd)
    with pytest.raises(ConfigError, match="choose one"):
        model.detect(image, scale=1, diameter=20)
    with pytest.raises(ConfigError, match="give the scale"):
        PaintedModel().detect(image, diameter=20)


@pytest.mark.parametrize("scale", [2, 0.7])
def test_rescaled_in_tiles_equals_one_tile(scale):
    image = paint(disks((70, 60), 3))
    first, second = (PaintedModel().predict_instances(image, scale=scale, tile_size=size)[0] for size in (24, 4096))
    np.testing.assert_array_equal(first, second)


def test_results_at_another_scale_are_in_pixels_of_the_image():
    model = KnownModel(sizes=SIZES, smallest=6, largest=40)
    found = model.detect(discs(5, 4, 128), normalizer=PLAIN)
    assert 8 <= found.scale * 5 <= 20
    y, x = found.polygons.points.T
    np.testing.assert_allclose(np.unique(y.round(-1)), [20, 50, 80, 110], atol=7)
    np.testing.assert_allclose(2 * found.polygons.distances.mean(), 5, atol=1)
    assert y.max() < 128
    assert x.max() < 128


@pytest.mark.parametrize(
    ("width", "n", "side"), [(12, 8, 256), (30, 4, 256), (120, 3, 512), (150, 1, 512), (150, 6, 1536)]
)
def test_objects_far_beyond_what_the_network_knows_are_seen_from_afar(width, n, side):
    best = look_at([view_of(discs(width, n, side))]).best
    assert 8 <= best.scale * width <= 40
    if side <= 1024:
        assert len(best.found.polygons) == n * n


def test_the_look_from_afar_does_not_lead_away_from_what_is_known():
    model = KnownModel(sizes=SizeRange(smallest=20, target=30, largest=40), smallest=6, largest=40, score=0.6)
    look = look_at([model.view(discs(30, 4, 256), normalizer=PLAIN)])
    assert look.best.scale == 1
    assert [window[1:3] for window in model._predictor.windows] == [(256, 256), (128, 128), (64, 64)]
    assert [finding.scale for finding in look.findings] == [1, 0.5, 0.25]


def test_a_crowd_that_looks_like_one_object_from_afar_is_a_crowd():
    model = KnownModel(sizes=SIZES, smallest=6, largest=40)
    network = model._predictor
    plain = type(network).__call__

    class Blurred(type(network)):
        """From afar it sees one large object that covers much."""

        def __call__(self, batch):
            return plain(self, discs(38, 1, 64)[None] if batch.shape[1] == 64 else batch)

    network.__class__ = Blurred
    best = look_at([model.view(discs(12, 8, 256), normalizer=PLAIN)]).best
    assert best.scale == 1
    assert len(best.found.polygons) == 64


def test_objects_too_small_to_be_seen_are_looked_for_in_the_enlarged_image():
    best = look_at([view_of(discs(4, 8, 128))]).best
    assert 8 <= best.scale * 4 <= 20
    assert len(best.found.polygons) == 64


@pytest.mark.parametrize(("signal", "noise", "enlarged"), [(0, 0.5, False), (1, 0.02, True)])
def test_what_does_not_stand_out_from_the_noise_of_an_enlarged_image_is_no_object(signal, noise, enlarged):
    model = KnownModel(sizes=SIZES, smallest=6, largest=40)
    plain = type(model._predictor).__call__

    class Eager(type(model._predictor)):
        """Takes peaks of noise for objects, where they are large enough."""

        def __call__(self, batch):
            return plain(self, np.where(batch > 0.4, 1, 0))

    model._predictor.__class__ = Eager
    noisy = noise * np.random.default_rng(0).random((128, 128, 1))
    image = (signal * discs(4, 8, 128) + noisy).astype(np.float32)
    assert len(detect(Rescaled(image, 3)[0:384, 0:384], model._predictor, PLAIN, Thresholds(0.3, 0.4)).polygons) > 3
    best = look_at([model.view(image, normalizer=PLAIN)]).best
    assert (best.scale > 1 and best.score > 0) == enlarged


def test_no_look_at_an_empty_image_is_larger_than_the_first():
    view = view_of(np.zeros((1000, 90, 1), np.float32))
    assert look_at([view]).best.scale == 1
    assert max(window[1] for window in view.network.windows) == 1024  # 1 000, padded to the stride


@pytest.mark.parametrize(
    ("shape", "side"),
    [((300, 200), 1024), ((1024, 1024), 1024), ((1025, 1024), 384), ((2000, 2000), 632), ((9000, 9000), 1024),
     ((9000, 50), 900), ((64_000, 900), 1024)],
)  # fmt: skip
def test_a_look_takes_the_whole_of_a_small_image_and_a_tenth_of_a_larger_one(shape, side):
    assert side_of_look(shape) == side
    assert side_of_look(shape, several=True) == 512


def test_the_model_that_explains_more_wins_and_ties_go_to_the_first():
    image = discs(12, 8, 256)
    sure, unsure = KnownModel("sure"), KnownModel("unsure", score=0.7)
    for order, best in (((sure, unsure), "sure"), ((unsure, sure), "sure")):
        assert look_at([model.view(image, normalizer=PLAIN) for model in order]).best.view.model == best
    twins = [KnownModel(name).view(image, normalizer=PLAIN) for name in ("first", "second")]
    look = look_at(twins)
    assert look.best.view.model == "first"
    assert [each["model"] for each in look.describe()["runners_up"]] == ["second"]


def test_a_model_that_sees_nothing_at_the_image_s_size_may_see_all_from_afar():
    image = discs(120, 3, 512)
    near, far = (
        KnownModel("near", largest=20, sizes=SizeRange(8, 12, 20)),
        KnownModel("far", largest=40, sizes=SizeRange(20, 30, 40)),
    )
    best = look_at([model.view(image, normalizer=PLAIN) for model in (near, far)]).best
    assert (best.view.model, best.scale) == ("far", 0.25)


def test_of_several_views_a_smaller_middle_is_looked_at():
    image = discs(12, 40, 1280)
    models = [KnownModel("a"), KnownModel("b")]
    look_at([model.view(image, normalizer=PLAIN) for model in models])
    assert [window[1:3] for model in models for window in model._predictor.windows] == [(512, 512), (512, 512)]


def test_a_later_model_wins_unless_it_explains_clearly_less():
    image = discs(12, 8, 256)
    look, same, less, more = (
        look_at([KnownModel(name, score=score).view(image, normalizer=PLAIN)])
        for name, score in (("one", 0.8), ("same", 0.8), ("less", 0.6), ("more", 1.0))
    )
    assert look.beside(same).best.view.model == "same"
    assert look.beside(less).best.view.model == "one"
    assert look.beside(more).best.view.model == "more"
    assert len(look.beside(more).findings) == 2


def finding(probability=0.6, explains=0.1, scale=1.0, n_objects=1000, diameter=None):
    return Finding(
        view_of(discs(12, 2, 64)),
        scale,
        explains=explains,
        probability=probability,
        n_objects=n_objects,
        diameter=SIZES.target / scale if diameter is None else diameter,
    )


def test_of_scales_the_surer_one_wins_and_close_calls_go_to_the_image_s_size():
    near, far = finding(0.55), finding(0.65, scale=0.25)
    assert far.sureness() > near.sureness()
    assert finding(0.6).sureness() > finding(0.61, scale=0.5).sureness()
    assert finding(0.6).sureness() < finding(0.61, scale=0.5).sureness(octaves=0)
    # a crowd taken for one object explains more, unsurely
    assert finding(0.6, explains=0.05).sureness() > finding(0.5, explains=0.5, scale=0.25).sureness()
    assert finding(0.0).sureness() < finding(0.02).sureness()


def test_of_scales_one_with_a_few_objects_must_be_surer():
    many, few = finding(0.63, n_objects=62), finding(0.67, scale=0.25, n_objects=4)
    assert many.sureness() > few.sureness()
    assert finding(0.63, n_objects=4).sureness() < finding(0.9, scale=0.25, n_objects=4).sureness()
    assert finding(0.0, n_objects=0).sureness() == finding(0.6, n_objects=None).sureness() == -math.inf


def test_of_scales_one_at_which_objects_have_a_known_size_wins_close_calls():
    known, unknown = finding(0.6, scale=2.0, diameter=6), finding(0.64, diameter=6)
    assert known.fits
    assert not unknown.fits
    assert known.sureness() > unknown.sureness()
    assert known.sureness() < finding(0.75, diameter=6).sureness()


def circles(*radii, score=1.0):
    points = np.zeros((len(radii), 2))
    return StarPolygons(points, np.repeat(np.float32(radii)[:, None], N_RAYS, 1), np.full(len(radii), score))


def test_explained_is_the_share_of_the_area_weighted_by_confidence():
    spec = KnownModel().spec
    one = explained(circles(5), 1000, spec)
    assert explained(circles(5, 5), 1000, spec) == pytest.approx(2 * one)
    assert explained(circles(5, score=0.5), 1000, spec) == pytest.approx(one / 2)
    assert explained(circles(5, score=0.5), 1000, spec.replace(calibration=((0.4, 0.0), (0.6, 0.5)))) == pytest.approx(
        one / 4
    )
    assert explained(StarPolygons.empty(N_RAYS), 1000, spec) == 0


def test_an_object_of_more_than_a_third_of_the_area_explains_nothing():
    spec = KnownModel().spec
    assert explained(circles(20, 5), 10_000, spec) > 10 * explained(circles(5), 10_000, spec)
    assert explained(circles(60, 5), 10_000, spec) == explained(circles(5), 10_000, spec)


def test_objects_of_unknown_sizes_explain_nothing():
    known = SizeRange(smallest=10, target=20, largest=40)
    np.testing.assert_allclose(familiarity(np.array([2.0, 5, 10, 20, 40, 80, 200]), known), [0, 0, 1, 1, 1, 0, 0])
    assert familiarity(np.array([50.0]), known) == pytest.approx(1 - np.log2(50 / 40))
    np.testing.assert_allclose(familiarity(np.array([2.0, 1e4]), SizeRange()), 1)


def test_contrast_is_in_standard_deviations_of_the_background():
    image = np.random.default_rng(0).normal(size=(60, 60, 1))
    image[10, 20] = 9.0
    at = StarPolygons(np.array([[10.0, 20.0]]), np.ones((1, N_RAYS), np.float32), np.ones(1))
    assert contrast(image, at) == pytest.approx(9, rel=0.1)
    assert contrast(image, StarPolygons.empty(N_RAYS)) == 0


@pytest.mark.parametrize(
    ("n", "confidence", "sure"),
    [(100, 0.69, True), (100, 0.67, False), (4, 0.79, False), (4, 0.81, True), (0, 0.9, False)],
)
def test_the_mean_confidence_of_few_objects_says_little(n, confidence, sure):
    view = KnownModel("a", sizes=SizeRange(8, 12, 20)).view(discs(12, 2, 64), normalizer=PLAIN)
    found = Finding(view, 1.0, score=0.1 * confidence, explains=0.1, n_objects=n, diameter=12.0)
    assert found.is_sure == sure
    assert not Finding(view, 1.0, score=0.1, explains=0.1, n_objects=100, diameter=30.0).is_sure  # of another size
