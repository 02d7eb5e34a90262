"""``starpoly predict`` on stacks: files of a new user's folder, one command, no flag."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from starpoly.cli.main import main
from starpoly.io import open_stack, read_labels
from starpoly.io.files.atomic import beside
from starpoly.model import StarPoly2D
from starpoly.network import quiet
from starpoly.network.storage.folder import FORMAT

from support.inputs import SHAPE, grey
from support.painted import BrightModel


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    """A folder of the test's own, with models that find what is bright in as many channels as their name says."""
    monkeypatch.setattr(
        StarPoly2D, "from_pretrained", staticmethod(lambda folder, **options: BrightModel(int(Path(folder).name)))
    )
    monkeypatch.setattr(quiet, "quiet_import", lambda: None)
    for n_channels in (1, 2):
        (tmp_path / str(n_channels)).mkdir()
        described = {"format": FORMAT, "weights_sha256": "", **BrightModel(n_channels).spec.to_dict()}
        (tmp_path / str(n_channels) / "model.json").write_text(json.dumps(described))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def planes(*shape: int) -> np.ndarray:
    n = int(np.prod(shape))
    return np.stack([grey(seed) for seed in range(n)]).reshape(*shape, *SHAPE)


def predict(*arguments: str, model: str = "1") -> tuple[int, list[dict]]:
    status = main(["predict", *arguments, "-o", "out", "--model", model, "--json", "s.json"])
    return status, json.loads(Path("s.json").read_text())["images"]


def rows_of(path: str) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def write_all(folder: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Files of a new user, with axes and shape of the labels of each."""
    folder.mkdir()
    tifffile.imwrite(folder / "time.tif", planes(4), imagej=True, metadata={"axes": "TYX"})
    tifffile.imwrite(folder / "z.tif", planes(3), imagej=True, metadata={"axes": "ZYX"})
    tifffile.imwrite(folder / "five.ome.tif", planes(2, 3, 1), metadata={"axes": "TZCYX"}, photometric="minisblack")
    tifffile.imwrite(folder / "plain.tif", planes(3), photometric="minisblack")
    with tifffile.TiffWriter(folder / "pages.tif") as file:
        for page in planes(2):
            file.write(page, contiguous=False, metadata=None, compression="zlib")
    np.save(folder / "array.npy", planes(6))
    tifffile.imwrite(folder / "one.tif", grey())
    return {
        "time": ("TYX", (4, *SHAPE)),
        "z": ("ZYX", (3, *SHAPE)),
        "five": ("TZYX", (2, 3, *SHAPE)),
        "plain": ("ZYX", (3, *SHAPE)),
        "pages": ("ZYX", (2, *SHAPE)),
        "array": ("ZYX", (6, *SHAPE)),
        "one": ("YX", SHAPE),
    }


def test_a_folder_of_stacks_without_a_flag(folder, capsys):
    pytest.importorskip("roifile")
    wanted = write_all(folder / "in")
    status, images = predict("in", "--table", "--overlay", "--provenance", "--report", "--format", "zarr,geojson,rois")
    assert status == 0
    assert {row["status"] for row in images} == {"done"}
    for name, (axes, shape) in wanted.items():
        with tifffile.TiffFile(f"out/{name}_label.tiff") as tiff:
            assert (tiff.series[0].axes, tiff.series[0].shape) == (axes, shape), name
            labels = tiff.asarray()
        rows = rows_of(f"out/{name}_table.csv")
        assert sorted(int(row["label"]) for row in rows) == list(range(1, labels.max() + 1))
        assert {"t", "z"} & rows[0].keys() == {axis.lower() for axis in axes[:-2]}
        with open_stack(f"out/{name}.ome.zarr") as stack:
            assert stack.axes == axes[:-2]
    (row,) = (row for row in images if row["input"].endswith("five.ome.tif"))
    assert row["planes"] == {"t": 2, "z": 3}
    page = (folder / "out/report.html").read_text()
    assert "got a stack" not in page
    assert not [path for path in Path("out").iterdir() if path.name[0] == "."]


def test_what_exists_is_skipped_and_what_would_be_written_is_said(folder, capsys):
    write_all(folder / "in")
    predict("in")
    before = {path: path.stat().st_mtime_ns for path in Path("out").iterdir()}
    _, images = predict("in", "--skip-existing")
    assert {row["status"] for row in images} == {"exists"}
    assert {path: path.stat().st_mtime_ns for path in Path("out").iterdir()} == before


def scenes(path: str, names: tuple[str, ...] = ("left", "right", "label image")) -> None:
    with tifffile.TiffWriter(path, ome=True) as file:
        for number, name in enumerate(names):
            file.write(
                grey(number)[: 60 + 10 * number], metadata={"axes": "YX", "Name": name}, photometric="minisblack"
            )


def test_every_scene_has_results_of_its_own(folder, capsys):
    scenes("a.ome.tif")
    status, images = predict("a.ome.tif", "--table")
    assert status == 0
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "a_s0_label.tiff", "a_s0_table.csv", "a_s1_label.tiff", "a_s1_table.csv",
    ]  # fmt: skip
    for scene in (0, 1):
        assert read_labels(f"out/a_s{scene}_label.tiff").shape[0] == 60 + 10 * scene
        assert {row["scene"] for row in rows_of(f"out/a_s{scene}_table.csv")} == {str(scene)}
    assert [row["scene"] for row in images] == [0, 1]
    main(["predict", "a.ome.tif", "-o", "out", "--model", "1", "--dry-run", "--scene", "1"])
    assert capsys.readouterr().out.strip() == "a.ome.tif -> out/a_s1_label.tiff"


def test_a_name_that_a_scene_takes_from_another_file(folder, capsys):
    scenes("a.ome.tif")
    tifffile.imwrite("a_s1.tif", grey())
    status, _ = predict("a.ome.tif", "a_s1.tif")
    assert status == 0
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "a_s0_label.tiff", "a_s1_2_label.tiff", "a_s1_label.tiff",
    ]  # fmt: skip
    assert read_labels("out/a_s1_label.tiff").shape == SHAPE


def test_planes_projections_and_links(folder, capsys):
    tifffile.imwrite("a.tif", planes(2, 3), imagej=True, metadata={"axes": "TZYX"})
    assert predict("a.tif", "--t", "1", "--z", "0,2")[0] == 0
    assert tifffile.imread("out/a_label.tiff").shape == (2, *SHAPE)
    assert predict("a.tif", "--project", "max", "--table")[0] == 0
    assert tifffile.imread("out/a_label.tiff").shape == (2, *SHAPE)
    assert "z" not in rows_of("out/a_table.csv")[0]
    _, (plain,) = predict("a.tif")
    _, (linked,) = predict("a.tif", "--link", "z", "--link-iou", "0.1")
    assert linked["objects"] < plain["objects"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--z", "9"], "expected planes z from 0 to 2, got 9"),
        (["--t", "1"], "expected an axis t to choose planes t from, got Z 3; choose planes with --z"),
        (["--t", "5:"], "got Z 3; choose planes with --z"),
        (["--link", "t"], "got planes along z; use link z"),
        (["--scene", "1"], "expected scenes from 0 to 0, got 1"),
    ],
)
def test_what_a_stack_has_not_is_said(folder, capsys, arguments, message):
    tifffile.imwrite("a.tif", planes(3), imagej=True, metadata={"axes": "ZYX"})
    assert main(["predict", "a.tif", "-o", "out", "--model", "1", *arguments]) == 1
    assert message in capsys.readouterr().err


def test_a_plane_of_one_image_is_said(folder, capsys):
    tifffile.imwrite("a.tif", planes(1)[0])
    assert main(["predict", "a.tif", "-o", "out", "--model", "1", "--z", "2"]) == 1
    assert "got one plane, axes YX; leave --z out" in capsys.readouterr().err
    assert main(["predict", "a.tif", "-o", "out", "--model", "1", "--z", "0"]) == 0


def test_a_selection_that_is_none(folder, capsys):
    with pytest.raises(SystemExit):
        predict("a.tif", "--z", "1;2")
    assert "expected planes as 3, 2:10 or 0,4,7" in capsys.readouterr().err


def test_pages_are_channels_if_channels_are_chosen(folder, capsys):
    tifffile.imwrite("a.tif", planes(5), photometric="minisblack")
    _, (row,) = predict("a.tif", "--channels", "0,3", model="2")
    assert (row["status"], row["shape"]) == ("done", [*SHAPE, 2])


@pytest.mark.parametrize("n_pages", [2, 4, 6])
@pytest.mark.parametrize("flags", [(), ("--tolerant",)])
@pytest.mark.parametrize("suffix", [".tif", ".npy"])
def test_pages_in_colour_are_planes_of_which_channels_are_chosen(folder, n_pages, flags, suffix):
    pages = np.moveaxis(planes(n_pages, 3), 1, -1)
    if suffix == ".tif":
        with tifffile.TiffWriter("a.tif") as file:
            for page in pages:
                file.write(page, photometric="rgb", contiguous=False, metadata=None)
    else:
        np.save("a.npy", pages)
    _, (row,) = predict(f"a{suffix}", "--channels", "blue", *flags)
    assert (row["status"], row.get("planes")) == ("done", {"z": n_pages})
    labels = tifffile.imread("out/a_label.tiff")
    alone, _ = BrightModel().predict_instances(pages[1, ..., 2])
    np.testing.assert_array_equal(labels[1] > 0, alone > 0)


def test_a_stack_that_is_stopped_says_how_to_go_on(folder, capsys, monkeypatch):
    tifffile.imwrite("a.tif", planes(3), imagej=True, metadata={"axes": "TYX"})
    call, calls = type(BrightModel()._predictor).__call__, []

    def stops(self, batch):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return call(self, batch)

    monkeypatch.setattr(type(BrightModel()._predictor), "__call__", stops)
    assert predict("a.tif")[0] == 130
    assert "repeat the command to continue" in capsys.readouterr().err
    assert [path.name for path in Path("out").iterdir()] == [beside(Path("a_label.tiff"), "planes").name]
    assert predict("a.tif", "--skip-existing")[0] == 0
    assert len(calls) == 2 + 2
    assert [path.name for path in Path("out").iterdir()] == ["a_label.tiff"]


def test_a_damaged_stack_costs_nothing_else(folder, capsys):
    tifffile.imwrite("a.tif", planes(3), imagej=True, metadata={"axes": "TYX"})
    content = Path("a.tif").read_bytes()
    Path("cut.tif").write_bytes(content[: len(content) // 2])
    status, images = predict("cut.tif", "a.tif")
    assert status == 1
    assert sorted(row["status"] for row in images) == ["done", "error"]
