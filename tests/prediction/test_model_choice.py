"""Which shipped model an image gets: fluorescence is told by its dark ground."""

import csv

import numpy as np
import pytest

from starpoly import model_zoo as registry
from starpoly.cli.demo import demo_images
from starpoly.io.readers.array import ArraySource
from starpoly.io.readers.images import read_image
from starpoly.prediction.model_choice import background_level, explain_model, has_dark_background, suitable_model


def disks(ground, inside, dtype=np.uint8, noise=3.0):
    """An image of four noisy disks on a noisy ground, a fifth of its area."""
    y, x = np.indices((120, 120))
    bright = sum((y - cy) ** 2 + (x - cx) ** 2 < 15**2 for cy in (30, 85) for cx in (30, 85)) > 0
    levels = np.where(bright, inside, ground) + noise * np.random.default_rng(0).standard_normal(bright.shape)
    return np.clip(levels, 0, None).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.int32])
def test_bright_objects_on_a_dark_ground_are_fluorescence(dtype):
    assert suitable_model(disks(20, 200, dtype)) == "nuclei-fluo"


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_dark_objects_on_a_bright_ground_are_not(dtype):
    assert suitable_model(disks(220, 100, dtype)) == "cells-generalist"


def test_a_grey_ground_between_dark_and_bright_is_not():
    image = disks(120, 200)
    image[:40] = disks(120, 40)[:40]
    assert suitable_model(image) == "cells-generalist"


def test_the_range_of_the_levels_does_not_matter():
    image = disks(20, 200, np.float64)
    assert background_level(image) == background_level(1000 * image + 7)


def test_colour_is_averaged():
    blue = np.zeros((120, 120, 3), np.uint8)
    blue[..., 2] = disks(20, 200)
    assert has_dark_background(blue)
    assert not has_dark_background(255 - blue)


@pytest.mark.parametrize("image", [np.zeros((9, 9)), np.full((9, 9), np.nan), np.full((1, 1, 3), 7, np.uint8)])
def test_an_image_without_contrast_counts_as_dark(image):
    assert background_level(image) == 0


@pytest.mark.parametrize("names", [("GFP", "DAPI"), ("GFP", "Hoechst 33342", "RFP")])
def test_a_channel_of_nuclei_is_fluorescence_whatever_the_others_look_like(names):
    image = np.stack([disks(20, 200) if index == 1 else disks(220, 20) for index in range(len(names))], axis=2)
    source = ArraySource(image, channel_names=names)
    assert suitable_model(source) == "cells-generalist"
    assert suitable_model(source, by_name=True) == "nuclei-fluo"
    assert explain_model(source)[:2] == ("nuclei-fluo", f"{names[1]} is a stain of nuclei by its name")


def test_one_channel_is_told_by_its_look_whatever_its_name():
    source = ArraySource(disks(220, 100)[..., None], channel_names=("DNA",))
    assert suitable_model(source, by_name=True) == "cells-generalist"


def test_nan_is_left_out():
    image = disks(220, 100, np.float32)
    image[0] = np.nan
    assert not has_dark_background(image)


def test_of_a_large_image_the_middle_is_read():
    read = []

    class Large:
        shape = (50_000, 40_000, 1)

        def __getitem__(self, key):
            read.append(key)
            return np.zeros((*(part.stop - part.start for part in key), 1), np.uint8)

    has_dark_background(Large())
    assert read == [(slice(24_488, 25_512), slice(19_488, 20_512))]


def test_the_demo_has_both():
    chosen = {name: suitable_model(image) for name, image in demo_images().items()}
    fluorescence = {name for name in chosen if name.startswith(("fluorescence_", "ihc_"))}
    assert chosen == {name: "nuclei-fluo" if name in fluorescence else "cells-generalist" for name in chosen}
    assert 0 < len(fluorescence) < len(chosen)


def test_both_ship():
    assert {registry.default_model(), registry.fluorescence_model()} <= set(registry.available_models())


#: kinds of images that the choice was made for; it does not hold for others (yeast on a dark ground, specular microscopy)
CHOSEN_ON = (
    "fluorescence", "purple_tissue", "purple_on_white", "brightfield_gray", "phase_contrast", "phase_contrast_bacteria",
)  # fmt: skip


def test_real_validation_images_go_where_their_kind_belongs(shared):
    with open(shared / "data" / "manifest.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "val" and row["modality"] in CHOSEN_ON]
        kinds = {row["name"]: row["modality"] for row in rows}
    wrong = [
        name
        for name, kind in kinds.items()
        if has_dark_background(read_image(shared / "data" / "images" / f"{name}.png")) != (kind == "fluorescence")
    ]
    assert wrong == []
