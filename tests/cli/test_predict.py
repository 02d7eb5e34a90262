"""``starpoly predict`` with a facade that paints: no network, no TensorFlow."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import shutil
import sys
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy import ndimage

from starpoly import model_zoo as registry
from starpoly.cli.main import main
from starpoly.config import ModelSpec, NetworkConfig, SizeRange
from starpoly.detection import look
from starpoly.detection.detector import Detector
from starpoly.detection.options import DetectionOptions
from starpoly.detection.pipeline import Detection
from starpoly.errors import ModelError, warn
from starpoly.images.normalization import fit_normalizer
from starpoly.io.readers import registry as readers
from starpoly.io.readers.images import read_image
from starpoly.io.readers.labels import read_labels
from starpoly.network import quiet
from starpoly.polygons import StarPolygons
from starpoly.prediction.summary import channel_lines, chosen_lines

from support.painted import N_RAYS, Known


class PaintedModel(Detector):
    """Detects the bright rectangles of an image, as a trained model would its nuclei."""

    loaded: list[tuple] = []  # noqa: RUF012
    calls: list[DetectionOptions] = []  # noqa: RUF012

    def __init__(self):
        network = NetworkConfig(n_classes=1, n_rays=N_RAYS)
        sizes = SizeRange(1.0, 8.0, 50.0)
        super().__init__(ModelSpec("painted", network, max_distance=50, class_names=("blob",), sizes=sizes), Known())

    def fingerprint(self):
        return "painted"

    @classmethod
    def from_pretrained(cls, folder, **options):
        cls.loaded.append((folder, options))
        return cls()

    def detect(
        self,
        image,
        options=None,
        *,
        normalizer=True,
        region=None,
        journal=None,
        receiver=None,
        foreground=None,
        look=None,
        progress=False,
        **settings,
    ):
        self.calls.append(DetectionOptions.of(options, settings))
        image = image if look is None else look.best.view.image
        bright = fit_normalizer(image)(image)[..., 0] > 0.5
        parts, n = ndimage.label(bright)
        if n == 0:
            warn("no objects found")
        if n == 7:
            raise RuntimeError("a bug\nof two lines")
        corners = np.array([[(part.start, part.stop) for part in place] for place in ndimage.find_objects(parts)])
        corners = corners.reshape(n, 2, 2)
        centers, half = corners.mean(axis=2) - 0.5, np.diff(corners, axis=2)[..., 0] / 2
        diagonal = np.hypot(*half.T)
        rays = [half[:, 1], diagonal, half[:, 0], diagonal] * 2
        classes = np.tile([0.1, 0.9], (n, 1))
        polygons = StarPolygons(centers, np.reshape(rays, (N_RAYS, n)).T, np.linspace(0.9, 0.6, n), classes)
        return Detection(polygons, n, 1, {"network": 0.25}, look={} if look is None else look.describe())


@pytest.fixture(autouse=True)
def painted(monkeypatch, tmp_path):
    """Run in a folder of its own, with the painted model in place of StarPoly2D."""
    module = types.ModuleType("starpoly.model")
    module.StarPoly2D = PaintedModel
    monkeypatch.setitem(sys.modules, "starpoly.model", module)
    monkeypatch.setattr(quiet, "quiet_import", lambda: None)
    monkeypatch.setattr(registry, "find_model", lambda name: Path("models") / name)
    monkeypatch.setattr(registry, "default_models", lambda: ("cells-generalist",))
    monkeypatch.setattr(PaintedModel, "loaded", [])
    monkeypatch.setattr(PaintedModel, "calls", [])
    monkeypatch.chdir(tmp_path)


def paint(path, n=2, shape=(40, 60)):
    """Write an image with n bright squares; returns its path."""
    image = np.random.default_rng(n).integers(10, 20, shape).astype(np.uint8)
    for k in range(n):
        image[5 + 20 * (k // 5) :, 3 + 11 * (k % 5) :][:8, :8] = 200
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return path


def written(folder="out"):
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())


def test_a_folder_becomes_labels(capsys):
    paint("in/one.png", 1)
    paint("in/two ä.TIF", 2)
    for name in (".DS_Store", "notes.txt", ".hidden.png"):
        Path("in", name).write_text("no image")
    paint("in/sub/three.png")
    paint("in/old_label.tif")
    assert main(["predict", "in", "-o", "out"]) == 0
    assert written() == ["one_label.tiff", "two ä_label.tiff"]
    labels = read_labels("out/two ä_label.tiff")
    assert labels.dtype == np.uint16
    assert np.unique(labels).tolist() == [0, 1, 2]
    assert "2 images segmented, 3 objects" in capsys.readouterr().err


@pytest.mark.parametrize("given", [["in/one.png"], ["in"], ["in/*.png"], ["in/one.png", "in/two.png"]])
def test_without_a_folder_results_go_beside_the_images(capsys, given):
    paint("in/one.png", 1)
    paint("in/two.png", 2)
    assert main(["predict", *given]) == 0
    names = ["one", "two"] if given != ["in/one.png"] else ["one"]
    assert sorted(path.name for path in Path("in").glob("*_label.tiff")) == [f"{name}_label.tiff" for name in names]
    assert "results go beside the images, to in; -o FOLDER for another place" in capsys.readouterr().err
    assert main(["predict", *given, "--skip-existing", "--json", "s.json"]) == 0
    assert {row["status"] for row in json.loads(Path("s.json").read_text())["images"]} == {"exists"}


def test_sub_folders_have_their_results_beside_their_images():
    paint("in/a.png", 1)
    paint("in/sub/b.png", 1)
    assert main(["predict", "in", "--recursive"]) == 0
    assert Path("in/sub/b_label.tiff").exists()
    assert Path("in/a_label.tiff").exists()


def test_a_folder_that_is_named_like_an_image_is_told(capsys):
    paint("a.png")
    assert main(["predict", "a.png", "-o", "a_cells.tiff"]) == 0
    assert "-o a_cells.tiff: becomes a folder, in which results are named" in capsys.readouterr().err
    assert written("a_cells.tiff") == ["a_label.tiff"]


def test_images_of_several_folders_need_a_folder_for_results(capsys):
    paint("in/a.png", 1)
    paint("other/b.png", 1)
    assert main(["predict", "in/a.png", "other/b.png"]) == 2
    assert "name a folder for results, as in -o results" in capsys.readouterr().err


def test_what_to_look_at_is_named(capsys):
    for n in range(5):
        paint(f"in/empty{n}.png")
        Image.fromarray(np.zeros((20, 20), np.uint8)).save(f"in/empty{n}.png")
    paint("in/good.png", 2)
    assert main(["predict", "in", "-o", "out"]) == 0
    *_, flagged, _, last = capsys.readouterr().err.splitlines()
    names = ", ".join(str(Path("in", f"empty{n}.png")) for n in range(3))
    assert flagged == f"out: 5 to look at (a warning, or no objects): {names} and 2 more"
    assert last == "out: 6 images segmented, 2 objects"


def test_overlay_and_table(capsys):
    paint("in/a.png", 2)
    assert main(["predict", "in", "-o", "out", "--overlay", "--table"]) == 0
    assert written() == ["a_label.tiff", "a_overlay.png", "a_table.csv"]
    assert read_image("out/a_overlay.png").shape == (40, 60, 3)
    with open("out/a_table.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["1", "2"]
    basic = {"label": "1", "y": "8.5", "x": "6.5", "area": "64", "diameter": "9.02703", "score": "0.9", "class": "blob"}
    assert dict(list(rows[0].items())[:7]) == basic
    measured = {
        "bbox_y0": "5",
        "bbox_x1": "11",
        "touches_border": "0",
        "perimeter": "28",
        "solidity": "1",
        "mean_0": "200",
    }
    assert {name: rows[0][name] for name in measured} == measured
    assert 10 <= float(rows[0]["background_0"]) <= 20
    assert main(["predict", "in", "-o", "none", "--table", "--measure", "none"]) == 0
    with open("none/a_table.csv", newline="") as file:
        assert next(csv.DictReader(file)) == basic
    assert main(["predict", "in", "-o", "some", "--table", "--measure", "neighbours"]) == 0
    with open("some/a_table.csv", newline="") as file:
        assert next(csv.DictReader(file)) == basic | {"n_neighbours": "1"}
    with pytest.raises(SystemExit):
        main(["predict", "in", "-o", "out", "--measure", "texture"])
    assert "expected some of shape, intensity, neighbours" in capsys.readouterr().err


def test_recursive_mirrors_the_folders():
    paint("in/a.png")
    paint("in/s/a.png")
    paint("in/s/t/b.c.png")
    paint("in/.cache/a.png")
    assert main(["predict", "in", "-o", "in/results", "--recursive"]) == 0
    assert written("in/results") == ["a_label.tiff", "s/a_label.tiff", "s/t/b.c_label.tiff"]
    # a second run does not take the results for images
    assert main(["predict", "in", "-o", "in/results", "--recursive", "--overlay"]) == 0
    assert len(written("in/results")) == 6


def test_colliding_names_are_told_apart(capsys):
    for name in ("a.b.c.png", "a.b.d.png", "a.b.d.tif", "A.png"):
        paint(f"in/{name}")
    assert main(["predict", "in", "-o", "out"]) == 0
    assert written() == ["A_label.tiff", "a.b.c_label.tiff", "a.b.d.png_label.tiff", "a.b.d.tif_label.tiff"]
    warned = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert len(warned) == 2
    assert warned[0].startswith(f"starpoly: warning: {Path('in/a.b.d.png')}: the usual name of its labels is taken")


def test_labels_never_replace_an_image():
    paint("a.png", 1)
    image = paint("a_label.tif", 2).rename("a_label.tiff")
    before = image.read_bytes()
    main(["predict", "a_label.tiff", "-o", "."])
    assert written(".") == ["a.png", "a_label.tiff", "a_label_label.tiff"]
    assert image.read_bytes() == before


def test_shell_expanded_results_are_passed_over(capsys):
    names = [str(paint(name)) for name in ("in/a.png", "in/a_label.tiff", "in/a_overlay.png")]
    assert main(["predict", *names, "-o", "out"]) == 0
    assert written() == ["a_label.tiff"]
    assert "a_label.tiff: looks like a result" in capsys.readouterr().err


def test_patterns_and_repeated_inputs():
    for name in ("in/a1.png", "in/a2.png", "in/b.png", "in/s/a3.png"):
        paint(name)
    assert main(["predict", "in/a*.png", "in/a1.png", "in/**/a3.*", "-o", "out"]) == 0
    assert written() == ["a1_label.tiff", "a2_label.tiff", "a3_label.tiff"]


def test_one_bad_file_costs_that_file_alone(capsys):
    paint("in/good.png", 2)
    paint("in/late.png", 1)
    Path("in/empty.png").write_bytes(b"")
    Path("in/cut.png").write_bytes(Path("in/good.png").read_bytes()[:300])
    paint("in/bug.png", 7)
    Image.fromarray(np.zeros((20, 20), np.uint8)).save("in/black.png")
    assert main(["predict", "in", "missing.png", "-o", "out", "--json", "summary.json"]) == 1
    assert written() == ["black_label.tiff", "good_label.tiff", "late_label.tiff"]
    assert not read_labels("out/black_label.tiff").any()
    rows = {Path(row["input"]).name: row for row in json.loads(Path("summary.json").read_text())["images"]}
    assert {name: row["status"] for name, row in rows.items()} == {
        "black.png": "done",
        "bug.png": "error",
        "cut.png": "error",
        "empty.png": "error",
        "good.png": "done",
        "late.png": "done",
        "missing.png": "error",
    }
    assert rows["good.png"]["objects"] == 2
    assert rows["good.png"]["shape"] == [40, 60, 1]
    assert "constant" in rows["black.png"]["warnings"][0]
    assert "0 bytes" in rows["empty.png"]["error"]
    assert "unexpected RuntimeError: a bug of two lines; run with -v" in rows["bug.png"]["error"]
    lines = capsys.readouterr().err.splitlines()
    assert sum(line.startswith("starpoly: error: ") for line in lines) == 4
    assert sum(line.startswith(f"starpoly: warning: {Path('in/black.png')}: ") for line in lines) == 2
    assert not any("Traceback" in line for line in lines)
    assert lines[-1] == "out: 3 images segmented, 3 objects, 4 failed"


def test_verbose_shows_the_traceback(capsys):
    paint("bug.png", 7)
    assert main(["predict", "bug.png", "-o", "out", "-v"]) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_quiet_shows_errors_only(capsys):
    Path("in").mkdir()
    Image.fromarray(np.zeros((20, 20), np.uint8)).save("in/black.png")
    assert main(["--quiet", "predict", "in", "-o", "out"]) == 0
    assert capsys.readouterr() == ("", "")
    Path("in/empty.png").write_bytes(b"")
    assert main(["predict", "in", "-o", "out", "--quiet"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_of_several_channels_the_one_that_shows_objects_is_segmented():
    import tifffile

    image = np.full((5, 60, 60), 30, np.uint8)
    image[3, 10:20, 10:20] = image[3, 30:35, 30:40] = 200
    image[1, 5, 5:7] = 99
    tifffile.imwrite("five.tif", image, imagej=True, metadata={"axes": "CYX"})
    assert main(["predict", "five.tif", "-o", "out", "--json", "s.json"]) == 0
    assert read_labels("out/five_label.tiff").max() == 2
    assert json.loads(Path("s.json").read_text())["images"][0]["look"]["channels"] == [3]


def test_an_image_with_more_channels_than_are_tried_is_refused():
    import tifffile

    image = np.random.default_rng(0).integers(0, 255, (17, 30, 30), dtype=np.uint8)
    tifffile.imwrite("many.tif", image, imagej=True, metadata={"axes": "CYX"})
    assert main(["predict", "many.tif", "-o", "out", "--json", "s.json"]) == 1
    error = json.loads(Path("s.json").read_text())["images"][0]["error"]
    assert "expected 1 channel, as the model has, got 17 (channels 0 to 16): choose with --channels 0" in error


def test_channels_by_name_and_by_index():
    import tifffile

    image = np.zeros((2, 40, 50), np.uint8)
    image[1, 10:20, 10:20] = image[1, 30:35, 30:40] = 200
    image[0, 5:9, 5:9] = 200
    tifffile.imwrite("two.tif", image, imagej=True, metadata={"axes": "CYX", "Labels": ["GFP", "DAPI nuclei"]})
    for wanted, n_objects in (("dapi", 2), ("GFP", 1), ("1", 2)):
        assert main(["predict", "two.tif", "-o", "out", "--channels", wanted]) == 0
        assert read_labels("out/two_label.tiff").max() == n_objects
    assert main(["predict", "two.tif", "-o", "out", "--json", "s.json", "--channels", "TRITC"]) == 1
    assert "it has 0 GFP, 1 DAPI nuclei" in json.loads(Path("s.json").read_text())["images"][0]["error"]


def test_unnamed_planes_are_channels_where_some_are_chosen(capsys):
    image = np.zeros((12, 40, 50), np.uint8)
    image[3, 10:20, 10:20] = 200
    np.save("many.npy", image)
    np.save("last.npy", np.moveaxis(image, 0, 2))
    assert main(["predict", "many.npy", "last.npy", "-o", "out", "--channels", "3"]) == 0
    assert [read_labels(f"out/{name}_label.tiff").max() for name in ("many", "last")] == [1, 1]
    assert "taken for channels" not in capsys.readouterr().err


def test_colour_names_the_flag(capsys):
    image = np.random.default_rng(0).integers(0, 60, (40, 50, 3), dtype=np.uint8)
    image[10:20, 10:20, 2] = 250
    Path("in").mkdir()
    Image.fromarray(image).save("in/rgb.png")
    main(["predict", "in/rgb.png", "-o", "out"])
    said = capsys.readouterr().err
    assert "0 red, 1 green, 2 blue" in said
    assert "--channels 2" in said
    assert "a model for RGB" not in said


def test_fields_of_a_plate_have_their_place_in_the_summary(capsys):
    from support.plates import write_imagexpress

    write_imagexpress(Path("plate"), sites=1)
    assert main(["predict", "plate", "-o", "out", "--channels", "DAPI", "--dry-run", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["images"]
    assert [(row["plate"], row["well"], row["field"]) for row in rows] == [
        ("Plate7", "A01", "1"),
        ("Plate7", "B02", "1"),
    ]


def test_skip_existing(capsys):
    paint("in/a.png")
    paint("in/b.png")
    assert main(["predict", "in/a.png", "-o", "out"]) == 0
    kept = np.ones((40, 60), np.uint8)
    tifffile.imwrite("out/a_label.tiff", kept)
    assert main(["predict", "in", "-o", "out", "--skip-existing"]) == 0
    np.testing.assert_array_equal(tifffile.imread("out/a_label.tiff"), kept)
    assert "1 image segmented, 2 objects, 1 skipped" in capsys.readouterr().err
    # what is asked for in addition is missing, so the image is done again
    assert main(["predict", "in/a.png", "-o", "out", "--skip-existing", "--table"]) == 0
    assert (tifffile.imread("out/a_label.tiff") != kept).any()
    PaintedModel.loaded.clear()
    assert main(["predict", "in", "-o", "out", "--skip-existing"]) == 0
    assert not PaintedModel.loaded


def test_a_namesake_from_another_folder_is_not_taken_for_done_and_keeps_its_result(capsys):
    for folder, n in (("day1", 2), ("day2", 1)):
        paint(Path(folder, "a.b.png"), n)
        assert main(["predict", f"{folder}/a.b.png", "-o", "out", "--skip-existing"]) == 0
    assert [read_labels(f"out/{name}_label.tiff").max() for name in ("a.b", "a.b.png")] == [2, 1]
    assert (
        "the usual name of its labels is taken by labels of other content, a.b_label.tiff, which stay"
        in capsys.readouterr().err
    )
    assert main(["predict", "day2/a.b.png", "-o", "out", "--skip-existing"]) == 0
    assert "1 skipped" in capsys.readouterr().err
    assert written() == ["a.b.png_label.tiff", "a.b_label.tiff"]


def test_a_result_of_another_image_is_not_replaced_without_a_word(capsys):
    for n in (2, 1):
        paint("in/a.png", n)
        assert main(["predict", "in", "-o", "out"]) == 0
    assert read_labels("out/a_label.tiff").max() == 1
    assert "held the labels of another image of this name" in capsys.readouterr().err
    Path("in/a.png").write_bytes(b"no image")
    assert main(["predict", "in", "-o", "out"]) == 1
    assert "held the labels" not in capsys.readouterr().err
    assert read_labels("out/a_label.tiff").max() == 1


def test_names_of_the_challenge_replace_no_result_of_another_image():
    for n in (1, 2, 1):
        assert main(["predict", str(paint(f"in/ex.{n}.png", n)), "-o", "out", "--names", "challenge"]) == 0
    assert [read_labels(f"out/{name}_label.tiff").max() for name in ("ex", "ex.2")] == [1, 2]
    assert written() == ["ex.2_label.tiff", "ex_label.tiff"]


@pytest.mark.parametrize("kind", ["folder", "link", "text"])
def test_what_is_no_result_is_not_taken_for_one(capsys, kind):
    paint("in/a.png", 1)
    place = Path("out/a_label.tiff")
    place.parent.mkdir()
    if kind == "folder":
        place.mkdir()
    elif kind == "link":
        place.symlink_to(Path("in/a.png").absolute())
    else:
        place.write_text("garbage, no TIFF")
    status = main(["predict", "in", "-o", "out", "--skip-existing"])
    assert status == (0 if kind == "text" else 1)
    assert "skipped" not in capsys.readouterr().err


def test_dry_run_writes_nothing(capsys):
    paint("in/a.png")
    more = ["--json", "s.json", "--table-all", "all.csv", "--report"]
    before = sorted(Path().rglob("*"))
    assert main(["predict", "in", "-o", "out", "--overlay", "--dry-run", *more]) == 0
    assert sorted(Path().rglob("*")) == before
    first, *rest = capsys.readouterr().out.splitlines()
    files = (Path("out") / f"a_{name}" for name in ("label.tiff", "overlay.png", "table.csv"))
    assert first.startswith(f"{Path('in/a.png')} -> ")
    assert set(first.partition(" -> ")[2].split(", ")) == set(map(str, files))
    assert rest == ["the objects of all images -> all.csv", "a summary of the run -> s.json"]
    assert not PaintedModel.loaded


def test_summary_on_stdout_is_all_of_stdout(capsys):
    paint("in/a.png")
    for more in ([], ["--dry-run"]):
        assert main(["predict", "in", "-o", "out", *more, "--json"]) == 0
        summary = json.loads(capsys.readouterr().out)
        assert summary["images"][0]["labels"] == str(Path("out/a_label.tiff"))


def test_thresholds_and_limits_are_handed_on(capsys):
    paint("a.png")
    options = [
        "--prob-threshold",
        "0.3",
        "--nms-threshold",
        "0.2",
        "--tile-size",
        "512",
        "--timings",
        "--model",
        "mine",
        "--no-refine",
        "--tta",
        "flips",
        "--diameter",
        "30",
        "--min-score",
        "0.5",
        "--spread",
        "7",
    ]
    assert main(["predict", "a.png", "-o", "out", *options]) == 0
    assert PaintedModel.calls == [
        DetectionOptions(
            prob_threshold=0.3,
            nms_threshold=0.2,
            diameter=30.0,
            min_confidence=0.5,
            expand_into_foreground=7,
            tile_size=512,
            tta="flips",
        )
    ]
    assert PaintedModel.loaded == [
        (Path("models/mine"), {"precision": "auto", "refine_outlines": False, "engine": "tensorflow"})
    ]
    assert "0.250 s  network" in capsys.readouterr().err


def test_memory_makes_windows_smaller_and_refuses_what_is_too_large(capsys):
    paint("a.png")
    assert main(["predict", "a.png", "-o", "out", "--memory", "64M"]) == 0
    assert 128 <= PaintedModel.calls[0].tile_size < 1024
    assert "warning: --memory 64 MB: the process itself takes about 954 MB" in capsys.readouterr().err
    assert main(["predict", "a.png", "-o", "out", "--memory", "2K"]) == 1
    assert "a.png: expected an image that can be held in 2 KB" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.png"], "missing.png: expected a file, folder or pattern, got nothing there"),
        (["empty"], "empty: expected images"),
        (["outer"], "use --recursive"),
        (["*.nothing"], "got no match"),
        (["results/a_label.tiff", "results/b_label.tiff"], "label, mask or overlay images only"),
        (["a.png", "--json", "empty"], "--json: expected a file in an existing folder, got the folder empty"),
        (
            ["a.png", "--json", "missing/s.json"],
            "got missing/s.json, whose folder is not there; for stdout put --json last",
        ),
        (["a.png", "--json", "link.json"], "link.json: expected a file or a free name, got a link"),
    ],
)
def test_where_nothing_can_be_done_one_line_says_why(capsys, arguments, message):
    paint("a.png")
    Path("link.json").symlink_to("a.png")
    paint("outer/inner/a.png")
    paint("results/a_label.tiff")
    paint("results/b_label.tiff")
    Path("empty").mkdir()
    assert main(["predict", *arguments, "-o", "out"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert len(output.err.splitlines()) == 1
    assert output.err.startswith("starpoly: error: ")
    assert message in output.err
    assert not Path("out").exists()


def test_an_output_folder_that_cannot_be_written(capsys):
    paint("a.png")
    for target, message in (
        ("a.png", "got a file; choose another"),
        ("a.png/sub", "a folder that can be written, got:"),
    ):
        assert main(["predict", "a.png", "-o", target]) == 2
        assert message in capsys.readouterr().err
    assert not PaintedModel.loaded


def test_a_read_only_output_folder(capsys, monkeypatch):
    paint("a.png")
    Path("out").mkdir(mode=0o500)
    if os.access("out", os.W_OK):  # root may write everywhere, so the refusal is played

        def refuse(**options):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    assert main(["predict", "a.png", "-o", "out"]) == 2
    assert "Permission denied; choose another with -o" in capsys.readouterr().err


def test_a_disk_that_fills_up_costs_one_file(capsys, monkeypatch):
    paint("in/a.png")
    paint("in/b.png")
    replace = os.replace

    def full(source, target):
        if Path(target).name == "a_label.tiff":
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    assert main(["predict", "in", "-o", "out"]) == 1
    assert written() == ["b_label.tiff"]
    assert "No space left on device" in capsys.readouterr().err


def test_a_link_out_of_the_output_folder_is_refused(capsys):
    paint("in/s/a.png")
    Path("out").mkdir()
    Path("elsewhere").mkdir()
    Path("out/s").symlink_to("../elsewhere")
    assert main(["predict", "in", "-o", "out", "--recursive"]) == 2
    assert "got a link out of it" in capsys.readouterr().err
    assert not written("elsewhere")


def test_a_diameter_in_micrometres(capsys):
    paint("a.png")
    assert main(["predict", "a.png", "-o", "out", "--diameter", "12um", "--pixel-size", "0.5"]) == 0
    assert PaintedModel.calls[0].diameter == 24
    assert main(["predict", "a.png", "-o", "out", "--diameter", "12um"]) == 1
    assert "a.png: diameter: expected an image with a pixel size" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["predict", "a.png", "-o", "out", "--diameter", "12mm"])


def test_models_are_compared_where_none_is_sure_and_the_choice_is_told_once(capsys, monkeypatch):
    monkeypatch.setattr(look, "_SURE", 2.0)
    monkeypatch.setattr(registry, "default_models", lambda: ("nuclei-fluo", "cells-generalist"))
    paint("in/a.png", 1)
    paint("in/b.png", 2)
    assert main(["predict", "in", "-o", "out", "--json", "s.json"]) == 0
    assert [folder for folder, _ in PaintedModel.loaded] == [
        Path("models/nuclei-fluo"),
        Path("models/cells-generalist"),
    ]
    summary = json.loads(Path("s.json").read_text())
    assert [row["model"] for row in summary["images"]] == ["cells-generalist", "cells-generalist"]
    assert summary["model"] == "chosen for each image"
    found = summary["images"][1]["look"]
    assert (found["scale"], found["objects"], len(found["runners_up"])) == (1.0, 2, 1)
    said = [line for line in capsys.readouterr().err.splitlines() if "chosen" in line]
    assert said == ["out: chosen by a look at each image: cells-generalist for 2 (--json tells all)"]


def row_of(model, scale, *runners_up, channels=()):
    others = [{"model": other, "scale": 1.0, "channels": []} for other in runners_up]
    return {"look": {"model": model, "scale": scale, "channels": list(channels), "runners_up": others}}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (row_of("a", 1.0, "a"), []),
        (row_of("a", 1.0), []),
        (row_of("a", 1.0, "b"), ["a for 1"]),
        (row_of("a", 0.5, "a"), ["1 at another scale"]),
        (row_of("b", 2.0, "a", channels=(1,)), ["b for 1; 1 at another scale; 1 by some of their channels"]),
    ],
)
def test_what_left_no_choice_is_not_told(row, said):
    assert chosen_lines([row]) == [f"chosen by a look at each image: {each} (--json tells all)" for each in said]


def test_models_that_were_sure_at_once_are_counted_where_others_were_compared():
    sure = {"look": {"model": "a", "channels": [], "scale": 1.0}}
    compared = {"look": {"model": "b", "channels": [], "scale": 1.0, "runners_up": [{"model": "a", "scale": 1.0}]}}
    assert chosen_lines([sure, sure, compared]) == [
        "chosen by a look at each image: a for 2, b for 1 (--json tells all)"
    ]
    assert chosen_lines([sure, {"status": "failed"}]) == []


@pytest.mark.parametrize(
    ("channels", "said"),
    [
        ([{"taken": [1], "names": ["DAPI"], "of": 2}], "channel 1 (DAPI) of 2 in 1 image"),
        ([{"taken": ["DAPI"], "names": ["DAPI"], "of": 2}], "channel DAPI of 2 in 1 image"),
        ([{"taken": [0, 2], "names": ["", ""], "of": 3}, {}] * 2, "channels 0 and 2 of 3 in 2 images"),
        (
            [{"taken": [i], "names": [""], "of": 5} for i in range(4)],
            "channel 0 of 5 in 1 image, channel 1 of 5 in 1 image, channel 2 of 5 in 1 image, others in others",
        ),
    ],
)
def test_the_channels_that_were_taken_are_told(channels, said):
    rows = [{"channels": each} for each in channels]
    assert channel_lines(rows) == [f"took {said}; --channels takes others, by index or name"]


def test_a_model_that_was_asked_for_is_not_second_guessed(capsys):
    paint("in/a.png", 1)
    assert main(["predict", "in", "-o", "out", "--model", "mine"]) == 0
    assert [folder for folder, _ in PaintedModel.loaded] == [Path("models/mine")]
    assert "chosen" not in capsys.readouterr().err


def test_a_missing_model_is_said_before_work_begins(capsys, monkeypatch):
    def missing(name):
        raise ModelError(f"{name}: no such model")

    monkeypatch.setattr(registry, "find_model", missing)
    paint("a.png")
    assert main(["predict", "a.png", "-o", "out", "--model", "nix"]) == 2
    assert capsys.readouterr().err == "starpoly: error: nix: no such model\n"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--scale", "1e9"], "scale: expected a number from 0.0625 to 8, got 1e+09"),
        (
            ["--mask", "nope.tif"],
            "--mask: expected a label image or a folder of them, got nothing at nope.tif; check the path",
        ),
    ],
)
def test_values_that_suit_no_image_are_told_once_before_a_model_is_loaded(capsys, flags, message):
    paint("in/a.png", 1)
    paint("in/b.png", 2)
    assert main(["predict", "in", "-o", "out", *flags]) == 2
    assert capsys.readouterr().err == f"starpoly: error: {message}\n"
    assert not PaintedModel.loaded


def test_an_interrupted_run_has_a_summary(monkeypatch, capsys):
    paint("in/a.png", 1)
    paint("in/b.png", 2)
    detect = PaintedModel.detect

    def interrupted(self, image, *options, **streams):
        if self.calls:
            raise KeyboardInterrupt
        return detect(self, image, *options, **streams)

    monkeypatch.setattr(PaintedModel, "detect", interrupted)
    assert main(["predict", "in", "-o", "out", "--json", "s.json", "--table-all", "all.csv", "--report"]) == 130
    said = capsys.readouterr().err
    assert (
        "repeat the command with --skip-existing to go on with the other images; not written: all.csv, the report"
        in said
    )
    assert [row["status"] for row in json.loads(Path("s.json").read_text())["images"]] == ["done"]
    assert written() == ["a_label.tiff", "a_table.csv"]


def test_a_report_that_cannot_be_drawn_costs_nothing_else(monkeypatch, capsys):
    def without_backend(*arguments, **settings):
        raise ValueError("Key backend: 'foo' is not a valid value")

    paint("a.png")
    monkeypatch.setattr("starpoly.cli.predict._write_report", without_backend)
    assert main(["predict", "a.png", "-o", "out", "--report", "--table-all", "all.csv"]) == 1
    assert written() == ["a_label.tiff", "a_table.csv"]
    assert Path("all.csv").exists()
    assert "Key backend" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["predict"],
        ["nonsense"],
        ["predict", "a.png", "-o", "out", "--prob-threshold", "1.5"],
        ["predict", "a.png", "-o", "out", "--tile-size", "0"],
        ["predict", "a.png", "-o", "out", "--memory", "much"],
    ],
)
def test_wrong_usage_exits_2(capsys, arguments):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage: starpoly" in capsys.readouterr().err


def test_same_run_same_bytes():
    paint("in/a.png")
    main(["predict", "in", "-o", "out", "--overlay", "--table"])
    first = {name: Path("out", name).read_bytes() for name in written()}
    shutil.rmtree("out")
    main(["predict", "in", "-o", "out", "--overlay", "--table"])
    assert first == {name: Path("out", name).read_bytes() for name in written()}


def test_a_link_in_place_of_a_result_is_neither_followed_nor_replaced(capsys):
    paint("a.png")
    Path("precious").write_text("keep")
    Path("out").mkdir()
    Path("out/a_label.tiff").symlink_to("../precious")
    assert main(["predict", "a.png", "-o", "out"]) == 1
    assert "out/a_label.tiff: expected a file or a free name, got a link" in capsys.readouterr().err
    assert Path("precious").read_text() == "keep"
    assert Path("out/a_label.tiff").is_symlink()


def test_a_folder_in_place_of_the_labels_costs_no_work(capsys):
    paint("a.png")
    Path("out/a_label.tiff").mkdir(parents=True)
    assert main(["predict", "a.png", "-o", "out", "--table"]) == 1
    assert "out/a_label.tiff: expected a file or a free name, got a folder" in capsys.readouterr().err
    assert not PaintedModel.calls


@pytest.mark.parametrize("more", [[], ["--skip-existing"]])
def test_the_longest_name_of_a_disk_costs_that_file_alone(capsys, more):
    paint("in/a.png")
    paint(f"in/{'x' * 251}.png")
    assert main(["predict", "in", "-o", "out", *more]) == 1
    assert "File name too long" in capsys.readouterr().err
    assert written() == ["a_label.tiff"]


def test_control_characters_of_a_name_stay_in_it(capsys):
    paint("in/a\x1b[2J\u202ec.png")
    assert main(["predict", "in", "-o", "out", "--dry-run"]) == 0
    assert main(["predict", "in", "-o", "out"]) == 0
    Path("in/a\x1b[2J\u202ec.png").write_text("nonsense")
    assert main(["predict", "in", "-o", "out"]) == 1
    said = capsys.readouterr()
    assert "a\\x1b[2J\\u202ec.png" in said.out
    assert "a\\x1b[2J\\u202ec.png" in said.err
    assert not set("\x1b\u202e") & set(said.out + said.err)


@pytest.mark.parametrize("size", ["0", "-1", "1e-300", "1e300", "nan", "inf", "1,1e-9", "x"])
def test_an_absurd_pixel_size_is_refused(capsys, size):
    with pytest.raises(SystemExit):
        main(["predict", "a.png", "-o", "out", f"--pixel-size={size}"])
    assert "expected micrometres from 1e-06 to 1e+06" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="names of bytes")
def test_names_that_are_no_text(capsys):
    name = os.fsdecode(b"Z\xfcrich.png")
    paint(f"in/{name}", 2)
    formats = "geojson,zarr" + (",rois" if importlib.util.find_spec("roifile") else "")
    flags = ["--overlay", "--provenance", "--format", formats, "--table-all", "all.csv", "--json", "s.json"]
    assert main(["predict", "in", "-o", "out", *flags]) == 0
    stem = name.removesuffix(".png")
    for end in ("_label.tiff", ".geojson", ".ome.zarr", "_overlay.png", "_table.csv", "_provenance.json"):
        assert Path("out", f"{stem}{end}").exists(), end
    assert "Z\\udcfcrich.png" in Path("all.csv").read_text(encoding="utf-8")
    assert json.loads(Path("s.json").read_text())["images"][0]["input"] == os.path.join("in", name)


def test_packages_of_formats_are_checked_before_anything_is_segmented(capsys, monkeypatch):
    nd2 = next(reader for reader in readers.READERS if reader.name == "nd2")
    without = [replace(nd2, package="no_such_package") if reader is nd2 else reader for reader in readers.READERS]
    monkeypatch.setattr(readers, "READERS", tuple(without))
    paint("in/a.png", 1)
    Path("in/b.nd2").write_bytes(b"\xda\xce\xbe\x0a" + bytes(99))
    assert main(["predict", "in/b.nd2", "-o", "out"]) == 2
    message = '1 ND2 file needs the package no_such_package, which is not installed; pip install "nd2>='
    assert message in capsys.readouterr().err
    assert not PaintedModel.loaded
    assert main(["predict", "in", "-o", "out"]) == 1
    assert f"warning: {message}" in capsys.readouterr().err
    assert written() == ["a_label.tiff"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--readers", "99999999"], "readers: expected 1 to"),
        (["--expand-into-foreground", "1000000000"], "expand_into_foreground: expected 0 to"),
        (["--expand", "2000"], "expand: expected a distance above 0, of at most"),
        (["-o", ""], "expected a folder, got an empty name; write . for the current one"),
    ],
)
@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_what_no_image_can_meet_is_said_once(capsys, options, said, more):
    for name in ("a.png", "b.png"):
        paint(name)
    try:
        status = main(["predict", "a.png", "b.png", "-o", "out", *options, *more])
    except SystemExit as stopped:
        status = stopped.code
    assert status == 2
    assert capsys.readouterr().err.count(said) == 1
    assert not Path("out").exists()


def test_a_broken_model_is_said_once(capsys, monkeypatch):
    def broken(folder, **options):
        raise ModelError(f"{folder}: copy the folder anew")

    monkeypatch.setattr(PaintedModel, "from_pretrained", broken)
    for name in ("a.png", "b.png"):
        paint(name)
    assert main(["predict", "a.png", "b.png", "-o", "out", "--model", "broken"]) == 2
    err = capsys.readouterr().err
    assert err.count("copy the folder anew") == 1
    assert "segmented" not in err
