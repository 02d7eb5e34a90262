"""`starpoly view`: a picture where napari cannot be opened, and what is said about it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from starpoly.cli.main import main
from starpoly.io.readers.images import read_image
from starpoly.io.writers.label_tiff import write_labels
from starpoly.io.writers.overlay import draw_overlay
from starpoly.plot import viewer

from support.examples import with_discs

LABELS = with_discs((40, 50), (10, 10, 5), (20, 30, 7))
IMAGE = np.random.default_rng(0).integers(0, 255, (40, 50)).astype(np.uint8)


@pytest.fixture
def files(tmp_path):
    Image.fromarray(IMAGE).save(tmp_path / "a.png")
    write_labels(tmp_path / "a_label.tiff", LABELS)
    return str(tmp_path / "a.png"), str(tmp_path / "a_label.tiff")


def test_without_napari_a_picture_is_written_beside_the_labels(files, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(viewer, "find_spec", lambda name: None)
    assert main(["view", *files]) == 0
    np.testing.assert_array_equal(read_image(tmp_path / "a_overlay.png"), draw_overlay(IMAGE, LABELS))
    assert 'pip install "napari' in capsys.readouterr().err


def test_the_picture_is_named_as_other_results_are(files, tmp_path, monkeypatch):
    monkeypatch.setattr(viewer, "find_spec", lambda name: None)
    for name, picture in (("a_label_2_label.tiff", "a_label_2_overlay.png"), ("painted.tif", "painted_overlay.png")):
        write_labels(tmp_path / name, LABELS)
        assert main(["view", files[0], str(tmp_path / name)]) == 0
        assert (tmp_path / picture).exists()


def test_without_a_display_too(files, monkeypatch, capsys):
    monkeypatch.setattr(viewer, "find_spec", lambda name: object())
    monkeypatch.setattr(viewer.sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    assert main(["view", *files]) == 0
    assert "no display" in capsys.readouterr().err
    monkeypatch.setenv("DISPLAY", ":0")
    assert viewer.why_not_napari() is None


def test_a_picture_where_it_is_wanted(files, tmp_path):
    assert main(["view", *files, "-o", str(tmp_path / "picture.png")]) == 0
    assert read_image(tmp_path / "picture.png").shape == (40, 50, 3)


def test_what_does_not_belong_together_is_refused(files, tmp_path, capsys):
    write_labels(tmp_path / "b_label.tiff", LABELS.T)
    assert main(["view", files[0], str(tmp_path / "b_label.tiff"), "-o", str(tmp_path / "p.png")]) == 2
    assert "expected labels of the image's size (40, 50), got (50, 40)" in capsys.readouterr().err
    assert main(["view", files[0], str(tmp_path / "nothing.tif"), "-o", str(tmp_path / "p.png")]) == 2
