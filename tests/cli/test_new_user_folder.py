"""Ten files of a new user's folder, one command, no flag about the files: right results, which other programs read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from numpy.typing import NDArray

from starpoly.cli.main import main
from starpoly.io import open_stack
from starpoly.model import StarPoly2D
from starpoly.network import quiet
from starpoly.network.storage.folder import FORMAT

from support import vendor_files
from support.inputs import SHAPE, grey
from support.painted import BrightModel

pytestmark = pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
NAMES = ("GFP", "DAPI")


@dataclass(frozen=True)
class Expected:
    """What a result is to hold: the planes on which nuclei are found, with axes beside Y and X, and what the file says."""

    nuclei: NDArray
    axes: str = ""
    channels: tuple[str, ...] = ("0",)
    um: float | None = None
    place: Mapping[str, object] | None = None


def planes(*shape: int) -> NDArray:
    """Planes of squares; their last axes are rows and columns."""
    n = int(np.prod(shape))
    return np.stack([grey(seed) for seed in range(n)]).reshape(*shape, *SHAPE)


def fluorescence(*shape: int) -> NDArray:
    """Planes (..., C, Y, X) of GFP and, behind it, DAPI; 16 bits."""
    return planes(*shape, 2).astype(np.uint16) * 20


def write_tiffs(folder: Path) -> dict[str, Expected]:
    channels, many = fluorescence(), fluorescence(2, 3)
    calibrated = {"unit": "um", "spacing": 2.0}
    tifffile.imwrite(
        folder / "channels.tif",
        channels,
        imagej=True,
        resolution=(2, 2),
        metadata={"axes": "CYX", "unit": "um", "Labels": list(NAMES)},
    )
    tifffile.imwrite(
        folder / "z.tif", planes(3), imagej=True, resolution=(2, 2), metadata={"axes": "ZYX", **calibrated}
    )
    tifffile.imwrite(folder / "time.tif", planes(4), imagej=True, metadata={"axes": "TYX", "finterval": 30})
    stated = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 2.0, "Channel": {"Name": list(NAMES)}}
    tifffile.imwrite(
        folder / "five.ome.tif",
        many,
        metadata={"axes": "TZCYX", **stated},
        photometric="minisblack",
        compression="zlib",
    )
    with tifffile.TiffWriter(folder / "pages.tif") as file:
        for page in planes(3):
            file.write(page, contiguous=False, metadata=None)
    blue = np.zeros((*SHAPE, 3), np.uint8)
    blue[..., 2] = grey(7)
    tifffile.imwrite(folder / "rgb.tif", blue, photometric="rgb")
    return {
        "channels": Expected(channels[1], channels=NAMES, um=0.5),
        "z": Expected(planes(3), "Z", um=0.5),
        "time": Expected(planes(4), "T"),
        "five": Expected(many[:, :, 1], "TZ", NAMES, 0.5),
        "pages": Expected(planes(3), "Z"),
        "rgb": Expected(grey(7), channels=("0", "1", "2")),
    }


def write_vendors(folder: Path) -> dict[str, Expected]:
    """Files of microscopes, as far as their packages are installed; the ND2 has two positions."""
    many = fluorescence(2, 3)
    expected: dict[str, Expected] = {}
    if _installed("nd2"):
        vendor_files.write_nd2(folder / "nikon.nd2", [many, many[::-1]], NAMES)
        for scene, stack in enumerate((many, many[::-1])):
            expected[f"nikon_s{scene}"] = Expected(stack[:, :, 1], "TZ", NAMES, 0.5, {"scene": str(scene)})
    if _installed("pylibCZIrw"):
        vendor_files.write_czi(folder / "zeiss.czi", [many], NAMES)
        expected["zeiss"] = Expected(many[:, :, 1], "TZ", NAMES, 0.5)
    if _installed("liffile"):
        vendor_files.write_lif(folder / "leica.lif", {"one": many}, NAMES)
        expected["leica"] = Expected(many[:, :, 1], "TZ", NAMES, 0.25)
    return expected


def _installed(package: str) -> bool:
    from importlib.util import find_spec

    return find_spec(package) is not None


def write_plate(folder: Path) -> dict[str, Expected]:
    """An OME-Zarr plate of two wells, whose fields are z-stacks of two channels."""
    plate = zarr.open_group(folder / "screen.zarr", mode="w")
    wells = ("A/1", "B/12")
    plate.attrs["ome"] = {"version": "0.5", "plate": {"name": "screen", "wells": [{"path": well} for well in wells]}}
    axes = [
        {"name": "c", "type": "channel"},
        *({"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"),
    ]
    expected = {}
    for number, well in enumerate(wells):
        group = plate.create_group(well)
        group.attrs["ome"] = {"version": "0.5", "well": {"images": [{"path": "0"}]}}
        image = group.create_group("0")
        pixels = np.moveaxis(fluorescence(2), 1, 0) + np.uint16(number)
        image.create_array("0", data=pixels, chunks=(1, 1, 64, 64))
        scale = [{"type": "scale", "scale": [1.0, 2.0, 0.5, 0.5]}]
        image.attrs["ome"] = {
            "version": "0.5",
            "multiscales": [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}],
            "omero": {"channels": [{"label": name} for name in NAMES]},
        }
        place = {"plate": "screen", "well": well.replace("/", ""), "field": "0"}
        expected[well] = Expected(pixels[1], "Z", NAMES, 0.5, place)
    return expected


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder after the command: what is expected of each result, and what the run told."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "in").mkdir()
    expected = write_tiffs(folder / "in") | write_vendors(folder / "in") | write_plate(folder / "in")
    (folder / "model").mkdir()
    described = {"format": FORMAT, "weights_sha256": "", **BrightModel().spec.to_dict()}
    (folder / "model" / "model.json").write_text(json.dumps(described))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StarPoly2D, "from_pretrained", staticmethod(lambda path, **options: BrightModel()))
        patch.setattr(quiet, "quiet_import", lambda: None)
        patch.chdir(folder)
        formats = ["--table-all", "all.csv", "--expand", "3px", "--format", "zarr,geojson,rois", "--provenance"]
        status = main(["predict", "in", "-o", "out", "--model", "model", *formats, "--json", "told.json"])
    told = json.loads((folder / "told.json").read_text())["images"]
    assert (status, {row["status"] for row in told}) == (0, {"done"})
    return folder, expected, told


def base_of(told: list[dict], name: str) -> str:
    """Path of the results of an image without their endings."""
    if "/" not in name:
        (row,) = (row for row in told if Path(row["labels"]).name == f"{name}_label.tiff")
    else:
        (row,) = (row for row in told if f"screen.zarr/{name}/" in row["input"])
    return row["labels"].removesuffix("_label.tiff")


def each(run):
    folder, expected, told = run
    for name, wanted in expected.items():
        yield folder / base_of(told, name), wanted


def test_nothing_is_left_out(run):
    folder, expected, told = run
    assert len(told) == len(expected)
    assert not [path for path in (folder / "out").rglob(".*")]


def test_labels_are_those_of_every_plane(run):
    for base, wanted in each(run):
        with tifffile.TiffFile(f"{base}_label.tiff") as tiff:
            assert tiff.series[0].axes == f"{wanted.axes}YX"
            labels = tiff.asarray()
        found = wanted.nuclei.reshape(-1, *SHAPE)
        first = 0
        for plane, image in zip(labels.reshape(-1, *SHAPE), found, strict=True):
            alone, _ = BrightModel().predict_instances(image)
            np.testing.assert_array_equal(plane, np.where(alone > 0, alone + first, 0))
            first += alone.max()
        cells = tifffile.imread(f"{base}_label_cells.tiff")
        assert cells.shape == labels.shape
        np.testing.assert_array_equal(cells[labels > 0], labels[labels > 0])
        assert (cells > 0).sum() > (labels > 0).sum()


def test_tables_in_pandas(run):
    pandas = pytest.importorskip("pandas")
    folder, expected, told = run
    whole = pandas.read_csv(folder / "all.csv", dtype={"field": str, "scene": str})
    leading = ["image", "plate", "well", "field", "scene", "t", "z", "label"]
    assert list(whole.columns[: len(leading)]) == leading
    assert set(whole["image"]) == {row["input"] for row in told}
    n_rows = 0
    for name, wanted in expected.items():
        base = folder / base_of(told, name)
        table, labels = pandas.read_csv(f"{base}_table.csv"), tifffile.imread(f"{base}_label.tiff")
        n_rows += len(table)
        assert [axis for axis in "tz" if axis in table] == sorted(wanted.axes.lower())
        names = wanted.channels
        assert {f"{kind}_{channel}" for channel in names for kind in ("mean", "ring_mean", "cell_mean")} <= {*table}
        assert ("area_um2" in table) == (wanted.um is not None)
        if wanted.um is not None:
            np.testing.assert_allclose(table["area_um2"], table["area"] * wanted.um**2, rtol=1e-3)
        stack, nuclei = labels.reshape(-1, *SHAPE), wanted.nuclei.reshape(-1, *SHAPE)
        at = table.get("t", 0) * (wanted.nuclei.shape[-3] if wanted.axes == "TZ" else 1) + table.get("z", 0)
        of_plane = at if len(wanted.axes) else np.zeros(len(table), int)
        of_nuclei = f"mean_{'DAPI' if 'DAPI' in names else names[-1]}"
        for row, plane in zip(table.to_dict("records"), of_plane, strict=True):
            mask = stack[int(plane)] == row["label"]
            assert mask.sum() == row["area"]
            assert row[of_nuclei] == pytest.approx(nuclei[int(plane)][mask].mean(), abs=1e-3)
        image = next(row["input"] for row in told if row["labels"] == f"{base_of(told, name)}_label.tiff")
        for column, value in (wanted.place or {}).items():
            assert value in set(whole[whole["image"] == image][column])
    assert len(whole) == n_rows


def test_parquet_is_the_same(run, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    folder, _, told = run
    from starpoly.io.writers.run_table import ImageTable, write_run_table
    from starpoly.labels.measures.registry import find_column

    tables = [ImageTable(folder / row["table"]) for row in told]
    assert write_run_table(folder / "all.parquet", tables, find_column) == []
    table = parquet.read_table(folder / "all.parquet")
    for column in ("t", "z", "scene", "label"):
        assert str(table.schema.field(column).type) == "int64"


def test_outlines_in_geojson_and_roifile(run):
    roifile = pytest.importorskip("roifile")
    for base, wanted in each(run):
        features = json.loads(Path(f"{base}.geojson").read_text())["features"]
        rois = roifile.roiread(f"{base}_rois.zip")
        n = tifffile.imread(f"{base}_label.tiff").max()
        assert len(features) == len(rois) == n
        assert {feature["properties"]["objectType"] for feature in features} == {"cell"}
        assert ("plane" in features[0]["geometry"]) == bool(wanted.axes)
        for feature, roi in zip(features, rois, strict=True):
            assert feature["geometry"].get("plane") == feature["nucleusGeometry"].get("plane")
            where = feature["geometry"].get("plane", {})
            if wanted.axes == "TZ":
                assert (roi.t_position - 1, roi.z_position - 1) == (where["t"], where["z"])


def test_zarr_in_ome_zarr_models(run):
    models = pytest.importorskip("ome_zarr_models.v05.image_label")
    for base, wanted in each(run):
        path = f"{base}.ome.zarr"
        group = models.ImageLabel.from_zarr(zarr.open_group(path, mode="r"))
        assert [axis.name for axis in group.ome_attributes.multiscales[0].axes] == [*wanted.axes.lower(), "y", "x"]
        for inner, tiff in (("", "_label.tiff"), ("labels/cells", "_label_cells.tiff")):
            stored = np.asarray(zarr.open_group(f"{path}/{inner}", mode="r")["0"])
            np.testing.assert_array_equal(stored, tifffile.imread(f"{base}{tiff}"))
        scale = group.ome_attributes.multiscales[0].datasets[0].coordinateTransformations[0].scale
        assert scale[-2:] == pytest.approx([wanted.um or 1.0] * 2)


def test_provenance_tells_planes_cells_and_measurements(run):
    for base, wanted in each(run):
        record = json.loads(Path(f"{base}_provenance.json").read_text())
        assert record["settings"]["expand"] == "3px"
        assert record["settings"]["measure"] == ["shape", "intensity"]
        assert len(record.get("planes", [0])) == len(wanted.nuclei.reshape(-1, *SHAPE))


def test_info_tells_the_same_files(run, capsys):
    folder, _, _ = run
    assert main(["info", str(folder / "in"), "--json"]) == 0
    found = {Path(row["file"]).name: row for row in json.loads(capsys.readouterr().out)}
    assert found["five.ome.tif"]["axes"] == "TZCYX"
    assert (found["pages.tif"]["axes"], found["pages.tif"]["unnamed"]) == ("ZYX", True)
    assert found["channels.tif"]["channels"] == list(NAMES)
    for name, axes in (("nikon.nd2", "TZCYX"), ("zeiss.czi", "TZCYX"), ("leica.lif", "ZTCYX")):
        if name in found:
            assert sorted(found[name]["axes"]) == sorted(axes)
            assert found[name]["channels"] == list(NAMES)


def test_in_napari(run):
    pytest.importorskip("napari")
    pytest.importorskip("starpoly.napari_plugin")
    from napari.layers import Labels

    for base, _ in each(run):
        layer = Labels(tifffile.imread(f"{base}_label.tiff"))
        assert layer.data.max() > 0


def test_stacks_open_again_from_what_was_written(run):
    for base, wanted in each(run):
        for ending in ("_label.tiff", "_label_cells.tiff", ".ome.zarr"):
            with open_stack(f"{base}{ending}") as stack:
                assert stack.axes == wanted.axes
                assert stack.lengths == wanted.nuclei.shape[:-2]
                if wanted.um is not None:
                    assert stack.pixel_size == pytest.approx((wanted.um, wanted.um))
