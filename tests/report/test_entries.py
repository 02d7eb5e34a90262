"""Results found in a folder, and what is read of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from starpoly.errors import DataError
from starpoly.io.readers.images import open_source
from starpoly.io.writers.label_tiff import write_labels
from starpoly.io.writers.overlay import write_overlay
from starpoly.report.batch import write_report
from starpoly.report.entries import Entry, find_entries
from starpoly.report.examine import examine
from starpoly.report.objects import read_objects
from starpoly.tiling import Box

from support.examples import with_discs

LABELS = with_discs((40, 50), (10, 10, 5), (20, 30, 7), (0, 40, 4), (39, 0, 3))


def put(folder, stem, labels=LABELS):
    folder.mkdir(parents=True, exist_ok=True)
    write_labels(folder / f"{stem}_label.tiff", labels)


def test_results_are_found_with_what_lies_beside_them(tmp_path):
    put(tmp_path, "b")
    put(tmp_path / "sub", "a")
    put(tmp_path / ".hidden", "c")
    (tmp_path / "b_table.csv").write_text("label,diameter\n")
    (tmp_path / "b_overlay.png").touch()
    entries = find_entries(tmp_path)
    assert [entry.name for entry in entries] == ["b", "sub/a"]
    assert entries[0].table == tmp_path / "b_table.csv"
    assert entries[0].overlay == tmp_path / "b_overlay.png"
    assert entries[1].image is entries[1].table is None


def test_what_no_name_is_short_enough_for_is_not_there(tmp_path):
    put(tmp_path, "x" * 240)
    put(tmp_path, "b")
    assert [entry.name[0] for entry in find_entries(tmp_path)] == ["b", "x"]


def test_images_are_found_by_the_name_of_their_results(tmp_path):
    put(tmp_path / "out", "a")
    put(tmp_path / "out", "b.c")
    put(tmp_path / "out", "d")
    images = tmp_path / "in"
    images.mkdir()
    for name in ("a.x.png", "b.c.png", "d.1.png", "d.2.png"):
        Image.fromarray(np.zeros((4, 5), np.uint8)).save(images / name)
    found = {entry.name: entry.image and entry.image.name for entry in find_entries(tmp_path / "out", images)}
    assert found == {"a": "a.x.png", "b.c": "b.c.png", "d": None}  # two that it may be


def test_provenance_tells_image_region_and_model(tmp_path):
    put(tmp_path, "a")
    image = tmp_path / "slide.tif"
    image.touch()
    record = {
        "input": {"file": str(image), "level": 1, "roi": [1, 2, 41, 52]},
        "model": {"name": "nuclei"},
        "settings": {"prob_threshold": 0.4},
    }
    (tmp_path / "a_provenance.json").write_text(json.dumps(record))
    (entry,) = find_entries(tmp_path)
    assert (entry.image, entry.level, entry.roi) == (image, 1, Box(1, 2, 41, 52))
    assert (entry.model, entry.threshold) == ("nuclei", 0.4)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"input": 3}', '{"input": {"roi": [1]}}', "\x00"])
def test_damaged_provenance_tells_nothing_but_that(tmp_path, text):
    put(tmp_path, "a")
    (tmp_path / "a_provenance.json").write_text(text)
    (entry,) = find_entries(tmp_path)
    assert entry.image is entry.model is None
    assert entry.warnings == ("a_provenance.json: expected what predict writes, got something else",)


def test_folders_without_results_are_refused(tmp_path):
    with pytest.raises(DataError, match="expected label images"):
        find_entries(tmp_path)
    with pytest.raises(DataError, match="expected a folder"):
        find_entries(tmp_path / "nowhere")


def test_objects_are_counted_from_labels(tmp_path):
    put(tmp_path, "a", np.where(LABELS == 4, 70000, LABELS))
    with open_source(tmp_path / "a_label.tiff") as labels:
        objects = read_objects(labels, None)
    areas = np.bincount(LABELS.ravel())[1:]
    np.testing.assert_allclose(objects.diameters, 2 * np.sqrt(areas / np.pi))
    assert objects.n_border == 2
    assert objects.scores is None


def test_objects_are_read_from_tables(tmp_path):
    put(tmp_path, "a")
    table = tmp_path / "a_table.csv"
    table.write_text("label,diameter,score,diameter_um\n1,4.5,0.5,\n2,3,0.25,7\n")
    with open_source(tmp_path / "a_label.tiff") as labels:
        objects = read_objects(labels, table)
    assert list(objects.diameters) == [4.5, 3]
    assert list(objects.scores) == [0.5, 0.25]
    assert np.isnan(objects.micrometres[0])


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "label,diameter\n1,x\n", "label,diameter\n1\n"])
def test_foreign_tables_and_labels_are_the_images_problem(tmp_path, text):
    put(tmp_path, "a")
    (tmp_path / "a_table.csv").write_text(text)
    (entry,) = find_entries(tmp_path)
    assert "a_table.csv: expected a table" in examine(entry).facts.problem
    (tmp_path / "a_label.tiff").write_bytes(b"II*\x00no")
    assert examine(entry).flags == ["failed"]


TABLES = {
    "infinite": "label,diameter,score\n1,inf,0.5\n",
    "negative": "label,diameter\n1,-3\n",
    "absurd": "label,diameter\n1,1e300\n",
    "text": "label,diameter\n1,many\n",
    "quotes": 'label,diameter\n"1,2\n',
    "nul": "label,diameter\n1,\0\n",
    "no diameters": "label,diameter,score\n1,,\n2,,\n",
}
FOREIGN = {
    "deep": "[" * 100_000,
    "scene": {"input": {"planes": {"scene": 1e999}}},
    "roi": {"input": {"roi": [0, 0, 1e999, 1]}},
    "negative roi": {"input": {"roi": [-9, -9, -5, -5]}},
    "level": {"input": {"level": 10**30}},
    "negative level": {"input": {"level": -5}},
    "nul": {"input": {"file": "a\0b"}},
    "long": {"input": {"file": "x" * 5000}},
    "folder": {"input": {"file": "/"}},
    "threshold": {"settings": {"prob_threshold": float("nan")}},
    "model": {"model": {"name": {"\x1b": []}}},
    "list": [1],
}


@pytest.mark.parametrize("kind", TABLES)
def test_one_bad_table_costs_no_page(tmp_path, kind):
    put(tmp_path, "a")
    put(tmp_path, "b")
    (tmp_path / "a_table.csv").write_text(TABLES[kind])
    (tmp_path / "b_table.csv").write_text("label,diameter,score\n1,9,0.5\n")
    examined = write_report(tmp_path / "report.html", find_entries(tmp_path), {}, progress=False)
    problems = {one.entry.name: one.facts.problem for one in examined}
    assert problems["b"] == ""
    assert "a_table.csv: expected" in problems["a"] or kind == "no diameters"
    assert (tmp_path / "report.html").read_text().rstrip().endswith("</html>")


@pytest.mark.parametrize("kind", FOREIGN)
def test_one_bad_provenance_costs_no_page(tmp_path, kind):
    put(tmp_path, "a")
    plain = {
        "input": {"file": str(tmp_path / "a_label.tiff")},
        "model": {"name": "m"},
        "settings": {"prob_threshold": 0.5},
    }
    foreign = FOREIGN[kind]
    text = foreign if isinstance(foreign, str) else json.dumps(
        {name: value | foreign.get(name, {}) for name, value in plain.items()} if isinstance(foreign, dict) else foreign
    )  # fmt: skip
    (tmp_path / "a_provenance.json").write_text(text)
    (one,) = write_report(tmp_path / "report.html", find_entries(tmp_path), {}, progress=False)
    assert one.facts.problem == ""
    assert one.thumbnail


def test_an_error_that_nobody_thought_of_is_the_images_problem(tmp_path, monkeypatch):
    put(tmp_path, "a")
    monkeypatch.setattr("starpoly.report.examine.shrink", lambda source: 1 / 0)
    (one,) = write_report(tmp_path / "report.html", find_entries(tmp_path), {}, progress=False)
    assert "unexpected ZeroDivisionError" in one.facts.problem


def test_image_of_another_size_is_not_shown(tmp_path):
    put(tmp_path, "a")
    Image.fromarray(np.full((9, 9, 3), 200, np.uint8)).save(tmp_path / "other.png")
    bright = np.full((*LABELS.shape, 3), 200, np.uint8)
    write_overlay(tmp_path / "overlay.png", bright, np.zeros_like(LABELS))
    Image.fromarray(bright).save(tmp_path / "overlay.png")

    def brightness(entry):
        (tmp_path / "t.jpg").write_bytes(examine(entry).thumbnail)
        return np.asarray(Image.open(tmp_path / "t.jpg")).mean()

    labels = tmp_path / "a_label.tiff"
    assert brightness(Entry("a", labels, tmp_path / "other.png")) < 60
    assert brightness(Entry("a", labels, tmp_path / "other.png", tmp_path / "overlay.png")) == pytest.approx(200, abs=3)
