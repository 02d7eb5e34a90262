"""A stack gives for every plane what that plane gives as an image of its own, and files that say where it lies."""

from __future__ import annotations

import csv
import json
import warnings
import zipfile
from itertools import permutations
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from starpoly.errors import ConfigError, ImageError, StarpolyError, StarpolyWarning
from starpoly.io import open_source, open_stack, read_labels
from starpoly.io.readers.projection import FOCUS_RADIUS
from starpoly.io.writers import label_tiff, ome_zarr
from starpoly.prediction import SlideOutputs, opening, segment_slide
from starpoly.prediction.part import ImagePart
from starpoly.prediction.plane_selection import parse_selection, pick
from starpoly.prediction.planes import choose_planes

import reference
from support.inputs import grey
from support.painted import BrightModel

pytestmark = pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
EVERYTHING = {
    "labels": "a_label.tiff",
    "table": "a_table.csv",
    "geojson": "a.geojson",
    "rois": "a_rois.zip",
    "zarr": "a.ome.zarr",
    "overlay": "a_overlay.png",
    "provenance": "a_provenance.json",
}
WITH_CELLS = {**EVERYTHING, "cells": "a_label_cells.tiff"}


def micrographs(axes: str, seed: int = 0) -> np.ndarray:
    """Planes with squares; the middle one of three has none."""
    lengths = {"T": 2, "Z": 3, "C": 2}
    shape = [lengths[axis] for axis in axes if axis in lengths]
    planes = [grey(seed + n) for n in range(int(np.prod(shape)))]
    if len(planes) == 3:
        planes[1] = np.full_like(planes[1], 9)
    leading = [axis for axis in axes if axis in lengths]
    whole = np.stack(planes).reshape(*shape, *planes[0].shape)
    return whole.transpose([[*leading, "Y", "X"].index(axis) for axis in axes])


def outputs(folder: Path, **kinds: str) -> SlideOutputs:
    return SlideOutputs(**{kind: folder / name for kind, name in (kinds or EVERYTHING).items()})


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder, without what is not the same twice."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith("_provenance.json")
    }


def rows_of(table: Path) -> list[dict[str, str]]:
    with open(table, newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(params=["held", "streamed"])
def way(request, monkeypatch):
    """Planes are held in memory, or streamed as large images are."""
    if request.param == "streamed":
        monkeypatch.setattr(opening, "LARGEST_HELD", 0)
        monkeypatch.setattr(label_tiff, "LARGEST_PLAIN", 0)
        monkeypatch.setattr(label_tiff, "TILE", 32)
        monkeypatch.setattr(label_tiff, "_SMALLEST_LEVEL", 32)
        monkeypatch.setattr(ome_zarr, "CHUNK", 32)
    return request.param


@pytest.mark.parametrize("axes", ["ZYX", "TZYX", "ZTCYX", "YXZ"])
def test_a_plane_gives_what_it_gives_alone(tmp_path, way, axes):
    image = micrographs(axes)
    asked = {"expand": "3px", "measure": "all"} | ({"channels": [1]} if "C" in axes else {})
    segment_slide(BrightModel(), image, outputs(tmp_path, **WITH_CELLS), axes=axes, **asked)
    labels, rows = tifffile.imread(tmp_path / "a_label.tiff"), rows_of(tmp_path / "a_table.csv")
    cells = tifffile.imread(tmp_path / "a_label_cells.tiff")
    features = json.loads((tmp_path / "a.geojson").read_text())["features"]
    zarr, zarr_cells = open_stack(tmp_path / "a.ome.zarr"), open_stack(tmp_path / "a.ome.zarr/labels/cells")
    first = 0
    with open_stack(image, axes=axes) as stack:
        assert labels.shape == (*stack.lengths, 97, 118)
        assert zarr.axes == zarr_cells.axes == stack.axes
        for index in np.ndindex(*stack.lengths):
            alone = tmp_path / f"alone{index}"
            segment_slide(
                BrightModel(),
                np.asarray(stack.open_plane(index)),
                outputs(alone, **{**WITH_CELLS, "zarr": "z.ome.zarr"}),
                **asked,
            )
            own, own_cells = (read_labels(alone / f"a_label{end}.tiff") for end in ("", "_cells"))
            shifted, shifted_cells = (np.where(found > 0, found.astype(int) + first, 0) for found in (own, own_cells))
            np.testing.assert_array_equal(labels[index], shifted)
            np.testing.assert_array_equal(cells[index], shifted_cells)
            np.testing.assert_array_equal(zarr.open_plane(index)[:, :, 0], shifted)
            np.testing.assert_array_equal(zarr_cells.open_plane(index)[:, :, 0], shifted_cells)
            place = {axis.lower(): str(position) for axis, position in zip(stack.axes, index, strict=True)}
            mine = [row for row in rows if all(row[axis] == position for axis, position in place.items())]
            assert mine == [
                place | row | {"label": str(int(row["label"]) + first)} for row in rows_of(alone / "a_table.csv")
            ]
            alike = json.loads((alone / "a.geojson").read_text())["features"]
            for feature, found in zip(features[first : first + len(alike)], alike, strict=True):
                for geometry in ("geometry", "nucleusGeometry"):
                    where = {"c": -1, "t": 0, "z": 0} | {axis: int(at) for axis, at in place.items()}
                    assert feature[geometry] == found[geometry] | {"plane": where}
                assert feature["properties"]["measurements"] == found["properties"]["measurements"]
            first += int(own.max())
    assert len(rows) == len(features) == first
    assert len({feature["id"] for feature in features}) == first


def test_cells_of_linked_nuclei_do_not_depend_on_the_links(tmp_path):
    image = np.full((2, 40, 60), 20, np.uint8)
    image[0, 10:16, 40:46] = image[1, 10:16, 10:16] = image[1, 10:16, 40:46] = 200
    found = {}
    for link in (None, "z"):
        segment_slide(
            BrightModel(),
            image,
            outputs(tmp_path, **WITH_CELLS),
            axes="ZYX",
            link=link,
            expand="20px",
            prob_threshold=0.9,
        )
        labels, cells = (tifffile.imread(tmp_path / f"a_label{end}.tiff") for end in ("", "_cells"))
        np.testing.assert_array_equal(cells[labels > 0], labels[labels > 0])
        for row in rows_of(tmp_path / "a_table.csv"):
            assert (cells[int(row["z"])] == int(row["label"])).sum() == int(row["cell_area"])
        found[link] = [np.unique(plane, return_inverse=True)[1] for plane in cells], labels.max()
    assert found["z"][1] < found[None][1]
    edges = [
        [np.diff(plane.reshape(40, 60), axis=axis) != 0 for plane in found[link][0] for axis in (0, 1)]
        for link in found
    ]
    for with_links, without in zip(*edges, strict=True):
        np.testing.assert_array_equal(with_links, without)


@pytest.mark.parametrize("axes", [f"{''.join(order)}YX" for order in permutations("TZC")])
def test_every_order_of_axes_from_file_to_file(tmp_path, axes):
    image = micrographs(axes)
    tifffile.imwrite(
        tmp_path / "a.ome.tif",
        image,
        photometric="minisblack",
        metadata={"axes": axes, "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.25, "PhysicalSizeZ": 2, "TimeIncrement": 30},
    )
    result = segment_slide(BrightModel(), tmp_path / "a.ome.tif", outputs(tmp_path), channels=[0])
    kept = axes.replace("C", "")
    assert result.axes + "YX" == kept
    with tifffile.TiffFile(tmp_path / "a_label.tiff") as tiff:
        assert tiff.series[0].axes == kept
        for said in ('PhysicalSizeX="0.5"', 'PhysicalSizeY="0.25"', 'PhysicalSizeZ="2', 'TimeIncrement="30'):
            assert said in tiff.ome_metadata
        labels = tiff.asarray()
    described = json.loads((tmp_path / "a.ome.zarr/zarr.json").read_text())["attributes"]["ome"]["multiscales"][0]
    assert [axis["name"] for axis in described["axes"]] == list(kept.lower())
    scale = dict(zip(kept, described["datasets"][0]["coordinateTransformations"][0]["scale"], strict=True))
    assert scale == {"X": 0.5, "Y": 0.25, "Z": 2.0, "T": 30.0}
    moved = labels.transpose([kept.index(axis) for axis in "TZYX"])
    stored = image.transpose([axes.index(axis) for axis in "TZCYX"])[:, :, 0]
    for t, z in np.ndindex(2, 3):
        alone, _ = BrightModel().predict_instances(stored[t, z])
        np.testing.assert_array_equal(moved[t, z] > 0, alone > 0)


@given(st.integers(0, 1000), st.sampled_from([0.1, 0.25, 0.6]), st.sampled_from("zt"))
@settings(max_examples=20)
def test_linked_ids_are_those_of_a_slow_search(seed, min_iou, link):
    image = np.maximum(micrographs("TZYX", seed), 0)
    image[1] = np.roll(image[0], 1, axis=1)
    image[:, 1] = np.where(np.random.default_rng(seed).random(image[:, 1].shape) < 0.9, image[:, 0], 20)
    with TemporaryDirectory() as folder:
        segment_slide(BrightModel(), image, outputs(Path(folder), labels="l.tiff"), axes="TZYX")
        plain = tifffile.imread(Path(folder) / "l.tiff")
        result = segment_slide(
            BrightModel(),
            image,
            outputs(Path(folder), labels="l.tiff", table="t.csv"),
            axes="TZYX",
            link=link,
            link_iou=min_iou,
        )
        linked, rows = tifffile.imread(Path(folder) / "l.tiff"), rows_of(Path(folder) / "t.csv")
    wanted = reference.linked_stack(plain, "tz".index(link), min_iou)
    np.testing.assert_array_equal(linked, wanted)
    assert result.n_objects == wanted.max()
    flat = [(own, ids) for own, ids in zip(plain.reshape(6, -1), wanted.reshape(6, -1), strict=True)]
    listed = [int(ids[own == i][0]) for own, ids in flat for i in np.unique(own[own > 0])]
    assert [int(row["label"]) for row in rows] == listed


def test_a_column_keeps_its_id_through_z():
    image = np.full((4, 60, 60), 20, np.uint8)
    image[:, 20:30, 20:30] = 200
    image[2:, 40:48, 5:13] = 200
    with TemporaryDirectory() as folder:
        segment_slide(
            BrightModel(), image, outputs(Path(folder), labels="l.tiff"), axes="ZYX", link="z", prob_threshold=0.9
        )
        labels = tifffile.imread(Path(folder) / "l.tiff")
    for z in range(1, 4):
        np.testing.assert_array_equal(labels[z, 20:30, 20:30], labels[0, 20:30, 20:30])
    assert set(np.unique(labels[1])) - set(np.unique(labels[0])) == set()
    assert len(np.unique(labels[2])) > len(np.unique(labels[0]))


def test_links_need_their_axis(tmp_path):
    with pytest.raises(ImageError, match="expected planes along t to link, got planes along z; use link z"):
        segment_slide(BrightModel(), micrographs("ZYX"), outputs(tmp_path, labels="l.tiff"), axes="ZYX", link="t")
    with pytest.raises(ConfigError, match="expected one of z, t"):
        segment_slide(BrightModel(), micrographs("ZYX"), outputs(tmp_path, labels="l.tiff"), axes="ZYX", link="x")


@pytest.mark.parametrize("part", [{"z": "1"}, {"project": "max"}])
def test_a_link_of_one_plane_is_said(tmp_path, part):
    with pytest.warns(
        StarpolyWarning, match="expected planes along z to link, got one plane; there is nothing to link"
    ):
        segment_slide(
            BrightModel(), micrographs("ZYX"), outputs(tmp_path, labels="l.tiff"), axes="ZYX", link="z", **part
        )
    with pytest.warns(StarpolyWarning, match="nothing to link"):
        segment_slide(BrightModel(), grey(), outputs(tmp_path, labels="l.tiff"), link="t")


def write_zarr(path: Path, levels: list[np.ndarray], axes: str, scales: list[list[float]]) -> Path:
    """An OME-Zarr 0.5 with micrometres and seconds."""
    import zarr

    kinds = {"T": ("time", "second"), "C": ("channel", None)}
    described = []
    for axis in axes:
        kind, unit = kinds.get(axis, ("space", "micrometer"))
        described.append({"name": axis.lower(), "type": kind} | ({} if unit is None else {"unit": unit}))
    group = zarr.open_group(str(path), mode="w")
    datasets = []
    for number, (pixels, scale) in enumerate(zip(levels, scales, strict=True)):
        chunks = (*(1 for _ in pixels.shape[:-2]), *pixels.shape[-2:])
        group.create_array(str(number), shape=pixels.shape, chunks=chunks, dtype=pixels.dtype)[...] = pixels
        datasets.append({"path": str(number), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": described, "datasets": datasets}]}
    return path


@pytest.mark.parametrize(
    ("axes", "lengths", "part", "found"),
    [
        ("TCZYX", (1, 1, 1), {}, ("t", "z")),
        ("TZYX", (1, 3), {}, ("t", "z")),
        ("TCZYX", (2, 1, 1), {}, ("t", "z")),
        ("ZYX", (1,), {}, ("z",)),
        ("TZYX", (1, 3), {"z": 2}, ("t",)),
        ("TZYX", (1, 1), {"t": "0"}, ("z",)),
        ("TZYX", (1, 3), {"project": "max"}, ("t",)),
        ("TZYX", (1, 1), {"project": "max"}, ("t",)),
    ],
)
def test_axes_of_length_one_stay_in_ome_zarr(tmp_path, way, axes, lengths, part, found):
    import zarr

    pixels = np.stack([grey(seed) for seed in range(int(np.prod(lengths)))]).reshape(*lengths, *grey().shape)
    steps = {"T": 30.0, "C": 1.0, "Z": 2.0, "Y": 0.5, "X": 0.5}
    path = write_zarr(tmp_path / "a.zarr", [pixels], axes, [[steps[axis] for axis in axes]])
    names = {"labels": "l.tiff", "zarr": "l.ome.zarr", "cells": "c.tiff"}
    segment_slide(BrightModel(), path, outputs(tmp_path, **names), expand="2px", **part)
    for folder in (tmp_path / "l.ome.zarr", tmp_path / "l.ome.zarr/labels/cells"):
        group = zarr.open_group(str(folder), mode="r")
        (multiscale,) = group.attrs["ome"]["multiscales"]
        assert tuple(axis["name"] for axis in multiscale["axes"]) == (*found, "y", "x")
        (scale, *_) = multiscale["datasets"][0]["coordinateTransformations"]
        assert scale["scale"] == [steps[axis.upper()] for axis in (*found, "y", "x")]
        assert group["0"].metadata.dimension_names == (*found, "y", "x")
    labels = tifffile.imread(tmp_path / "l.tiff")
    np.testing.assert_array_equal(np.squeeze(zarr.open_group(str(tmp_path / "l.ome.zarr"), mode="r")["0"][...]), labels)


def test_levels_that_are_reduced_along_z_and_t(tmp_path):
    fine = np.stack([grey(seed) for seed in range(8)]).reshape(2, 4, *grey().shape)
    coarse = fine[:1, ::2]
    scales = [[10.0, 2.0, 0.5, 0.5], [20.0, 4.0, 0.5, 0.5]]
    path = write_zarr(tmp_path / "a.zarr", [fine, coarse], "TZYX", scales)
    with open_stack(path) as stack:
        assert (stack.lengths, stack.lengths_at(1), stack.steps_at(1)) == ((2, 4), (1, 2), (4.0, 20.0))
        np.testing.assert_array_equal(stack.open_plane((1, 3))[:, :, 0], fine[1, 3])
        np.testing.assert_array_equal(stack.open_plane((0, 1), level=1)[:, :, 0], fine[0, 2])
        with pytest.raises(ImageError, match=r"expected a plane within T 1 x Z 2, got \(1, 0\)"):
            stack.open_plane((1, 0), level=1)
    segment_slide(BrightModel(), path, outputs(tmp_path, labels="l.tiff"), level=1)
    with tifffile.TiffFile(tmp_path / "l.tiff") as labels:
        assert labels.series[0].shape[-3:] == (2, *grey().shape)
        assert 'PhysicalSizeZ="4.0"' in labels.ome_metadata
    segment_slide(BrightModel(), path, outputs(tmp_path, labels="l.tiff"), z=3, t="0:")
    assert tifffile.imread(tmp_path / "l.tiff").shape == (2, *grey().shape)


@pytest.mark.parametrize("limit", [0, 10**9])
def test_resolution_and_physical_size_of_a_stack_are_one_number(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(label_tiff, "LARGEST_PLAIN", limit)
    segment_slide(
        BrightModel(), micrographs("ZYX"), outputs(tmp_path, labels="l.tiff"), axes="ZYX", pixel_size=(0.5, 0.25)
    )
    with tifffile.TiffFile(tmp_path / "l.tiff") as tiff:
        assert 'PhysicalSizeX="0.25"' in tiff.ome_metadata
        x, y = (np.divide(*tiff.pages[0].tags[name].value) for name in ("XResolution", "YResolution"))
        assert (y, x) == pytest.approx((2.0, 4.0))
        assert tiff.pages[0].tags["ResolutionUnit"].value == 1  # pixels per unit, as ImageJ writes
    assert open_stack(tmp_path / "l.tiff").pixel_size == (0.5, 0.25)


@pytest.mark.parametrize(
    ("text", "length", "found"),
    [
        ("3", 5, ([3], False)),
        ("-1", 5, ([4], False)),
        ("2:10", 5, ([2, 3, 4], True)),
        ("::2", 5, ([0, 2, 4], True)),
        ("0,4,2", 5, ([0, 2, 4], True)),
        ("0,3:", 5, ([0, 3, 4], True)),
        ("3:4", 5, ([3], True)),
        (slice(1, 3), 5, ([1, 2], True)),
        (range(1, 3), 5, ([1, 2], True)),
        (np.int64(2), 5, ([2], False)),
        (np.array([1, 2]), 5, ([1, 2], True)),
        (None, 2, ([0, 1], True)),
    ],
)
def test_choice_of_planes(text, length, found):
    assert pick(text, length, "planes z", "a.tif") == found


@pytest.mark.parametrize(
    ("text", "error"), [("5", ImageError), ("7:", ImageError), ("0,9", ImageError), ([1.5], ConfigError)]
)
def test_planes_that_are_not_there(text, error):
    with pytest.raises(error, match="planes z"):
        pick(text, 5, "planes z", "a.tif")


@pytest.mark.parametrize("text", ["", "a", "1;2", "1:2:3:4", "1,"])
def test_what_is_no_choice(text):
    with pytest.raises(ConfigError, match="expected planes as 3, 2:10"):
        parse_selection(text)


def test_chosen_planes_keep_their_place(tmp_path):
    image = micrographs("TZYX")
    tifffile.imwrite(tmp_path / "a.tif", image, imagej=True, metadata={"axes": "TZYX", "spacing": 2, "unit": "um"})
    segment_slide(BrightModel(), tmp_path / "a.tif", outputs(tmp_path), t=1, z="0::2")
    with tifffile.TiffFile(tmp_path / "a_label.tiff") as tiff:
        assert (tiff.series[0].axes, tiff.series[0].shape) == ("ZYX", (2, 97, 118))
        assert 'PhysicalSizeZ="4.0"' in tiff.ome_metadata
    assert {(row["t"], row["z"]) for row in rows_of(tmp_path / "a_table.csv")} == {("1", "0"), ("1", "2")}
    segment_slide(BrightModel(), tmp_path / "a.tif", outputs(tmp_path), t=1, z=2)
    assert tifffile.imread(tmp_path / "a_label.tiff").shape == (97, 118)
    alone, _ = BrightModel().predict_instances(image[1, 2])
    np.testing.assert_array_equal(read_labels(tmp_path / "a_label.tiff"), alone)
    assert {(row["t"], row["z"]) for row in rows_of(tmp_path / "a_table.csv")} == {("1", "2")}
    record = json.loads((tmp_path / "a_provenance.json").read_text())
    assert record["input"]["planes"] == {"t": "1", "z": "2"}


@pytest.mark.parametrize(("axes", "positions"), [("ZYX", "position"), ("TZYX", "z_position")])
def test_rois_are_tied_to_their_planes(tmp_path, axes, positions):
    roifile = pytest.importorskip("roifile")
    segment_slide(BrightModel(), micrographs(axes), outputs(tmp_path), axes=axes)
    rows = rows_of(tmp_path / "a_table.csv")
    rois = roifile.roiread(tmp_path / "a_rois.zip")
    assert [getattr(roi, positions) - 1 for roi in rois] == [int(row["z"]) for row in rows]
    if "T" in axes:
        assert [roi.t_position - 1 for roi in rois] == [int(row["t"]) for row in rows]
    with zipfile.ZipFile(tmp_path / "a_rois.zip") as archive:
        assert len(set(archive.namelist())) == len(rows)


@pytest.mark.parametrize("method", ["max", "mean", "focus"])
@pytest.mark.parametrize("axes", ["ZYX", "TZCYX"])
def test_a_projection_is_that_of_all_slices(tmp_path, method, axes, way):
    image = micrographs(axes)
    part = {"channels": [1]} if "C" in axes else {}
    result = segment_slide(BrightModel(), image, outputs(tmp_path), axes=axes, project=method, **part)
    assert result.axes == axes.rstrip("CYX").replace("Z", "")
    chosen = image if "C" not in axes else image[:, :, 1]
    for number, slices in enumerate([chosen] if "T" not in axes else chosen):
        wanted = reference.projected(slices[..., None], method, FOCUS_RADIUS)
        with (
            choose_planes(image, ImagePart(axes=axes, project=method, **part)) as planes,
            planes.open(number) as source,
        ):
            assert source.dtype == wanted.dtype
            np.testing.assert_array_equal(source[:, :], wanted)
            np.testing.assert_array_equal(source[31:77, 5:60], wanted[31:77, 5:60])
    assert all("z" not in row for row in rows_of(tmp_path / "a_table.csv"))


def test_other_projections_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="expected one of max, mean, focus"):
        segment_slide(BrightModel(), micrographs("ZYX"), outputs(tmp_path, labels="l"), axes="ZYX", project="min")


@pytest.mark.parametrize("link", [None, "z"])
def test_a_stopped_stack_continues_with_its_finished_planes(tmp_path, monkeypatch, way, link):
    image = micrographs("TZYX")
    tifffile.imwrite(tmp_path / "a.tif", image, imagej=True, metadata={"axes": "TZYX"})
    wanted, folder = tmp_path / "wanted", tmp_path / "out"
    segment_slide(BrightModel(), tmp_path / "a.tif", outputs(wanted), link=link)
    call, planes = type(BrightModel()._predictor).__call__, []

    def dies(self, batch):
        planes.append(batch.sum())
        if len(planes) == 4:
            raise KeyboardInterrupt
        return call(self, batch)

    monkeypatch.setattr(type(BrightModel()._predictor), "__call__", dies)
    options = {"journal": folder / ".a_label.tiff.progress", "link": link}
    with pytest.raises(KeyboardInterrupt):
        segment_slide(BrightModel(), tmp_path / "a.tif", outputs(folder), **options)
    assert not (folder / "a_label.tiff").exists()
    segment_slide(BrightModel(), tmp_path / "a.tif", outputs(folder), **options)
    assert len(planes) == 4 + 3  # three were finished
    assert contents(folder) == contents(wanted)
    record = json.loads((folder / "a_provenance.json").read_text())
    assert (len(record["planes"]), record["stack"]["link"]) == (6, link)


def test_planes_of_other_settings_or_pixels_are_not_taken(tmp_path, monkeypatch):
    folder, options = tmp_path / "out", {"axes": "ZYX", "journal": tmp_path / "out/.l.progress"}
    image = micrographs("ZYX")
    broken = monkeypatch.context()
    with broken as patch:
        patch.setattr("starpoly.prediction.stack.number_objects", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            segment_slide(BrightModel(), image, outputs(folder, labels="l"), **options)
    with pytest.raises(StarpolyError, match="unfinished run of another prob_threshold"):
        segment_slide(BrightModel(), image, outputs(folder, labels="l"), prob_threshold=0.3, **options)
    changed = np.flip(image, 0)
    segment_slide(BrightModel(), changed, outputs(folder, labels="l"), **options)
    segment_slide(BrightModel(), changed, outputs(tmp_path, labels="l"), axes="ZYX")
    assert (folder / "l").read_bytes() == (tmp_path / "l").read_bytes()


@pytest.mark.parametrize("damage", ["cut", "flip", "missing"])
@pytest.mark.parametrize("ending", [".tiff", ".objects", ".json"])
def test_damaged_planes_are_segmented_again(tmp_path, monkeypatch, damage, ending):
    folder, options = tmp_path / "out", {"axes": "ZYX", "journal": tmp_path / "out/.l.progress"}
    kinds = {"labels": "l", "table": "t.csv"}
    with monkeypatch.context() as patch:
        patch.setattr("starpoly.prediction.stack.number_objects", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            segment_slide(BrightModel(), micrographs("ZYX"), outputs(folder, **kinds), **options)
    path = folder / f".l.planes/plane_0000002{ending}"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content if damage == "flip" else content[: len(content) // 2])
    if damage == "missing":
        path.unlink()
    segment_slide(BrightModel(), micrographs("ZYX"), outputs(folder, **kinds), **options)
    segment_slide(BrightModel(), micrographs("ZYX"), outputs(tmp_path, **kinds), axes="ZYX")
    for name in kinds.values():
        assert (folder / name).read_bytes() == (tmp_path / name).read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == ["l", "t.csv"]


def test_warnings_of_planes_are_said_once(tmp_path):
    image = np.zeros((5, 40, 40), np.uint8)
    image[2] = grey()[:40, :40]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        segment_slide(BrightModel(), image, outputs(tmp_path, labels="l"), axes="ZYX")
    said = [str(one.message) for one in caught if "no objects" in str(one.message)]
    assert len(said) == 1
    assert said[0].endswith("(4 of 5 planes)")


def test_ids_beyond_16_bits_make_the_stack_32(tmp_path, monkeypatch):
    monkeypatch.setattr("starpoly.labels.linking.label_dtype", lambda n: np.uint32 if n > 100 else np.uint16)
    segment_slide(BrightModel(), micrographs("ZYX"), outputs(tmp_path), axes="ZYX")
    assert tifffile.imread(tmp_path / "a_label.tiff").dtype == np.uint32
    with open_stack(tmp_path / "a.ome.zarr") as stack:
        assert stack.open_plane((0,)).dtype == np.uint32


def test_pages_without_names_are_channels_if_channels_are_chosen(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for seed in range(5):
            file.write(grey(seed), contiguous=False, metadata=None)
    result = segment_slide(BrightModel(), tmp_path / "a.tif", outputs(tmp_path, labels="l"))
    assert (result.axes, result.lengths) == ("Z", (5,))
    result = segment_slide(BrightModel(2), tmp_path / "a.tif", outputs(tmp_path, labels="l"), channels=[3, 1])
    assert (result.axes, result.shape) == ("", (97, 118, 2))
    alone, _ = BrightModel(2).predict_instances(np.stack([grey(3), grey(1)], axis=2))
    np.testing.assert_array_equal(read_labels(tmp_path / "l"), alone)


def test_a_region_and_a_mask_of_every_plane(tmp_path):
    from starpoly.tiling import Box

    image, mask = micrographs("ZYX"), np.zeros((97, 118), np.uint8)
    mask[:60] = 1
    part = {"roi": Box(10, 20, 90, 110), "mask": mask}
    segment_slide(BrightModel(), image, outputs(tmp_path, labels="l"), axes="ZYX", **part)
    labels = tifffile.imread(tmp_path / "l")
    for z in (0, 2):
        segment_slide(BrightModel(), image[z], outputs(tmp_path, labels="alone"), **part)
        np.testing.assert_array_equal(labels[z] > 0, read_labels(tmp_path / "alone") > 0)


def test_scenes_need_a_choice_in_python(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as file:
        for side in (60, 80):
            file.write(grey()[:side], metadata={"axes": "YX"}, photometric="minisblack")
    with pytest.warns(StarpolyWarning, match="expected one scene, got 2"):
        segment_slide(BrightModel(), tmp_path / "a.ome.tif", outputs(tmp_path, labels="l"))
    assert read_labels(tmp_path / "l").shape[0] == 60
    segment_slide(BrightModel(), tmp_path / "a.ome.tif", outputs(tmp_path, labels="l", table="t.csv"), scene=1)
    assert read_labels(tmp_path / "l").shape[0] == 80
    assert {row["scene"] for row in rows_of(tmp_path / "t.csv")} == {"1"}


def test_what_a_stack_of_labels_says_where_one_is_wanted(tmp_path):
    segment_slide(BrightModel(), micrographs("ZYX"), outputs(tmp_path, labels="l.tiff"), axes="ZYX")
    for read in (read_labels, open_source):
        with pytest.raises(ImageError, match=r"got a stack with axes ZYX .* elsewhere, save planes as single files"):
            read(tmp_path / "l.tiff")
