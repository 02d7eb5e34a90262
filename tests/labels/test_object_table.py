"""Tables of objects equal what scikit-image measures."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import regionprops

import starpoly
from starpoly.errors import ConfigError, ImageError
from starpoly.labels.object_table import measure_objects

import reference
from support.label_images import NAMED, label_images
from support.painted import disks


def check(labels, image, pixel_size):
    columns = measure_objects(labels, image, channel_names=("a", "b"), pixel_size=pixel_size, measure="all")
    regions = regionprops(labels, image.astype(float))  # it computes in the dtype of the image
    assert columns["label"].tolist() == [region.label for region in regions]
    scaled = regionprops(labels, spacing=pixel_size)
    near = reference.neighbours(labels, 5)
    for row, (region, large) in enumerate(zip(regions, scaled, strict=True)):
        y, x = region.centroid
        expected = {
            "y": y, "x": x, "area": region.area, "diameter": region.equivalent_diameter_area, "area_um2": large.area,
            "diameter_um": large.equivalent_diameter_area, "perimeter": region.perimeter, "solidity": region.solidity,
            "eccentricity": region.eccentricity, "major_axis": region.axis_major_length, "minor_axis": region.axis_minor_length,
            "feret_max": region.feret_diameter_max, "feret_max_um": large.feret_diameter_max,
            "major_axis_um": large.axis_major_length, "minor_axis_um": large.axis_minor_length,
            "n_neighbours": near[region.label],
        }  # fmt: skip
        expected |= dict(zip(("bbox_y0", "bbox_x0", "bbox_y1", "bbox_x1"), region.bbox, strict=True))
        for channel, name in enumerate("ab"):
            expected |= {
                f"{what}_{name}": getattr(region, f"intensity_{what}")[channel]
                for what in ("mean", "std", "min", "max")
            }
            inside = region.image_intensity[region.image, channel]
            expected |= {f"median_{name}": np.median(inside), f"sum_{name}": inside.sum(dtype=float)}
            around = reference.intensities(labels, image[..., channel].astype(float), 1, 5)[region.label][6]
            expected[f"background_{name}"] = around
        for name, value in expected.items():
            # eigenvalues near 0 lose digits to a square root
            np.testing.assert_allclose(columns[name][row], value, rtol=1e-7, atol=2e-6, err_msg=name)
        if not np.isclose(region.inertia_tensor[0, 0], region.inertia_tensor[1, 1]) or region.area == 1:
            np.testing.assert_allclose(columns["orientation_rad"][row], region.orientation, atol=1e-7)
        at_border = min(region.bbox[:2]) == 0 or region.bbox[2] == labels.shape[0] or region.bbox[3] == labels.shape[1]
        assert columns["touches_border"][row] == at_border


@given(label_images(), st.integers(0, 99), st.sampled_from([np.uint8, np.uint16, np.float32]))
@settings(deadline=None, max_examples=60)
def test_any_labels(labels, seed, dtype):
    image = np.random.default_rng(seed).uniform(0, 250, (*labels.shape, 2)).astype(dtype)
    check(labels, image, (0.5, 0.25))


@pytest.mark.parametrize("name", NAMED)
def test_named_labels(name):
    check(NAMED[name], np.arange(2 * NAMED[name].size).reshape(*NAMED[name].shape, 2), (0.5, 2.0))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.uint32, np.int64, np.uint64])
def test_labels_of_any_integers(dtype):
    labels = NAMED["one pixel"]
    assert measure_objects(labels.astype(dtype), measure="none")["area"].tolist() == [1]


def test_ids_may_have_gaps_and_be_large():
    labels = np.array([[0, 7], [4_000_000_000, 7]], np.uint32)
    columns = measure_objects(labels, measure="none")
    assert columns["label"].tolist() == [7, 4_000_000_000]
    assert columns["area"].tolist() == [2, 1]
    assert list(columns) == ["label", "y", "x", "area", "diameter"]


def test_label_images_by_name_share_their_ids():
    cell = disks((60, 60), 2, 5)
    nucleus = np.where(np.indices(cell.shape)[0] % 3, cell, 0)
    image = np.random.default_rng(0).integers(0, 99, cell.shape)
    both = measure_objects({"nucleus": nucleus, "cell": cell}, image)
    for name, labels in (("nucleus", nucleus), ("cell", cell)):
        alone = measure_objects(labels, image)
        rows = np.searchsorted(both["label"], alone["label"])
        for column in alone.keys() - {"label"}:
            np.testing.assert_array_equal(both[f"{name}_{column}"][rows], alone[column])


def test_an_object_that_one_image_lacks_is_empty_there():
    columns = measure_objects({"nucleus": np.array([[1, 0]]), "cell": np.array([[1, 2]])}, np.array([[5, 6]]))
    assert columns["label"].tolist() == [1, 2]
    assert columns["nucleus_area"].tolist() == [1, 0]
    assert np.isnan(columns["nucleus_mean_0"]).tolist() == [False, True]
    assert columns["cell_mean_0"].tolist() == [5, 6]
    assert columns["nucleus_bbox_y1"].tolist() == [1, 0]


def test_pixel_size_comes_from_the_file(tmp_path):
    labels = NAMED["touching"]
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, labels.astype(np.uint8), resolution=(20_000, 20_000), resolutionunit="CENTIMETER")
    np.testing.assert_allclose(starpoly.measure_objects(labels, path)["area_um2"], [6 / 4, 9 / 4])
    assert starpoly.measure_objects(labels, path, pixel_size=(1, 1))["area_um2"].tolist() == [6, 9]


def test_circles_are_circles():
    y, x = np.mgrid[:201, :201]
    columns = measure_objects(((y - 100) ** 2 + (x - 100) ** 2 <= 80**2).astype(int))
    assert columns["circularity"][0] == pytest.approx(0.9, abs=0.1)
    assert columns["eccentricity"][0] == 0
    assert columns["feret_max"][0] == pytest.approx(161, abs=1)
    assert np.isnan(measure_objects(NAMED["only one pixel"])["circularity"]).all()


@pytest.mark.parametrize(
    ("labels", "image"),
    [
        (np.zeros((2, 2)), None),
        (np.zeros(3, int), None),
        (np.array([[-1]]), None),
        (np.array([[1 << 32]]), None),
        (np.zeros((2, 2), int), np.zeros((2, 3))),
        ({"a": np.zeros((2, 2), int), "b": np.zeros((3, 2), int)}, None),
    ],
)
def test_what_does_not_fit_is_refused(labels, image):
    with pytest.raises(ImageError, match="labels: expected"):
        measure_objects(labels, image)


def test_unknown_measurements_are_refused():
    with pytest.raises(ConfigError, match="measure: expected some of shape, intensity, neighbours"):
        measure_objects(np.ones((2, 2), int), measure="texture")
