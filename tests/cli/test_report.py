"""`starpoly report` and `predict --report`, with a painted network."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from PIL import Image

from starpoly.cli.main import main
from starpoly.model import StarPoly2D

from support.painted import BrightModel


@pytest.fixture
def images(tmp_path, monkeypatch):
    monkeypatch.setattr(StarPoly2D, "from_pretrained", lambda *_, **__: BrightModel())
    folder = tmp_path / "in"
    folder.mkdir()
    for name, side in (("one", 1), ("four", 2), ("none", 0)):
        image = np.zeros((64, 64), np.uint8)
        image[8 : 8 + 14 * side : 14, 8 : 8 + 14 * side : 14] = 255
        Image.fromarray(image).save(folder / f"{name}.png")
    (folder / "broken.png").write_bytes(b"\x89PNG")
    return folder


def rows(page):
    data = re.search(r'id="data">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)[1]
    return {row["name"].rpartition("/")[2]: row for row in json.loads(data)["rows"]}


@pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
def test_predict_reports(images, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["predict", str(images), "-o", str(out), "--report"]) == 1
    found = rows(out / "report.html")
    assert {name: row["objects"] for name, row in found.items()} == {"one": 1, "four": 4, "none": 0, "broken.png": None}
    assert found["none"]["flags"] == ["no objects", "constant"]
    assert found["broken.png"]["flags"] == ["failed"]
    assert found["four"]["score"] > 0.6
    assert (out / "four_table.csv").exists()
    assert "report.html: 4 images" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
def test_report_of_a_folder(images, tmp_path, capsys):
    out = tmp_path / "out"
    main(["predict", str(images), "-o", str(out), "--table"])
    assert main(["report", str(out), "--images", str(images), "-o", str(out / "page.html")]) == 0
    found = rows(out / "page.html")
    assert {name: row["objects"] for name, row in found.items()} == {"one": 1, "four": 4, "none": 0}
    (out / "one_label.tiff").write_bytes(b"II*\0")
    assert main(["report", str(out)]) == 1
    assert rows(out / "report.html")["one"]["flags"] == ["failed"]


def test_report_of_nothing_is_one_line(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
def test_page_that_cannot_be_written_is_a_failure(images, tmp_path, capsys):
    out = tmp_path / "out"
    (out / "report.html").mkdir(parents=True)
    assert main(["predict", str(images / "one.png"), "-o", str(out), "--report"]) == 1
    assert "report.html: expected a file or a free name, got a folder" in capsys.readouterr().err
    assert (out / "one_label.tiff").exists()


def test_files_that_cannot_be_read_are_named(images, tmp_path, capsys):
    assert main(["predict", str(images), "-o", str(tmp_path / "out"), "--quiet"]) == 1
    (tmp_path / "out" / "four_label.tiff").write_bytes(b"no labels")
    capsys.readouterr()
    assert main(["report", str(tmp_path / "out"), "--quiet"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("starpoly: error: ")
    assert "four_label.tiff" in line
    assert main(["report", str(tmp_path / "out"), "--images", str(tmp_path / "nowhere")]) == 2
    assert "--images: expected a folder of images, got nothing at" in capsys.readouterr().err
