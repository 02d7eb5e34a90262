"""Plates are found as their fields, each with plate, well and field."""

from __future__ import annotations

import json
import shutil
from pathlib import PurePath

import numpy as np
import pytest

from starpoly.errors import ImageError
from starpoly.io.files.find import find_images
from starpoly.io.files.plates import PlateField
from starpoly.io.readers.images import open_source, read_image
from starpoly.io.readers.registry import find_reader
from starpoly.prediction.outputs import plan_jobs
from starpoly.prediction.summary import image_row

from support.plates import write_imagexpress, write_plate_zarr


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_fields_of_a_zarr_plate(tmp_path, version):
    write_plate_zarr(tmp_path / "p.ome.zarr", version=version)
    images = find_images([tmp_path / "p.ome.zarr"]).images
    assert [(image.place, image.subfolder) for image in images] == [
        (PlateField("p", "A1", "0"), PurePath("p/A/1")),
        (PlateField("p", "A1", "1"), PurePath("p/A/1")),
        (PlateField("p", "B12", "0"), PurePath("p/B/12")),
        (PlateField("p", "B12", "1"), PurePath("p/B/12")),
    ]
    for number, image in enumerate(images, start=1):
        with open_source(image.path, channels=["DAPI"]) as source:
            assert np.unique(source[:, :]).tolist() == [number]


@pytest.mark.parametrize("given", ["folder", "pattern", "well", "field"])
def test_a_zarr_plate_however_it_is_named(tmp_path, given):
    path = tmp_path / "p.zarr"
    write_plate_zarr(path)
    named = {"folder": tmp_path, "pattern": tmp_path / "*.zarr", "well": path / "B/12", "field": path / "B/12/1"}
    images = find_images([named[given]]).images
    assert images[-1].path == path / "B/12/1"
    assert images[-1].place == PlateField("p", "B12", "1")
    assert len(images) == {"well": 2, "field": 1}.get(given, 4)


def test_results_of_a_plate_keep_apart(tmp_path):
    write_plate_zarr(tmp_path / "p.zarr")
    jobs = plan_jobs(find_images([tmp_path / "p.zarr"]).images, tmp_path / "out")
    assert len({job.labels for job in jobs}) == 4
    assert jobs[0].labels.parent == tmp_path / "out/p/A/1"
    row = image_row(jobs[-1], "done")
    assert (row["plate"], row["well"], row["field"]) == ("p", "B12", "1")


def test_a_plate_without_fields_is_a_problem(tmp_path):
    write_plate_zarr(tmp_path / "p.zarr", wells=())
    found = find_images([tmp_path / "p.zarr"])
    assert not found.images
    assert "expected a plate with fields, got none" in found.problems[0][1]


def test_a_plate_does_not_lead_outside(tmp_path):
    write_plate_zarr(tmp_path / "p.zarr")
    write_plate_zarr(tmp_path / "q.zarr")
    text = json.loads((tmp_path / "p.zarr/zarr.json").read_text())
    text["attributes"]["ome"]["plate"]["wells"] = [{"path": "../q.zarr/A/1"}, {"path": "/etc"}, {"path": "A/1"}, 5, {}]
    (tmp_path / "p.zarr/zarr.json").write_text(json.dumps(text))
    assert [image.path.parent for image in find_images([tmp_path / "p.zarr"]).images] == [tmp_path / "p.zarr/A/1"] * 2


def test_a_field_that_is_not_there_fails_alone(tmp_path):
    write_plate_zarr(tmp_path / "p.zarr")
    shutil.rmtree(tmp_path / "p.zarr/A/1/0")
    images = find_images([tmp_path / "p.zarr"]).images
    assert len(images) == 4
    with pytest.raises(ImageError):
        open_source(images[0].path)


@pytest.mark.parametrize("mark", ["", "9ABCDEF0-1234-5678-9ABC-DEF012345678"])
@pytest.mark.parametrize("given", ["folder", "description", "all files"])
def test_fields_of_an_imagexpress_plate(tmp_path, given, mark):
    stacks = write_imagexpress(tmp_path / "d", mark=mark)
    everything = sorted((tmp_path / "d").iterdir())
    named = {"folder": [tmp_path / "d"], "description": [tmp_path / "d/Plate7.HTD"], "all files": everything}[given]
    images = find_images(named).images
    places = [PlateField("Plate7", well, str(site)) for well, site in stacks]
    assert sorted((image.place for image in images), key=str) == sorted(places, key=str)
    for image in images:
        stack = stacks[image.place.well, int(image.place.field)]
        np.testing.assert_array_equal(read_image(image.path), np.moveaxis(stack[0, 0], 0, -1))
        with open_source(image.path, channels=["dapi"]) as source:
            np.testing.assert_array_equal(source[:, :, 0], stack[0, 0, 1])


def test_one_wavelength_needs_no_number(tmp_path):
    stacks = write_imagexpress(tmp_path, waves=("DAPI",), sites=1)
    (first, _) = find_images([tmp_path]).images
    np.testing.assert_array_equal(read_image(first.path), stacks["A01", 1][0, 0, 0])


def test_time_points_and_slices_of_a_field(tmp_path):
    stacks = write_imagexpress(tmp_path, times=2, slices=3)
    images = find_images([tmp_path], recursive=True).images
    assert len(images) == 4
    with find_reader(images[0].path).stack(images[0].path) as stack:
        assert (stack.axes, stack.lengths, stack.channel_names) == ("TZ", (2, 3), ("GFP", "DAPI"))
        with stack.open_plane((1, 2)) as plane:
            np.testing.assert_array_equal(plane[:, :], np.moveaxis(stacks["A01", 1][1, 2], 0, -1))
    with pytest.raises(ImageError, match="got a stack of T 2 x Z 3"):
        read_image(images[0].path)


def test_a_missing_wavelength_is_named(tmp_path):
    write_imagexpress(tmp_path)
    (tmp_path / "Plate7_B02_s1_w2.TIF").unlink()
    broken = next(image for image in find_images([tmp_path]).images if image.place == PlateField("Plate7", "B02", "1"))
    with pytest.raises(ImageError, match=r"Plate7_B02_s1_w1.*expected 2 wavelengths.*none for w2"):
        read_image(broken.path)


def test_thumbnails_and_other_images_beside_a_plate(tmp_path):
    write_imagexpress(tmp_path)
    shutil.copy(tmp_path / "Plate7_A01_s1_w1.TIF", tmp_path / "Plate7_A01_s1_w1_thumb9ABCDEF0-1234.tif")
    np.save(tmp_path / "other.npy", np.zeros((5, 5), np.uint8))
    shutil.copy(tmp_path / "Plate7_A01_s1_w1.TIF", tmp_path / "Else_A01_s1_w1.TIF")
    names = [image.path.name for image in find_images([tmp_path]).images]
    assert len(names) == 6
    assert {"other.npy", "Else_A01_s1_w1.TIF"} < set(names)


def test_a_plane_of_a_further_wavelength_is_an_ordinary_tiff(tmp_path):
    stacks = write_imagexpress(tmp_path)
    path = tmp_path / "Plate7_A01_s1_w2.TIF"
    (image,) = find_images([path]).images
    assert image.place is None
    np.testing.assert_array_equal(read_image(path), stacks["A01", 1][0, 0, 1])


def test_the_planes_of_an_oif_are_not_images(tmp_path):
    (tmp_path / "a.oif.files").mkdir()
    (tmp_path / "a.oif.files/s_C001.tif").write_bytes(b"II*\0")
    (tmp_path / "a.oif").write_bytes(b"[")
    assert [image.path.name for image in find_images([tmp_path], recursive=True).images] == ["a.oif"]
