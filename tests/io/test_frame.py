"""Coordinates of regions and levels in the whole slide, read back by other programs."""

from __future__ import annotations

import json
import sys
import types

import numpy as np
import pytest
import roifile
import shapely
import tifffile
import zarr
from ome_zarr_models.v05 import Image as OmeImage
from PIL import Image

from starpoly.io.frame import Frame
from starpoly.io.readers.images import open_source, read_header, read_pixel_size
from starpoly.io.readers.labels import read_labels
from starpoly.io.writers import label_tiff
from starpoly.io.writers.geojson import write_geojson
from starpoly.io.writers.imagej_rois import write_rois
from starpoly.io.writers.label_tiff import write_labels
from starpoly.io.writers.ome_zarr import write_ome_zarr
from starpoly.polygons import StarPolygons
from starpoly.tiling import Box

from support.mirax import TILE, write_mirax
from support.sinks import slide

SQUARE = StarPolygons(np.array([[9.5, 19.5]]), np.full((1, 4), 4.0), np.array([0.9]))
"""Corners (x, y) of its outline at (20 +- 4, 10) and (20, 10 +- 4)."""
SHAPE = (30, 40)


def pyramid(path, *shapes):
    """An OME-TIFF with levels of these shapes."""
    with tifffile.TiffWriter(path, ome=True) as file:
        for number, shape in enumerate(shapes):
            more = {"subifds": len(shapes) - 1, "metadata": {"axes": "YX"}} if not number else {"subfiletype": 1}
            file.write(np.zeros(shape, np.uint8), tile=(16, 16), **more)
    return path


@pytest.mark.parametrize(
    ("shapes", "level", "roi", "step", "offset"),
    [
        ([(64, 96)], 0, None, (1, 1), (0, 0)),
        ([(64, 96)], 0, Box(10, 20, 30, 40), (1, 1), (10, 20)),
        ([(64, 96), (32, 48)], 1, None, (2, 2), (0, 0)),
        ([(64, 96), (32, 48)], 1, Box(5, 6, 20, 20), (2, 2), (10, 12)),
        ([(65, 97), (32, 49), (16, 24)], 2, Box(1, 2, 9, 9), (4, 4), (4, 8)),  # rounded down and up
        ([(64, 96), (40, 48)], 1, Box(5, 5, 9, 9), (1.6, 2), (8, 10)),
    ],
)
def test_regions_and_levels_of_files(tmp_path, shapes, level, roi, step, offset):
    with open_source(pyramid(tmp_path / "a.ome.tif", *shapes), level=level, roi=roi) as source:
        frame = Frame.of(source)
    assert (frame.step, frame.offset) == (step, offset)
    assert frame.is_whole is (step == (1, 1) and offset == (0, 0))


def test_a_pixel_of_a_level_covers_those_of_the_full_resolution():
    frame = Frame((2.0, 4.0), (10.0, 100.0))
    ring = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])  # of the first pixel
    np.testing.assert_array_equal(frame.place(ring), [[100, 10], [104, 10], [104, 12], [100, 12]])
    y, x = frame.centres([0, 1], [0, 1])
    np.testing.assert_array_equal(y, [10.5, 12.5])
    np.testing.assert_array_equal(x, [101.5, 105.5])
    assert frame.extent((3, 5)) == (16, 120)
    assert frame.scale(None) == (2, 4)
    assert frame.translation(None) == (10.5, 101.5)
    np.testing.assert_allclose(frame.translation((1.0, 1.0)), (5.25, 101.5 / 4))  # 0.5 and 0.25 um at full resolution


def test_the_whole_changes_nothing():
    ring = np.array([[0.123, 4.5678], [1, 0], [1, 1]])
    assert Frame().place(ring) is ring
    assert Frame().translation((0.3, 0.7)) == (0, 0)


def corners(rings):
    return sorted(map(tuple, np.unique(np.asarray(rings), axis=0).tolist()))


def test_geojson_and_rois_lie_in_the_slide(tmp_path):
    frame = Frame((2.0, 2.0), (600.0, 900.0), bounds=(50, 70))
    write_geojson(tmp_path / "a.geojson", SQUARE, SHAPE, frame=frame)
    (feature,) = json.loads((tmp_path / "a.geojson").read_text())["features"]
    outline = shapely.from_geojson(json.dumps(feature["geometry"]))
    assert outline.is_valid
    # as QuPath counts: from the corner of the recorded area
    assert outline.bounds == (932 - 70, 612 - 50, 948 - 70, 628 - 50)
    assert feature["properties"]["measurements"]["area"] == 32  # of the image that was segmented
    write_rois(tmp_path / "a.zip", SQUARE, SHAPE, frame=frame)
    (roi,) = roifile.roiread(tmp_path / "a.zip")
    assert corners(roi.coordinates()) == [(932, 620), (940, 612), (940, 628), (948, 620)]


@pytest.mark.parametrize("tiled", [False, True])
def test_label_tiffs_tell_micrometres(tmp_path, monkeypatch, tiled):
    monkeypatch.setattr(label_tiff, "LARGEST_PLAIN", 0 if tiled else 10**6)
    path = tmp_path / "a_label.tiff"
    write_labels(path, slide(), pixel_size=(0.5, 0.25), frame=Frame((1, 1), (600, 900)))
    np.testing.assert_array_equal(read_labels(path), slide()[:, :])
    np.testing.assert_allclose(read_pixel_size(path), (0.5, 0.25))
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        assert file.series[0].shape == slide().shape
        if tiled:
            (image,) = (tifffile.xml2dict(file.ome_metadata)["OME"]["Image"],)
            pixels = image["Pixels"]
            assert (pixels["PhysicalSizeY"], pixels["PhysicalSizeX"]) == (0.5, 0.25)
            assert pixels.get("PhysicalSizeXUnit", "µm") == "µm"
            assert (pixels["Plane"]["PositionY"], pixels["Plane"]["PositionX"]) == (300, 225)
        else:  # as ImageJ itself writes and reads them: pixels per unit
            described = file.imagej_metadata
            assert (described["unit"], described["xorigin"], described["yorigin"]) == ("micron", -900, -600)
            assert page.resolutionunit == 1
            np.testing.assert_allclose(page.resolution, (4, 2))


def test_label_tiffs_without_pixel_size_claim_none(tmp_path):
    write_labels(tmp_path / "a.tiff", slide())
    write_labels(tmp_path / "b.tiff", slide(), frame=Frame((2, 2), (20, 40)))
    assert read_pixel_size(tmp_path / "a.tiff") is read_pixel_size(tmp_path / "b.tiff") is None
    with tifffile.TiffFile(tmp_path / "b.tiff") as file:
        assert file.imagej_metadata["xorigin"] == -20  # in pixels of the labels
    with tifffile.TiffFile(tmp_path / "a.tiff") as file:
        assert not file.is_imagej


def test_32_bit_labels_are_read_back(tmp_path):
    labels = np.zeros((20, 30), np.uint32)
    labels[3:5, 4:9] = 70_000
    write_labels(tmp_path / "a.tiff", labels, pixel_size=(0.5, 0.5))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tiff"), labels)


def transformations(path):
    image = OmeImage.from_zarr(zarr.open_group(path, mode="r"))
    (multiscale,) = image.ome_attributes.multiscales
    return [
        {one.type: getattr(one, one.type) for one in dataset.coordinateTransformations}
        for dataset in multiscale.datasets
    ], [axis.unit for axis in multiscale.axes]


def test_zarr_labels_lie_on_their_image(tmp_path):
    write_ome_zarr(tmp_path / "whole.zarr", slide(), pixel_size=(0.5, 0.25))
    assert transformations(tmp_path / "whole.zarr") == ([{"scale": [0.5, 0.25]}], ["micrometer"] * 2)
    frame = Frame((2, 2), (600, 900))
    write_ome_zarr(tmp_path / "level.zarr", slide(), pixel_size=(0.5, 0.25), frame=frame)
    # 0.25 and 0.125 um at full resolution; the first pixel covers two, so its centre lies between theirs
    expected = {"scale": [0.5, 0.25], "translation": [600.5 * 0.25, 900.5 * 0.125]}
    assert transformations(tmp_path / "level.zarr") == ([expected], ["micrometer"] * 2)
    write_ome_zarr(tmp_path / "pixels.zarr", slide(), frame=frame)
    assert transformations(tmp_path / "pixels.zarr")[0] == [{"scale": [2, 2], "translation": [600.5, 900.5]}]


def ome_zarr(path, translation, unit="micrometer"):
    """An image with two levels, placed by its file."""
    group = zarr.open_group(path, mode="w")
    datasets = []
    for level, size in enumerate((0.5, 1.0)):
        group.create_array(str(level), shape=(64 >> level, 96 >> level), dtype=np.uint8)
        moves = [{"type": "translation", "translation": [at + (size - 0.5) / 2 for at in translation]}]
        datasets.append(
            {"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": [size, size]}, *moves]}
        )
    axes = [{"name": name, "type": "space", "unit": unit} for name in "yx"]
    whole = [{"type": "scale", "scale": [1, 1]}, {"type": "translation", "translation": [1, 2]}]
    described = {"axes": axes, "datasets": datasets, "coordinateTransformations": whole, "name": "a"}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [described]}
    return path


@pytest.mark.parametrize(("unit", "factor"), [("micrometer", 1), ("nanometer", 1e-3)])
def test_zarr_labels_take_over_the_position_that_the_image_states(tmp_path, unit, factor):
    path = ome_zarr(tmp_path / "a.ome.zarr", (100, 200), unit)
    assert read_header(path).position == (101 * factor, 202 * factor)
    with open_source(path, level=1, roi=Box(3, 4, 20, 20)) as source:
        frame, size = Frame.of(source), source.pixel_size
    np.testing.assert_allclose(frame.translation(size), np.array([101.25 + 3, 202.25 + 4]) * factor)
    assert frame.offset == (6, 8)


class Scanned:
    """A slide of which the scanner recorded a part, as OpenSlide states it."""

    def __init__(self, path) -> None:
        self._picture = Image.open(path).convert("RGBA")
        self.level_dimensions, self.level_downsamples = (self._picture.size,), (1.0,)
        self.properties = {"openslide.bounds-x": "7", "openslide.bounds-y": "5"}
        if path.stem == "bounded":
            self.properties |= {"openslide.bounds-width": "20", "openslide.bounds-height": "20"}

    def read_region(self, corner, level, size):
        return self._picture.crop((*corner, corner[0] + size[0], corner[1] + size[1]))

    def close(self) -> None:
        self._picture.close()


@pytest.mark.parametrize(("name", "bounds"), [("bounded", (5, 7)), ("incomplete", (0, 0))])
def test_bounds_of_openslide(tmp_path, monkeypatch, name, bounds):
    module = types.ModuleType("openslide")
    module.OpenSlide = Scanned
    monkeypatch.setitem(sys.modules, "openslide", module)
    path = tmp_path / f"{name}.mrxs"
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(path, "PNG")
    assert read_header(path).bounds == bounds
    with open_source(path, roi=Box(6, 9, 20, 20)) as source:
        frame = Frame.of(source)
    assert (frame.bounds, frame.offset) == (bounds, (6, 9))
    ring = frame.place(np.array([[0.0, 0], [1, 0], [1, 1]]), from_bounds=True)
    np.testing.assert_array_equal(ring[0], (9 - bounds[1], 6 - bounds[0]))


def test_outlines_of_a_mirax_slide_count_from_what_was_recorded(tmp_path):
    pytest.importorskip("openslide")
    recorded = np.random.default_rng(5).integers(0, 256, (2 * TILE, 3 * TILE, 3), dtype=np.uint8)
    path = tmp_path / "a.mrxs"
    write_mirax(path, recorded, first=(1, 2), n_tiles=(4, 6), size_um=0.25)
    header = read_header(path)
    assert (header.shape[:2], header.bounds, header.pixel_size) == (
        (4 * TILE, 6 * TILE),
        (TILE, 2 * TILE),
        (0.25, 0.25),
    )
    corner = TILE + 5, 2 * TILE + 7
    with open_source(path, roi=Box(*corner, TILE + 25, 2 * TILE + 47)) as source:
        frame = Frame.of(source)
        np.testing.assert_array_equal(source[:, :], recorded[5:25, 7:47])
    write_geojson(tmp_path / "a.geojson", SQUARE, SHAPE, frame=frame)
    (feature,) = json.loads((tmp_path / "a.geojson").read_text())["features"]
    centre = shapely.geometry.shape(feature["geometry"]).centroid
    assert (centre.x, centre.y) == pytest.approx((20 + 7, 10 + 5))
