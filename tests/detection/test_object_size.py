"""The scale at which objects are as large as the network knows them, and results in the pixels of the image."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from starpoly.config import SizeRange, Thresholds
from starpoly.detection.object_size import find_scale, scale_for
from starpoly.detection.pipeline import detect
from starpoly.detection.sizes import typical_diameter
from starpoly.errors import ConfigError
from starpoly.images.normalization import Normalizer
from starpoly.images.rescaling import Rescaled
from starpoly.network.dense_output import DenseOutput
from starpoly.training.targets import make_targets

from support.painted import N_RAYS, Painted, PaintedModel, disks, paint

RNG = np.random.default_rng(0)


def sized(**sizes) -> PaintedModel:
    model = PaintedModel()
    model.spec = model.spec.replace(sizes=SizeRange(**sizes))
    return model


@pytest.mark.parametrize(
    ("diameter", "scale"), [(0, 1), (8, 3), (5, 4), (12, 1), (20, 1), (40, 1), (60, 0.4), (1e9, 1 / 16)]
)
def test_scale_for_objects_of_a_size(diameter, scale):
    assert scale_for(diameter, SizeRange(12, 24, 40)) == pytest.approx(scale)


def test_a_model_that_says_nothing_of_sizes_looks_at_images_as_they_are():
    assert scale_for(3, SizeRange()) == 1


@pytest.mark.filterwarnings("ignore:the median object is")  # the painting stays as it is at any size
def test_objects_of_unknown_size_are_rescaled_and_results_are_in_original_pixels():
    image = paint(disks((40, 30), 0, n=2))
    typical = typical_diameter(PaintedModel().detect(image).polygons)
    model = sized(smallest=1.5 * typical, target=2 * typical, largest=99)
    found = model.detect(image)
    # the painting does not grow with the image, so at twice its size its objects look half as large
    assert [window[1:3] for window in model._predictor.windows] == [(40, 32), (80, 60), (160, 120)]
    assert found.scale == pytest.approx(4)
    y, x = found.polygons.points.max(axis=0)
    assert y < 40
    assert x < 30
    assert sized(smallest=1, target=10, largest=99).detect(image).scale == 1


def test_image_that_was_sampled_whole_is_not_looked_at_again():
    image = paint(disks((80, 60), 0))
    plain = PaintedModel().detect(image)
    model = sized(smallest=1, target=10, largest=99)
    again = model.detect(image)
    assert len(model._predictor.windows) == 1
    np.testing.assert_array_equal(again.polygons.points, plain.polygons.points)
    assert again.n_candidates == plain.n_candidates
    # other thresholds ask for a look of their own
    assert len(model.detect(image, prob_threshold=0.9).polygons) < len(plain.polygons)


def test_wanted_scale_and_diameter_are_taken_and_checked():
    image = paint(disks((80, 60), 0))
    model = sized(smallest=10, target=20, largest=30)
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


class Knowing(Painted):
    """Finds bright discs from 6 to 40 pixels wide, whole; nothing of larger or smaller ones."""

    def __call__(self, batch):
        self.windows.append(batch.shape)
        labels, n = ndimage.label(batch[0, ..., 0] > 0.5)
        widths = 2 * np.sqrt(np.bincount(labels.ravel(), minlength=n + 1) / np.pi)
        labels[(widths[labels] < 6) | (widths[labels] > 40)] = 0
        targets = make_targets(labels, n_rays=N_RAYS)
        return DenseOutput(probability=targets.probability[None], distances=targets.distances[None])


def discs(width, n, side):
    """An image with n x n discs."""
    y, x = np.mgrid[:side, :side] % (side // n) - side // (2 * n)
    return (np.hypot(y, x) < width / 2).astype(np.float32)[..., None]


@pytest.mark.parametrize(
    ("width", "n", "side"), [(12, 8, 256), (30, 4, 256), (120, 3, 512), (150, 1, 512), (150, 6, 1536)]
)
def test_objects_far_beyond_what_the_network_knows_are_seen_from_afar(width, n, side):
    sizes = SizeRange(smallest=8, target=12, largest=20)
    estimate = find_scale(discs(width, n, side), Knowing(), Normalizer((0.0,), (1.0,)), Thresholds(0.3, 0.4), sizes)
    assert 8 <= estimate.scale * width <= 20
    if side <= 1024:
        assert len(estimate.found.polygons) == n * n


def test_the_look_from_afar_does_not_lead_away_from_what_is_known():
    network, sizes = Knowing(), SizeRange(smallest=20, target=30, largest=40)
    estimate = find_scale(discs(30, 4, 256), network, Normalizer((0.0,), (1.0,)), Thresholds(0.3, 0.4), sizes)
    assert estimate.scale == 1
    assert [window[1:3] for window in network.windows] == [(256, 256), (64, 64)]


def test_a_crowd_that_looks_like_one_object_from_afar_is_a_crowd():
    class Blurred(Knowing):
        """From afar it sees one large object that covers everything."""

        def __call__(self, batch):
            return super().__call__(discs(38, 1, 64)[None] if batch.shape[1] == 64 else batch)

    sizes = SizeRange(smallest=8, target=12, largest=20)
    estimate = find_scale(discs(12, 8, 256), Blurred(), Normalizer((0.0,), (1.0,)), Thresholds(0.3, 0.4), sizes)
    assert estimate.scale == 1
    assert len(estimate.found.polygons) == 64


def test_objects_too_small_to_be_seen_are_looked_for_in_the_enlarged_image():
    network, sizes = Knowing(), SizeRange(smallest=8, target=12, largest=20)
    estimate = find_scale(discs(4, 8, 128), network, Normalizer((0.0,), (1.0,)), Thresholds(0.3, 0.4), sizes)
    assert 8 <= estimate.scale * 4 <= 20
    assert len(estimate.found.polygons) == 64


@pytest.mark.parametrize(("signal", "noise", "enlarged"), [(0, 0.5, False), (1, 0.02, True)])
def test_what_does_not_stand_out_from_the_noise_of_an_enlarged_image_is_no_object(signal, noise, enlarged):
    class Eager(Knowing):
        """Takes peaks of noise for objects, where they are large enough."""

        def __call__(self, batch):
            return super().__call__(np.where(batch > 0.4, 1, 0))

    image = (signal * discs(4, 8, 128) + noise * RNG.random((128, 128, 1))).astype(np.float32)
    eager, fields = Eager(), (Normalizer((0.0,), (1.0,)), Thresholds(0.3, 0.4))
    assert len(detect(Rescaled(image, 3)[0:384, 0:384], eager, *fields).polygons) > 3
    assert (find_scale(image, eager, *fields, SizeRange(smallest=8, target=12, largest=20)).scale > 1) == enlarged


def test_no_look_at_an_empty_image_is_larger_than_the_first():
    network, sizes = Knowing(), SizeRange(smallest=8, target=12, largest=20)
    estimate = find_scale(
        np.zeros((1200, 90, 1), np.float32), network, Normalizer((0.0,), (1.0,)), Thresholds(0.3, 0.4), sizes
    )
    assert estimate.scale == 1
    assert max(window[1] for window in network.windows) == 1024
