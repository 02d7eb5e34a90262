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
def test_damaged_provenance_tells_nothing(tmp_path, text):
    put(tmp_path, "a")
    (tmp_path / "a_provenance.json").write_text(text)
    (entry,) = find_entries(tmp_path)
    assert entry.image is entry.model is None


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
