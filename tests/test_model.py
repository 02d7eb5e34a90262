"""The facade: labels, details and what is said aloud, with a painted network."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

from starpoly.config import ModelSpec, NetworkConfig, SizeRange, Thresholds
from starpoly.detection import detector
from starpoly.errors import ConfigError, ImageError, StarpolyWarning
from starpoly.io.readers.array import ArraySource
from starpoly.model import StarPoly2D

from support.painted import N_RAYS, Painted, disks, identity, paint


def model(n_classes: int = 0, **settings) -> StarPoly2D:
    network = NetworkConfig(n_channels=N_RAYS + 1, n_rays=N_RAYS, grid=(1, 1), depth=2, n_classes=n_classes)
    spec = ModelSpec(name="painted", network=network, max_distance=40.0, thresholds=Thresholds(0.3, 0.4), **settings)
    return StarPoly2D(spec, Painted(n_classes=n_classes))


def test_labels_and_details_belong_together():
    labels, details = model().predict_instances(paint(disks((80, 60), 0)), normalizer=identity())
    n = labels.max()
    assert n > 3
    assert labels.dtype == np.int32
    assert details["coord"].shape == (n, 2, N_RAYS)
    assert details["points"].shape == (n, 2)
    assert details["points"].tolist() == sorted(details["points"].tolist())
    for label, (y, x) in enumerate(details["points"].astype(int), start=1):
        # a centre shows its own label, or that of a better object above it
        assert 1 <= labels[y, x] <= label


def test_objects_of_which_no_pixel_shows_leave_no_gap():
    image = paint(disks((50, 40), 0))
    labels, details = model().predict_instances(image, normalizer=False, nms_threshold=1.0)
    found = model().detect(image, normalizer=False, nms_threshold=1.0)
    assert len(details["prob"]) < len(found.polygons)
    assert np.unique(labels[labels > 0]).tolist() == list(range(1, len(details["prob"]) + 1))


def test_classes_are_in_the_details():
    _, details = model(n_classes=1).predict_instances(paint(disks((60, 60), 0)), normalizer=identity())
    assert (details["class_id"] == 1).all()
    assert details["class_prob"].shape[1] == 2


def test_normalizer_false_takes_the_image_as_it_is():
    image = paint(disks((60, 60), 0))
    first, _ = model().predict_instances(image, normalizer=identity())
    second, _ = model().predict_instances(image, normalizer=False)
    np.testing.assert_array_equal(first, second)


def test_higher_threshold_keeps_a_part():
    image = paint(disks((80, 60), 0))
    _, low = model().predict_instances(image, normalizer=False)
    _, high = model().predict_instances(image, normalizer=False, prob_threshold=0.99)
    assert 0 < len(high["prob"]) <= len(low["prob"])
    assert (high["prob"] > 0.99).all()


def test_no_objects_is_said():
    with pytest.warns(StarpolyWarning, match="no objects found"):
        labels, details = model().predict_instances(np.zeros((30, 30, N_RAYS + 1), np.float32), normalizer=False)
    assert not labels.any()
    assert details["coord"].shape == (0, 2, N_RAYS)


def test_objects_of_unknown_size_are_said():
    image = paint(disks((60, 60), 0))
    with pytest.warns(StarpolyWarning, match="px wide"):
        model(object_diameter=(80.0, 100.0, 120.0)).predict_instances(image, normalizer=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model(object_diameter=(5.0, 15.0, 30.0)).predict_instances(image, normalizer=False)


@pytest.mark.parametrize("shape", [(5,), (2, 5, 5, 1), (0, 5)])
def test_wrong_axes_are_refused(shape):
    with pytest.raises(ImageError, match=r"YX or YXC|at least one pixel"):
        model().predict_instances(np.zeros(shape))


def test_threshold_out_of_range_is_refused():
    with pytest.raises(ConfigError, match="0 to 1"):
        model().predict_instances(paint(disks((30, 30), 0)), prob_threshold=3)


def test_predict_gives_the_maps():
    image = paint(disks((30, 41), 0))
    probability, distances = model().predict(image, normalizer=False)
    np.testing.assert_array_equal(probability, image[..., 0])
    np.testing.assert_array_equal(distances, image[..., 1:])


def test_the_plan_is_the_tiles_that_are_gone_through():
    image = paint(disks((150, 210), 0))
    plan = model().plan(image.shape[:2], tile_size=64)
    covered = np.zeros(image.shape[:2], int)
    for tile in plan:
        covered[tile.core.slices] += 1
    assert (covered == 1).all()
    found = model().predict_instances(image, normalizer=identity(), tile_size=64)[1]["detection"]
    assert 1 < len(plan) == found.n_tiles
    assert plan.window == found.window


def test_thresholds_are_tuned_and_adopted():
    masks = [disks((80, 60), seed, n=6) for seed in range(2)]
    tuned = model()
    tuned._normalizer = lambda image, given, executor=None: (image, identity())
    thresholds = tuned.optimize_thresholds([paint(m) for m in masks], masks)
    assert tuned.thresholds == thresholds
    assert 0.15 <= thresholds.prob < 1
    assert (
        tuned.optimize_thresholds([paint(m) for m in masks], masks, nms_threshs=[0.35], iou_threshs=[0.5]).nms == 0.35
    )


def test_sizes_that_a_model_brings_images_to_are_the_ones_that_count():
    image = paint(disks((80, 60), 0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        knows_them = model(object_diameter=(1.0, 2.0, 3.0), sizes=SizeRange(1.0, 15.0, 99.0))
        knows_them.predict_instances(image, normalizer=False)
        # far from the size that others are brought to, but known
        model(sizes=SizeRange(1.0, 2.0, 99.0)).predict_instances(image, normalizer=False)
    with pytest.warns(StarpolyWarning, match="at 1 times the image's size"):
        model(sizes=SizeRange(60.0, 80.0, 99.0)).predict_instances(image, normalizer=False, scale=1)


def test_a_model_and_a_detection_tell_what_they_are_in_one_line():
    painted = model(n_classes=1)
    assert repr(painted).startswith(
        f"StarPoly2D('painted', {N_RAYS + 1} channel(s), {N_RAYS} rays, grid (1, 1), thresholds 0.3 / 0.4"
    )
    found = painted.detect(paint(disks((60, 60), 0)), normalizer=False)
    assert repr(found).startswith(
        f"Detection({len(found.polygons)} objects, {found.n_candidates} candidates, 1 tiles of "
    )


def test_the_memory_that_a_run_needs_counts_what_is_held_of_the_image(monkeypatch, caplog):
    caplog.set_level("INFO")
    source = ArraySource(paint(disks((150, 90), 0)))
    told = []
    for held in (0, 3_000_000_000):
        monkeypatch.setattr(ArraySource, "nbytes", held)
        model().detect(source, normalizer=False, tile_size=32, progress=True)
        told.append(float(re.search(r"about ([\d.]+) GB of memory", caplog.messages[-1]).group(1)))
    assert told[1] - told[0] == pytest.approx(3)


def test_windows_that_are_little_more_than_their_halos_are_said(monkeypatch):
    monkeypatch.setattr(detector, "_LITTLE_WORK", 1e4)
    image = paint(disks((150, 90), 0))
    with pytest.warns(StarpolyWarning, match=r"computes \d+ times the image.*; a tile size of 1024 or more"):
        model().detect(image, normalizer=False, tile_size=16, progress=True)


def test_what_is_no_look_is_refused_and_one_plane_has_nothing_to_link():
    image = paint(disks((60, 60), 0))
    with pytest.raises(ConfigError, match="look: expected a Look"):
        model().predict_instances(image, normalizer=False, look="a")
    with pytest.raises(ConfigError, match="link: expected one of z, t, got 'q'"):
        model().predict_instances(image, normalizer=False, link="q")
    with pytest.warns(StarpolyWarning, match="got one plane; there is nothing to link"):
        model().predict_instances(image, normalizer=False, link="z")
