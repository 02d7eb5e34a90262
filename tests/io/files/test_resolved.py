"""Where paths lead, links to themselves included."""

from __future__ import annotations

import os

import pytest

from starpoly.errors import ImageError, ImageTypeError
from starpoly.io.files.find import find_images
from starpoly.io.files.identity import InputWatch
from starpoly.io.files.resolved import resolved
from starpoly.io.files.url import as_path
from starpoly.io.readers.images import open_source, read_image
from starpoly.prediction.outputs import plan_jobs


def test_links_are_followed_where_they_lead_somewhere(tmp_path):
    (tmp_path / "a.png").touch()
    (tmp_path / "b.png").symlink_to("a.png")
    assert resolved(tmp_path / "b.png") == resolved(tmp_path) / "a.png"
    assert str(resolved(as_path("https://a.org/b.zarr"))) == "https://a.org/b.zarr"


@pytest.mark.parametrize("given", [None, 3, ["a.png"]])
def test_what_is_no_path_is_said(given):
    with pytest.raises(ImageTypeError, match=f"expected a path or a URL, got {type(given).__name__}"):
        read_image(given)


def test_an_image_that_is_a_link_to_itself_costs_itself_alone(tmp_path):
    loop = tmp_path / "loop.png"
    loop.symlink_to(loop)
    found = find_images([tmp_path])
    plan_jobs(found.images, tmp_path / "out")
    InputWatch(loop).check()
    assert [image.path for image in found.images] == [loop]
    with pytest.raises(ImageError, match=r"loop\.png: expected a readable image file"):
        open_source(loop)


@pytest.mark.skipif(os.name != "posix", reason="names of this length are another error")
def test_a_name_that_is_too_long_is_no_image(tmp_path):
    with pytest.raises(ImageError, match="File name too long"):
        open_source(tmp_path / ("a" * 300))
