"""``starpoly evaluate`` from files to table, and what goes wrong."""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from starpoly.cli import evaluate
from starpoly.errors import DataError, StarpolyWarning

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("STARPOLY_SHARED", ROOT / "../shared"))


def run(*arguments):
    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    return evaluate.run(parser.parse_args([str(argument) for argument in arguments]))


def grid(n=3, dtype=np.uint16):
    """n x n squares of 4 x 4, two pixels from each other and from the border."""
    ids = np.arange(1, n * n + 1).reshape(n, n)
    square = np.pad(np.ones((4, 4), int), 1)
    return np.pad(np.kron(ids, np.ones((6, 6), int)) * np.kron(np.ones((n, n), int), square), 2).astype(dtype)


@pytest.fixture
def folders(tmp_path):
    """Two images: "a" found exactly, "b" with three of nine objects missing."""
    true, pred = tmp_path / "true", tmp_path / "pred"
    for folder in (true, pred):
        folder.mkdir()
    for name, most in (("a", 9), ("b", 6)):
        tifffile.imwrite(true / f"{name}_masks.tif", grid())
        tifffile.imwrite(pred / f"{name}_label.tiff", np.where(grid() <= most, grid(), 0), compression="zlib")
    return pred, true


def table(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.5", (0.5,)),
        ("0.5,0.75", (0.5, 0.75)),
        ("0.5:0.95:0.05", (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)),
        ("0.1:0.3:0.1", (0.1, 0.2, 0.3)),
        ("0.5:0.74:0.1", (0.5, 0.6, 0.7)),
        ("1:1:1", (1.0,)),
    ],
)
def test_thresholds(text, expected):
    assert evaluate.parse_thresholds(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "0.5,",
        "0",
        "1.5",
        "-0.5",
        "nan",
        "0.5:0.9",
        "0.5:0.9:0",
        "0.9:0.5:0.1",
        "0.5:inf:0.1",
        "0.1:1:1e-9",
        "0:1:0.5",
    ],
)
def test_bad_thresholds_are_refused(text):
    with pytest.raises(DataError, match="--iou: expected a number"):
        evaluate.parse_thresholds(text)


def test_a_decimal_comma_is_told():
    with pytest.raises(DataError, match=r"got '0,5'; for example .*; write 0\.5"):
        evaluate.parse_thresholds("0,5")


def test_folders_are_paired_scored_and_printed(folders, capsys):
    assert run(*folders, "--iou", "0.5,0.9") == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "2 images, 18 true objects, pooled (stardist):"
    assert out[2].split() == ["0.5", "1.0000", "0.8333", "0.9091", "0.8333", "0.9091", "1.0000", "15", "0", "3"]
    assert len(out) == 4


def test_default_thresholds(folders, capsys):
    assert run(*folders) == 0
    assert len(capsys.readouterr().out.splitlines()) == 12


def test_per_image(folders, capsys):
    run(*folders, "--iou", "0.5", "--per-image")
    out = capsys.readouterr().out
    assert "0.6667" in next(line for line in out.splitlines() if line.endswith("  b"))


def test_files(folders, capsys, tmp_path):
    assert run(*folders, "-o", tmp_path / "x.csv", "--plot", tmp_path / "x.png") == 0
    assert run(*folders, "-o", tmp_path / "x.json") == 0
    rows = table(tmp_path / "x.csv")
    assert [row["image"] for row in rows[::10]] == ["a", "b", "", "", ""]
    assert float(rows[10]["recall"]) == pytest.approx(2 / 3)
    assert len(json.loads((tmp_path / "x.json").read_text())["rows"]) == 50
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_single_files_of_any_name(folders, capsys):
    pred, true = folders
    assert run(pred / "b_label.tiff", true / "a_masks.tif", "--iou", "0.5") == 0
    assert capsys.readouterr().out.startswith("1 image, 9 true objects")


def test_neurips_protocol(folders, capsys):
    _, true = folders
    tifffile.imwrite(true / "c.tif", grid())
    with pytest.warns(StarpolyWarning, match="no prediction"):
        assert run(*folders, "--protocol", "neurips") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "F1 over images at IoU 0.5: mean 0.6000, median 0.8000"


def test_missing_prediction_is_said_and_counts(folders, capsys):
    pred, _ = folders
    (pred / "a_label.tiff").unlink()
    with pytest.warns(StarpolyWarning, match=r"no prediction for a_masks\.tif: all of their objects count"):
        assert run(*folders, "--iou", "0.5", "--per-image") == 0
    out = capsys.readouterr().out
    assert "  a (missing prediction)" in out
    assert out.splitlines()[-1].split()[-3:] == ["6", "0", "12"]


def test_prediction_without_truth_is_said_and_ignored(folders, capsys):
    pred, _ = folders
    for k in range(7):
        tifffile.imwrite(pred / f"extra{k}.tif", grid())
    with pytest.warns(StarpolyWarning, match=r"no true labels for 7 files \(.* and 2 more\): ignored"):
        assert run(*folders) == 0
    assert capsys.readouterr().out.startswith("2 images")


def test_overlays_beside_the_labels_are_not_missed(folders, recwarn):
    pred, _ = folders
    tifffile.imwrite(pred / "a_overlay.tif", grid())
    (pred / "a_overlay.tif").rename(pred / "a_overlay.png")
    assert run(*folders) == 0
    assert not recwarn.list


def test_bad_files_cost_only_themselves(folders, capsys, tmp_path):
    pred, true = folders
    for name in ("c", "d", "e"):
        tifffile.imwrite(true / f"{name}.tif", grid())
    tifffile.imwrite(pred / "c.tif", grid()[:-1])
    (pred / "d.tif").write_bytes(b"not a picture")
    tifffile.imwrite(pred / "e.tif", grid())
    (true / "e.tif").write_bytes(b"")
    assert run(*folders, "--iou", "0.5", "-o", tmp_path / "x.csv") == 1
    captured = capsys.readouterr()
    assert captured.out.startswith("4 images, 36 true objects")
    assert [line.split(": ")[:3] for line in captured.err.splitlines()] == [
        ["starpoly", "error", name] for name in ("c", "d", "e")
    ]
    assert re.search(r"c\.tif: expected the shape of .*c\.tif, \(\d+, \d+\), got .*; segment the image", captured.err)
    status = {row["image"]: row["status"] for row in table(tmp_path / "x.csv") if row["scope"] == "image"}
    assert [status[name] == "ok" for name in "abcde"] == [True, True, False, False, False]


def test_transposed_labels_are_asked_about(folders, capsys):
    pred, true = folders
    tifffile.imwrite(true / "c.tif", grid()[:-2])
    tifffile.imwrite(pred / "c.tif", grid()[:-2].T)
    assert run(*folders) == 1
    assert capsys.readouterr().err.endswith("; is one transposed?\n")


def test_nothing_pairs(folders, tmp_path):
    _, true = folders
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(DataError, match="no pair among 0 files"):
        run(other, true)
    (other / "day 1").mkdir()
    tifffile.imwrite(other / "day 1" / "a.tif", grid())
    with pytest.raises(
        DataError, match=r"compare their names; .*other has sub-folders, which are not searched: give one of"
    ):
        run(other, true)
    with pytest.raises(DataError, match="twice"):
        run(true, true)
    with pytest.raises(DataError, match="nowhere"):
        run(tmp_path / "nowhere", true)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "x.xlsx"], "csv or .json"),
        (["-o", "nowhere/x.csv"], "existing folder"),
        (["--plot", "x.pdf"], "ends in .png"),
        (["--plot", "nowhere/x.png"], "existing folder"),
    ],
)
def test_outputs_are_checked_before_the_work(folders, capsys, arguments, message):
    with pytest.raises(DataError, match=message):
        run(*folders, *arguments)
    assert not capsys.readouterr().out


def test_declaring_arguments_imports_nothing_heavy():
    code = (
        "import argparse, sys; from starpoly.cli import evaluate; "
        "evaluate.add_arguments(argparse.ArgumentParser()); print(sorted({'numpy', 'scipy', 'matplotlib', 'tqdm'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_real_masks_against_themselves(capsys):
    labels = SHARED / "data" / "labels"
    if not labels.is_dir():
        pytest.skip(f"needs the shared data set ({labels})")
    path = sorted(labels.glob("*.tif"))[0]
    assert run(path, path, "--iou", "0.5:0.95:0.45") == 0
    assert [line.split()[1:7] for line in capsys.readouterr().out.splitlines()[2:]] == [["1.0000"] * 6] * 2


def test_labels_of_every_kind_are_scored_and_the_rest_is_named(tmp_path, capsys):
    true, pred = tmp_path / "true", tmp_path / "pred"
    for folder in (true, pred):
        folder.mkdir()
    np.save(true / "a.npy", grid())
    tifffile.imwrite(pred / "a_cp_masks.tif", grid())
    (true / "notes.txt").touch()
    with pytest.warns(StarpolyWarning, match=r"passed over, no images: 1 \.txt \(notes\.txt\)"):
        assert run(pred, true, "--iou", "0.5") == 0
    assert " 1.0000 " in capsys.readouterr().out


def test_names_that_do_not_pair_are_shown(tmp_path):
    for name in ("found/day1_a.b.png_label.tiff", "truth/a.b.tif"):
        (tmp_path / name).parent.mkdir()
        tifffile.imwrite(tmp_path / name, np.ones((8, 8), np.uint8))
    with pytest.raises(DataError, match=r"compare their names, such as 'day1_a\.b\.png' and 'a\.b'"):
        run(tmp_path / "found", tmp_path / "truth")
