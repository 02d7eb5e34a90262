"""The scripts for whole slides in benchmarks/: their slides are what they say, and their measures see what they are for."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

# the scripts import one another by plain names, as they do when they are run
sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

import mosaic
import process
import seams
import slide_exactness
import slides


@pytest.fixture(scope="module")
def bank():
    """Three pieces with a whole nucleus each and one that the border cuts."""
    labels = np.zeros((3, mosaic.PIECE, mosaic.PIECE), np.int32)
    for piece, labelled in enumerate(labels):
        labelled[40 : 60 + 5 * piece, 100:130] = 1
        labelled[: 10 + piece, 200:220] = 2
    return mosaic.Bank(np.where(labels > 0, 200, 10 + labels).astype(np.uint8), labels, "squares")


@pytest.mark.parametrize("kind", ["grey", "rgb", "labels", "sparse"])
def test_any_region_of_a_slide_is_that_crop_of_every_larger_slide(bank, kind):
    whole = mosaic.Mosaic((700, 900), kind, seed=3, bank=bank)[:, :]
    larger = mosaic.Mosaic(100_000, kind, seed=3, bank=bank)
    assert np.array_equal(larger[130:611, 239:900], whole[130:611, 239:900])
    assert not np.array_equal(mosaic.Mosaic((700, 900), kind, seed=4, bank=bank)[:, :], whole)


def test_a_sparse_slide_holds_squares_of_the_full_one(bank):
    side = mosaic.SQUARE * mosaic.PIECE
    full, sparse = (mosaic.Mosaic(3 * side, kind, bank=bank) for kind in ("grey", "sparse"))
    assert np.array_equal(sparse[side - 200 : side, :300], full[side - 200 : side, :300])
    assert len(np.unique(sparse[side : side + 300, :300])) == 1
    assert np.array_equal(sparse[2 * side : 2 * side + 100, :300], full[2 * side : 2 * side + 100, :300])


def test_true_nuclei_are_those_of_the_labels(bank):
    truth = mosaic.Mosaic((500, 640), "labels", bank=bank)
    labels, nuclei = truth[:, :], truth.nuclei()
    assert set(nuclei[:, 0]) == set(np.unique(labels[labels > 0]))
    for number, y0, x0, y1, x1, area, is_whole in nuclei:
        rows, columns = np.nonzero(labels == number)
        assert (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1) == (y0, x0, y1, x1)
        assert not is_whole or area == len(rows)


def test_drawn_slides_are_as_dense_as_real_ones():
    truth = mosaic.Mosaic(960, "labels", bank=mosaic._drawn_bank())
    assert 0.5 < len(truth.nuclei()) / (mosaic.DENSITY * 960**2) < 1.5


@pytest.mark.parametrize("kind", ["grey", "rgb"])
def test_a_slide_reads_back_as_it_was_written(bank, kind, tmp_path):
    from starpoly.io.readers.images import open_source

    pytest.importorskip("zarr")
    slide = mosaic.Mosaic((600, 1100), kind, bank=bank)
    mosaic.write_tiff(tmp_path / "slide.tif", slide)
    mosaic.write_zarr(tmp_path / "slide.ome.zarr", slide)
    whole = slide[:, :].reshape(600, 1100, -1)
    for name in ("slide.tif", "slide.ome.zarr"):
        with open_source(tmp_path / name) as source:
            assert np.array_equal(source[:, :], whole)
    assert tifffile.TiffFile(tmp_path / "slide.tif").pages[0].is_tiled


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_memory_and_status_of_a_process_are_measured(tmp_path):
    code = "import time; block = bytearray(150_000_000); time.sleep(0.2); raise SystemExit(3)"
    taken = process.measure([sys.executable, "-c", code], tmp_path)
    assert taken.status == 3
    assert 150 < taken.peak_mb < 250
    assert taken.seconds > 0.2
    small = process.measure([sys.executable, "-c", code], tmp_path, memory_limit_mb=100)
    assert small.status == -9


class Blind:
    """A tool that finds the squares of an image, with a seam in the middle."""

    def lines(self):
        return [600], []

    def segment(self, window):
        from skimage.measure import label

        return label(window > 0)


def ring(y0, x0, y1, x1):
    return np.array([(y0, x0), (y0, x1), (y1, x1), (y1, x0)], float)


def test_what_a_seam_does_is_seen():
    slide = np.zeros((1200, 1200), np.uint8)
    for x in range(30, 1170, 60):
        slide[590:612, x : x + 30] = 255
    right = Blind().segment(slide)
    untouched = [ring(590, x, 612, x + 30) for x in range(30, 1170, 60)]
    counts = seams.count(Blind(), slide, right, untouched, None, windows=99)["seams"]
    assert counts["looked_at_again"] == {"objects": 19, "changed": 0, "lost": 0, "extra": 0}
    assert counts["doubled"] == {"objects": 19, "pairs": 0}

    wrong = right.copy()
    wrong[600:, 30:60] = 0  # less than half is left
    wrong[600:612, 90:120] = 99  # in two, one half just the larger
    wrong[608:, 150:180] = 0  # a little is missing
    twice = [*untouched, ring(592, 212, 614, 240)]
    counts = seams.count(Blind(), slide, wrong, twice, None, windows=99)["seams"]
    again = counts["looked_at_again"]
    assert (again["changed"], again["lost"], again["extra"]) == (2, 1, 2)
    assert counts["doubled"]["pairs"] == 1


def test_true_nuclei_at_seams():
    truth = np.zeros((100, 100), np.int64)
    truth[40:60, 10:30], truth[40:60, 50:70], truth[5:15, 5:15] = 1, 2, 3
    nuclei = np.array([[1, 40, 10, 60, 30, 400, 1], [2, 40, 50, 60, 70, 400, 1], [3, 5, 5, 15, 15, 100, 1]])
    labels = truth.copy()
    labels[50:60, 50:70] = 4
    counts = seams.true_nuclei(nuclei, truth, labels, ([50], []))
    assert counts == {"nuclei": 2, "found": 2, "in_pieces": 1}


def figures(side, seconds, peak):
    return {"status": 0, "side": side, "seconds": seconds, "peak_mb": peak, "stages": {"imports": 3.0, "model": 1.0}}


def test_targets_are_judged_without_the_start():
    cases = {f"own/grey/{side}": figures(side, 4 + rate * side**2 / 1e6, peak)
             for side, rate, peak in ((2000, 2.0, 900), (5000, 0.5, 1000), (10_000, 0.52, 1400), (20_000, 0.54, 1600))}  # fmt: skip
    assert [reached for _, reached in slides.targets(cases, ["grey"])] == [True, False, True]


def test_cases_are_chosen_by_pattern():
    args = slides.parser().parse_args(
        ["--sizes", "2000,5000", "--compare", "0", "--kind", "grey,rgb", "--only", "*/rgb/*"]
    )
    assert [case.name for case in slides.cases_of(args)] == ["own/rgb/2000", "own/rgb/5000"]


def test_hashes_of_a_run_do_not_depend_on_the_order_of_tiles(tmp_path, bank):
    pytest.importorskip("tensorflow")
    from starpoly import StarPoly2D

    model = StarPoly2D.from_pretrained()
    args = argparse.Namespace(work=tmp_path, scale=1, tile_size=384)
    slide = mosaic.Mosaic(500, bank=bank)
    first = slide_exactness._segmented(model, slide, args, 1, None)
    assert first == slide_exactness._segmented(model, slide, args, 2, 5)
    assert int(first["objects"]) > 0
    assert os.listdir(tmp_path) == []
