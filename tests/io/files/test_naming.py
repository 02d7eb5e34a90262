"""Names of images and of their results: one rule, whatever the dots."""

from __future__ import annotations

from pathlib import Path

import pytest

from starpoly.io.files.naming import challenge_names, key, result_names

IMAGES = [
    "plate.v2.well B03.f1.TIF",
    "10.5uM_rep1.png",
    "10.7uM_rep1.png",
    "scan.2023-11-05T12.30.svs",
    "a.ome.tif",
    "a..bmp",
    "cell_img.jpg",
    "cell_image.ome.zarr",
    "no.suffix.at.all",
    "Z\N{LATIN SMALL LETTER U WITH DIAERESIS}rich.1.2.png",
]


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("result", ["label.tiff", "cp_masks.png", "masks.tif"])
def test_an_image_and_its_result_have_the_same_key(name, result):
    """So that evaluate and train find what predict wrote."""
    usual = next(result_names(Path("folder", name)))
    assert key(f"{usual}_{result}") == key(name)


def test_images_of_other_names_have_results_of_other_names():
    usual = [next(result_names(Path(name))) for name in IMAGES]
    assert len(set(usual)) == len(IMAGES)
    assert usual[:4] == ["plate.v2.well B03.f1", "10.5uM_rep1", "10.7uM_rep1", "scan.2023-11-05T12.30"]


def test_longer_names_in_turn():
    *names, last = result_names(Path("/data/day 1/../x/a.b.png"))
    assert names == ["a.b", "a.b.png", "x_a.b.png", "day 1_x_a.b.png", "data_day 1_x_a.b.png"]
    assert last.startswith("a.b.png_")
    assert last != list(result_names(Path("/data/day 1/../x/a.B.png")))[-1]


def test_results_are_never_hidden():
    assert next(result_names(Path(".a.b.png"))) == "a.b"
    assert next(result_names(Path("..."))) == "image"


@pytest.mark.parametrize(
    ("name", "first"), [("a.b.c.png", "a"), ("a.png", "a"), (".a.png", "a"), ("a.ome.tif", "a"), ("a", "a")]
)
def test_the_challenge_cuts_at_the_first_dot(name, first):
    assert next(challenge_names(Path(name))) == first
