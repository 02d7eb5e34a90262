"""Glass is found without losing an object."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from starpoly.errors import StarpolyWarning
from starpoly.io.readers.images import open_source
from starpoly.prediction import coarse_view
from starpoly.prediction.tissue import find_tissue
from starpoly.tiling import Box

SIDE = 1200


def glass(*, bright: bool, noise: float = 2.0, channels: tuple[int, ...] = ()) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (235 if bright else 20) + rng.normal(0, noise, (SIDE, SIDE, *channels))


def with_nuclei(image: np.ndarray, corner: tuple[int, int], side: int, change: float, n: int = 60) -> np.ndarray:
    """Change discs of radius 7 in a square of the image; their centres."""
    rng = np.random.default_rng(1)
    centres = rng.integers(0, side, (n, 2)) + corner
    y, x = np.ogrid[: image.shape[0], : image.shape[1]]
    for cy, cx in centres:
        image[(y - cy) ** 2 + (x - cx) ** 2 <= 49] += change
    return centres


@pytest.mark.parametrize(
    ("bright", "noise", "channels", "change"),
    [(True, 2, (3,), -120), (True, 0, (3,), -60), (False, 2, (), 150), (False, 3, (), 60), (False, 0, (), 30)],
)
def test_glass_is_left_out_and_no_nucleus(bright, noise, channels, change):
    image = glass(bright=bright, noise=noise, channels=channels)
    centres = with_nuclei(image, (300, 600), 300, change)
    lonely = with_nuclei(image, (1100, 100), 1, change, n=1)
    found = find_tissue(open_source(np.clip(image, 0, 255).astype(np.uint8)))
    assert found.contains(centres).all()
    assert found.contains(lonely).all()
    assert found.fraction < 0.4
    assert not found.overlaps(Box(0, 0, 150, 400))


def test_dim_nuclei_beside_bright_ones_are_kept():
    image = glass(bright=False)
    bright, dim = with_nuclei(image, (100, 100), 300, 3000), with_nuclei(image, (850, 850), 300, 100)
    found = find_tissue(open_source(np.clip(image, 0, None).astype(np.uint16)))
    assert found.contains(bright).all()
    assert found.contains(dim).all()
    assert found.fraction < 0.5


def test_beyond_the_scanned_area_lies_nothing():
    image = glass(bright=True, channels=(3,))
    centres = with_nuclei(image, (300, 600), 300, -120)
    image[:, :500] = 0
    found = find_tissue(open_source(np.clip(image, 0, 255).astype(np.uint8)))
    assert found.contains(centres).all()
    assert not found.overlaps(Box(0, 0, SIDE, 350))


def test_smooth_stained_tissue_is_tissue():
    image = glass(bright=True, channels=(3,))
    image[500:800, 500:800] -= 60
    found = find_tissue(open_source(np.clip(image, 0, 255).astype(np.uint8)))
    assert found.contains(np.array([[650, 650], [510, 790]])).all()
    assert found.fraction < 0.2


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((300, 300), np.uint8),
        np.full((300, 300, 3), 255, np.uint8),
        np.full((300, 300), np.nan, np.float32),
        np.random.default_rng(0).normal(230, 2, (600, 600)).astype(np.uint8),
        np.random.default_rng(0).normal(1, 0.1, (600, 600)).astype(np.float32),
        np.random.default_rng(0).integers(0, 255, (600, 600)).astype(np.uint8),
        np.eye(40, dtype=bool),
        np.ones((1, 1)),
    ],
)
def test_in_doubt_all_is_looked_at(image):
    with pytest.warns(StarpolyWarning, match="all of it is analysed"):
        found = find_tissue(open_source(image))
    assert found.fraction == 1
    assert found.mask.all()


def test_smooth_grey_between_objects_is_not_taken_for_glass():
    image = glass(bright=True)
    image -= 110
    with_nuclei(image, (0, 0), SIDE, -100, n=50)
    with_nuclei(image, (500, 500), 600, 100, n=50)
    with pytest.warns(StarpolyWarning, match="cannot be told apart"):
        find_tissue(open_source(np.clip(image, 0, 255).astype(np.uint8)))


def slide_with_levels(path, levels: int) -> np.ndarray:
    image = glass(bright=False)
    centres = with_nuclei(image, (200, 700), 300, 150)
    image = np.clip(image, 0, 255).astype(np.uint8)
    with tifffile.TiffWriter(path) as file:
        options = {"tile": (128, 128), "photometric": "minisblack", "metadata": None}
        file.write(image, subifds=levels, **options)
        for level in range(1, levels + 1):
            step = 2**level
            small = (
                image[: SIDE // step * step, : SIDE // step * step].reshape(SIDE // step, step, -1, step).mean((1, 3))
            )
            file.write(small.astype(np.uint8), subfiletype=1, **options)
    return centres


@pytest.mark.parametrize("roi", [None, Box(33, 577, 807, 1155)])
def test_a_pyramid_is_looked_at_by_a_lower_level(tmp_path, roi):
    path = tmp_path / "slide.tif"
    centres = slide_with_levels(path, 5)
    opened = []

    def open_level(level, box):
        opened.append(level)
        return open_source(path, level=level, roi=box)

    with open_source(path, roi=roi) as source:
        source.read = None  # whoever asks for full resolution fails
        found = find_tissue(source, open_level)
    assert opened == [3]
    corner = (0, 0) if roi is None else (roi.y0, roi.x0)
    inside = (
        np.ones(len(centres), bool) if roi is None else ((centres >= corner) & (centres < (roi.y1, roi.x1))).all(axis=1)
    )
    assert found.contains(centres[inside] - corner).all()
    assert found.fraction < 0.7
    assert found.shape == ((SIDE, SIDE) if roi is None else roi.shape)


@pytest.mark.parametrize(("size", "level"), [(None, 3), ((0.25, 0.25), 4), ((0.5, 0.5), 3), ((2.5, 2.5), 0)])
def test_the_level_depends_on_the_size_of_its_pixels(tmp_path, size, level):
    slide_with_levels(tmp_path / "slide.tif", 5)
    with open_source(tmp_path / "slide.tif") as source:
        source.pixel_size = size
        assert coarse_view._coarse_level(source) == level


def test_memory_is_bounded_and_pieces_do_not_matter(monkeypatch):
    image = glass(bright=False)
    with_nuclei(image, (300, 600), 300, 150)
    source = open_source(np.clip(image, 0, 255).astype(np.uint8))
    source.offset = (37, 111)  # cells and blocks lie askew
    whole = find_tissue(source)
    largest = []

    class Watched(type(source)):
        def read(self, box, channels):
            largest.append(box.shape[0] * box.shape[1])
            return super().read(box, channels)

    source.__class__ = Watched
    monkeypatch.setattr(coarse_view, "_AT_ONCE", 5000)
    source.block = (48, 80)
    pieces = find_tissue(source)
    np.testing.assert_array_equal(pieces.mask, whole.mask)
    assert pieces.over == whole.over
    assert max(largest) <= 5000


def test_the_margin_is_in_micrometres_where_they_are_known():
    image = np.clip(glass(bright=False), 0, 255).astype(np.uint8)
    image[600:610, 600:610] = 255
    areas = []
    for size in (None, (0.25, 0.25), (1.0, 1.0)):
        source = open_source(image)
        source.pixel_size = size
        areas.append(find_tissue(source).fraction)
    assert areas[1] > areas[0] > areas[2]
