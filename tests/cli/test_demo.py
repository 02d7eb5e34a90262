"""The demo needs no download, and its images are of several kinds."""

from __future__ import annotations

import argparse
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from starpoly.cli import demo, main, predict
from starpoly.errors import ImageError


def test_images_are_grey_or_rgb_and_have_contrast():
    for name, image in demo.demo_images().items():
        assert image.ndim == 2 or image.shape[2:] == (3,), name
        assert image.dtype == np.uint8, name
        low, high = np.percentile(image, (1, 99.8))
        assert high - low > 30, name


def test_fluorescence_stained_tissue_and_brightfield_are_shown():
    images = demo.demo_images()
    assert {"fluorescence_nuclei", "stained_tissue", "brightfield_cells"} <= set(images)
    assert images["stained_tissue"].ndim == 3
    assert np.median(images["fluorescence_nuclei"]) < 64 < 192 < np.median(images["brightfield_cells"])
    assert {path.stem for path in demo.IMAGES.glob("*.png")} < set(images)


def test_images_are_written_as_they_are(tmp_path):
    paths = demo.write_demo_images(tmp_path / "new" / "images")
    assert [path.stem for path in paths] == list(demo.demo_images())
    for path, expected in zip(paths, demo.demo_images().values(), strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(path)), expected)
    assert sorted(path.name for path in paths[0].parent.iterdir()) == sorted(path.name for path in paths)


def test_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ImageError, match=r"cannot be written .*; choose another folder with -o"):
        demo.write_demo_images(tmp_path / "file" / "images")


def test_no_download_is_attempted():
    # no cached downloads, no way out: the images must be in the wheel
    code = (
        "import socket, sys; sys.modules['pooch'] = None\n"
        "def refuse(*a, **k): raise OSError('network')\n"
        "socket.socket.connect = refuse\n"
        "from starpoly.cli.demo import demo_images; demo_images()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_predict_gets_the_images_and_the_common_flags(tmp_path, monkeypatch):
    calls: list[argparse.Namespace] = []
    monkeypatch.setattr(predict, "run", lambda args: calls.append(args) or 0)
    assert main.main(["demo", "-o", str(tmp_path / "out"), "--quiet"]) == 0
    (args,) = calls
    assert args.input == [str(tmp_path / "out" / "images")]
    assert args.output == tmp_path / "out"
    assert (args.overlay, args.table, args.quiet, args.verbose) == (True, True, True, False)
    assert len(list((tmp_path / "out" / "images").glob("*.png"))) == len(demo.demo_images())
