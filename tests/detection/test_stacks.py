"""A stack in memory: planes as images of their own, labels in the order of its axes."""

from __future__ import annotations

import csv
import pickle
from itertools import permutations

import numpy as np
import pytest
import tifffile

from starpoly.errors import ImageError
from starpoly.io.writers.cells import column_cells
from starpoly.prediction import SlideOutputs, segment_slide

import reference
from support.inputs import grey
from support.painted import BrightModel

pytestmark = pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
STACK = np.stack([[grey(seed + 10 * t) for seed in (0, 0, 1)] for t in range(2)])


@pytest.mark.parametrize("axes", ["TZYX", "ZTYX", "YXTZ", "TXZY", "ZYX", "XYZ", "TYX"])
def test_every_plane_is_an_image_of_its_own(axes):
    chosen = STACK if {"T", "Z"} <= set(axes) else STACK[0] if "Z" in axes else STACK[:, 0]
    stored_axes = "TZYX" if {"T", "Z"} <= set(axes) else "ZYX" if "Z" in axes else "TYX"
    image = chosen.transpose([stored_axes.index(axis) for axis in axes])
    labels, details = BrightModel().predict_instances(image, axes=axes)
    assert (labels.shape, labels.dtype) == (image.shape, np.int32)
    order = [axis for axis in axes if axis in "TZ"]
    planes = labels.transpose([axes.index(axis) for axis in [*order, "Y", "X"]]).reshape(-1, 97, 118)
    own = image.transpose([axes.index(axis) for axis in [*order, "Y", "X"]]).reshape(-1, 97, 118)
    first, model = 0, BrightModel()
    lengths = [image.shape[axes.index(axis)] for axis in order]
    for index, plane, found in zip(np.ndindex(*lengths), own, planes, strict=True):
        alone, alike = model.predict_instances(plane)
        np.testing.assert_array_equal(found, np.where(alone > 0, alone + first, 0))
        mine = np.flatnonzero((details["label"] > first) & (details["label"] <= first + alone.max()))
        for axis, at in zip(order, index, strict=True):
            assert (details[axis.lower()][mine] == at).all()
        np.testing.assert_array_equal(details["points"][mine], alike["points"])
        np.testing.assert_array_equal(details["coord"][mine], alike["coord"])
        first += int(alone.max())
    assert len(details["polygons"]) == len(details["prob"]) == first


def test_a_file_is_the_stack_that_it_holds(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK, imagej=True, resolution=(2, 2), metadata={"axes": "TZYX", "unit": "um"})
    labels, details = BrightModel().predict_instances(path, link="z")
    wanted, _ = BrightModel().predict_instances(STACK, axes="TZYX", link="z")
    np.testing.assert_array_equal(labels, wanted)
    segment_slide(BrightModel(), path, SlideOutputs(table=tmp_path / "t.csv"), link="z", measure="none")
    with open(tmp_path / "t.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    table = {name: [str(cell) for cell in column_cells(column)] for name, column in details.table().items()}
    assert table == {name: [row[name] for row in rows] for name in rows[0]}


def test_tables_of_a_stack_measure_every_plane(tmp_path):
    stack = np.stack([STACK, STACK[::-1]], axis=2)  # TZCYX
    path = tmp_path / "a.ome.tif"
    said = {"axes": "TZCYX", "Channel": {"Name": ["GFP", "DAPI"]}}
    tifffile.imwrite(path, stack, metadata=said, photometric="minisblack")
    segment_slide(BrightModel(2), path, SlideOutputs(table=tmp_path / "t.csv"), measure="all")
    with open(tmp_path / "t.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for image, axes in ((path, None), (stack, "TZCYX")):
        _, details = BrightModel(2).predict_instances(image, axes=axes)
        table = details.table(image, axes=axes, measure="all")
        assert list(table)[:3] == ["t", "z", "label"]
        table = {name.replace("GFP", "0").replace("DAPI", "1"): column for name, column in table.items()}
        cells = {name: [str(cell) for cell in column_cells(column)] for name, column in table.items()}
        named = {n.replace("GFP", "0").replace("DAPI", "1"): [row[n] for row in rows] for n in rows[0]}
        assert cells == named
    with pytest.raises(ImageError, match="expected the stack of 6 planes"):
        details.table(stack[0, 0, 0])


def test_details_of_a_stack_convert_as_those_of_an_image():
    pytest.importorskip("shapely")
    _, details = BrightModel().predict_instances(STACK, axes="TZYX", link="z")
    assert repr(details).startswith(f"Details({details['label'].max()} objects")
    features = details.to_geojson()["features"]
    assert [feature["geometry"]["plane"]["z"] for feature in features] == details["z"].tolist()
    assert len(details.to_shapely()) == len(details.table()["t"]) == len(features)
    again = pickle.loads(pickle.dumps(details))
    assert again.table()["label"].tolist() == details["label"].tolist()


@pytest.mark.parametrize("axes", ["".join(order) for order in permutations("ZCYX")])
def test_channels_lie_anywhere(axes):
    image = np.stack([STACK[0], STACK[1]], axis=1)  # ZCYX
    labels, _ = BrightModel(2).predict_instances(image.transpose(["ZCYX".index(axis) for axis in axes]), axes=axes)
    kept = axes.replace("C", "")
    wanted, _ = BrightModel(2).predict_instances(image, axes="ZCYX")
    np.testing.assert_array_equal(labels, wanted.transpose(["ZYX".index(axis) for axis in kept]))


@pytest.mark.parametrize("link", ["z", "t"])
def test_linked_planes(link):
    plain, _ = BrightModel().predict_instances(STACK, axes="TZYX")
    labels, details = BrightModel().predict_instances(STACK, axes="TZYX", link=link, link_iou=0.4)
    wanted = reference.linked_stack(plain, "tz".index(link), 0.4)
    np.testing.assert_array_equal(labels, wanted)
    assert details["label"].max() == labels.max()
    assert len(details["label"]) > labels.max()  # the first two slices are alike


def test_an_array_that_is_no_numpy_array_is_read_plane_by_plane():
    class Lazy:
        shape, dtype, ndim = STACK.shape, STACK.dtype, 4

        def __init__(self):
            self.read = []

        def __getitem__(self, key):
            self.read.append(key[:2])
            return STACK[key]

    lazy = Lazy()
    labels, _ = BrightModel().predict_instances(lazy, axes="TZYX")
    np.testing.assert_array_equal(labels, BrightModel().predict_instances(STACK, axes="TZYX")[0])
    assert lazy.read == list(np.ndindex(2, 3))


@pytest.mark.parametrize("axes", ["TYX", "XYT"])
def test_masked_values_of_planes_are_left_out(axes):
    mask = np.zeros(STACK[0].shape, bool)
    mask[1, :50] = True
    order = ["TYX".index(axis) for axis in axes]
    image = np.ma.masked_array(STACK[0], mask).transpose(order)
    labels = BrightModel().predict_instances(image, axes=axes)[0].transpose([axes.index(axis) for axis in "TYX"])
    assert labels[1, 50:].any()
    for plane, masked in zip(labels, np.ma.masked_array(STACK[0], mask), strict=True):
        alone = BrightModel().predict_instances(masked)[0]
        np.testing.assert_array_equal(np.where(plane > 0, plane - plane[plane > 0].min() + 1, 0), alone)


def test_a_stack_without_axes_is_told_to_name_them():
    with pytest.raises(ImageError, match="name its axes, as in axes='ZYX'"):
        BrightModel().predict_instances(STACK[0])


def test_a_file_of_planes_names_its_own_axes(tmp_path):
    tifffile.imwrite(tmp_path / "pages.tif", STACK[0], photometric="minisblack")
    with pytest.raises(ImageError, match=r"leave axes out, the file names its own \(ZYX\)"):
        BrightModel().predict_instances(tmp_path / "pages.tif", axes="TYX")


def test_an_empty_image_is_called_so():
    with pytest.raises(ImageError, match="at least one pixel"):
        BrightModel().predict_instances(np.zeros((0, 5)))


def test_axes_of_length_one_make_no_stack():
    labels, details = BrightModel().predict_instances(STACK[:1, :1], axes="TZYX")
    assert labels.shape == (97, 118)
    assert "z" not in details


def test_a_stack_without_axes_says_how():
    with pytest.raises(ImageError, match="name the axes of a stack, as in axes='ZYX'"):
        BrightModel().predict_instances(STACK)
