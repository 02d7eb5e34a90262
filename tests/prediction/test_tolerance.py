"""``predict --tolerant``: what counts as a failure, what is written, and what happens where memory ends."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from starpoly.cli.main import main
from starpoly.errors import ImageError, OutputError, TooLargeError
from starpoly.io.writers import label_tiff
from starpoly.model import StarPoly2D
from starpoly.network import quiet
from starpoly.prediction import image_run, opening
from starpoly.prediction import tolerance as tolerant

from support.painted import Bright, BrightModel


@pytest.fixture(autouse=True)
def bright(monkeypatch, tmp_path):
    monkeypatch.setattr(StarPoly2D, "from_pretrained", staticmethod(lambda folder, **options: BrightModel()))
    monkeypatch.setattr(quiet, "quiet_import", lambda: None)
    monkeypatch.chdir(tmp_path)
    for folder in ("model", "in"):
        Path(folder).mkdir()
    Path("model/model.json").write_text("{}")


def run(*arguments, source=("in",)):
    status = main(["predict", *source, "-o", "out", "--model", "./model", "--json", "s.json", *arguments])
    if not Path("s.json").exists():
        return status, {}
    return status, {Path(row["input"]).name: row["status"] for row in json.loads(Path("s.json").read_text())["images"]}


def picture(name, shape=(40, 50), **options):
    image = np.random.default_rng(1).integers(10, 20, (*shape, *options.pop("channels", ())), dtype=np.uint8)
    image[8:16, 10:18] = image[20:28, 30:38] = 200
    path = Path("in", name)
    if path.suffix == ".tif":
        tifffile.imwrite(path, image, **options)
    else:
        Image.fromarray(image).save(path)
    return path


def cut(path, share=0.5):
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


def written():
    return sorted(path.name for path in Path("out").iterdir()) if Path("out").exists() else []


def test_an_empty_folder_is_said(capsys):
    (Path("in") / ".DS_Store").write_text("")
    assert run("--tolerant") == (0, {"in": "empty"})
    err = capsys.readouterr().err
    assert "starpoly: warning: in: expected images" in err
    assert err.splitlines()[-1] == "out: 0 images segmented, 0 objects"
    assert run()[0] == 2


def test_a_folder_without_a_single_image_is_no_failure():
    Path("in/a.png").write_bytes(b"")
    Path("in/b.png").write_text("text")
    assert run("--tolerant") == (0, {"a.png": "unreadable", "b.png": "unreadable"})
    assert written() == []
    assert run()[0] == 1


def test_an_input_that_does_not_exist_is_a_failure():
    assert run("--tolerant", source=["nowhere"])[0] == 2
    picture("a.png")
    assert run("--tolerant", source=["nowhere", "in"]) == (1, {"nowhere": "error", "a.png": "done"})


def test_a_bug_is_a_failure(monkeypatch):
    picture("a.png")
    monkeypatch.setattr(Bright, "__call__", lambda self, batch: 1 / 0)
    assert run("--tolerant") == (1, {"a.png": "error"})
    assert written() == []


def test_a_full_disk_is_a_failure(monkeypatch):
    picture("a.png")
    cut(picture("b.png"))
    replace = os.replace

    def full(source, target):
        if str(target).endswith(".tiff"):
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    assert run("--tolerant") == (1, {"a.png": "error", "b.png": "error"})


def test_regions_that_do_not_fit_are_a_failure():
    picture("a.tif")
    assert run("--tolerant", "--roi", "0,0,999,999") == (1, {"a.tif": "error"})
    assert run("--tolerant", "--channels", "7") == (1, {"a.tif": "error"})


def test_a_dry_run_and_skipped_images():
    cut(picture("a.png"))
    assert run("--tolerant", "--dry-run") == (0, {})  # not even the summary is written
    assert run("--tolerant") == (0, {"a.png": "blank"})
    assert run("--tolerant", "--skip-existing") == (0, {"a.png": "exists"})


def test_a_tile_that_is_damaged_costs_the_whole_image(monkeypatch):
    monkeypatch.setattr(opening, "LARGEST_HELD", 100)
    path = picture("a.tif", (90, 100), tile=(16, 16), compression="zlib")
    with tifffile.TiffFile(path) as file:
        offset = file.pages[0].dataoffsets[-1]
    with open(path, "rb+") as file:
        file.seek(offset)
        file.write(b"\xff" * 20)
    assert run("--tolerant", "--tile-size", "32") == (0, {"a.tif": "blank"})
    assert written() == ["a_label.tiff"]  # and no state of an unfinished run
    labels = tifffile.imread("out/a_label.tiff")
    assert labels.shape == (90, 100)
    assert not labels.any()
    assert run("--tile-size", "32") == (1, {"a.tif": "error"})


def test_a_size_that_cannot_be_true_is_not_written_out():
    path = picture("a.tif", rowsperstrip=4)
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags["ImageLength"].overwrite(1_000_000_000)
    assert run("--tolerant") == (0, {"a.tif": "unreadable"})


@pytest.mark.parametrize("shape", [(1, 1), (7, 30), (2000, 1500)])
def test_blank_labels(monkeypatch, tmp_path, shape):
    tolerant.write_blank(tmp_path / "sub" / "plain.tiff", shape)
    monkeypatch.setattr(label_tiff, "LARGEST_PLAIN", 0)
    tolerant.write_blank(tmp_path / "tiled.tiff", shape)
    for name in ("sub/plain.tiff", "tiled.tiff"):
        labels = tifffile.imread(tmp_path / name)
        assert (labels.shape, labels.dtype, labels.max()) == (shape, np.uint16, 0)


def test_blank_cells_where_nuclei_expand(capsys):
    cut(picture("a.png"))
    picture("b.png")
    assert run("--tolerant", "--expand", "3px") == (0, {"a.png": "blank", "b.png": "done"})
    assert written() == [f"{name}_label{end}.tiff" for name in "ab" for end in ("", "_cells")]
    (blank, _) = json.loads(Path("s.json").read_text())["images"]
    cells = tifffile.imread(blank["cells"])
    assert (cells.shape, cells.dtype, cells.max()) == ((40, 50), np.uint16, 0)


def test_channels_beyond_those_of_the_model_are_tried(capsys):
    picture("a.tif", channels=(4,), photometric="minisblack", planarconfig="contig")
    assert run("--tolerant") == (0, {"a.tif": "done"})
    said = capsys.readouterr().err
    assert "1 by some of their channels" in said
    assert "took channel 0 of 4 in 1 image; --channels takes others, by index or name" in said
    assert tifffile.imread("out/a_label.tiff")[12, 14] > 0
    assert run() == (0, {"a.tif": "done"})


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.jpg", "a.tif"])
def test_large_images_of_any_format_are_done_piece_by_piece(monkeypatch, name):
    picture(name, (90, 100), channels=(3,))
    assert run("--tile-size", "32") == (0, {name: "done"})
    whole = tifffile.imread("out/a_label.tiff")
    monkeypatch.setattr(opening, "LARGEST_HELD", 100)
    monkeypatch.setattr(image_run, "WholeLabels", None)
    assert run("--tile-size", "32") == (0, {name: "done"})
    np.testing.assert_array_equal(tifffile.imread("out/a_label.tiff"), whole)
    assert whole.max() > 1


@pytest.mark.parametrize("error", [MemoryError("no"), TooLargeError("in/a.png: too large")])
@pytest.mark.parametrize("flags", [(), ("--tolerant",)])
def test_where_memory_ends_the_work_goes_on_piece_by_piece(monkeypatch, capsys, error, flags):
    picture("a.png")
    assert run(*flags)[0] == 0
    whole = tifffile.imread("out/a_label.tiff")

    def fail(*args):
        raise error

    monkeypatch.setattr(image_run, "WholeLabels", fail)
    assert run(*flags) == (0, {"a.png": "done"})
    assert "memory does not suffice for the image as a whole; going on tile by tile" in capsys.readouterr().err
    np.testing.assert_array_equal(tifffile.imread("out/a_label.tiff"), whole)


def test_memory_that_ends_for_good_is_a_failure_of_one_image(monkeypatch, capsys):
    def fail(self, image, *options, **streams):
        if image.shape[0] == 40:
            raise MemoryError
        return detect(self, image, *options, **streams)

    detect = StarPoly2D.detect
    monkeypatch.setattr(StarPoly2D, "detect", fail)
    picture("a.png")
    picture("b.png", (41, 50))
    assert run("--tolerant") == (1, {"a.png": "error", "b.png": "done"})
    assert "a.png: out of memory" in capsys.readouterr().err
    assert written()[-1] == "b_label.tiff"


def test_an_image_beyond_the_limit_of_memory_is_done_piece_by_piece_if_its_pixels_fit(monkeypatch, capsys):
    picture("a.png")
    picture("b.tif", tile=(16, 16))
    monkeypatch.setattr(image_run, "WholeLabels", None)
    assert run("--memory", "3K") == (0, {"a.png": "done", "b.tif": "done"})
    assert run("--memory", "1K") == (1, {"a.png": "error", "b.tif": "done"})
    assert "expected an image that can be held in 1 KB, got 40 x 50 pixels" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "expected"),
    [(ImageError("x"), True), (OutputError("x"), False), (TooLargeError("x"), False), (ValueError("x"), False)],
)
def test_who_is_to_blame(error, expected):
    assert tolerant.is_to_blame(error) is expected
