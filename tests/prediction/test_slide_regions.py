"""Slides of which a part is looked at: masks, tissue, sizes of pixels, and what is said about it all."""

from __future__ import annotations

import csv
import json
import logging

import numpy as np
import pytest
import tifffile
from PIL import Image

from starpoly.errors import ConfigError, ImageError, StarpolyError, StarpolyWarning
from starpoly.io.readers.images import read_pixel_size
from starpoly.prediction import opening
from starpoly.prediction.formats import SlideOutputs
from starpoly.prediction.region_masks import RegionMask
from starpoly.prediction.slide import segment_slide
from starpoly.suppression.greedy import suppress
from starpoly.tiling import Box

from reference import numbered_labels
from support.painted import Broken, PaintedModel, disks, paint

pytestmark = pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
SHAPE = (150, 130)


@pytest.fixture(autouse=True)
def nothing_is_held(monkeypatch):
    """Small images are segmented as large ones are, tile by tile."""
    monkeypatch.setattr(opening, "LARGEST_HELD", 0)


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    """A tiled TIFF of a painted image."""
    image = paint(disks(SHAPE, seed=4, n=30)).astype(np.float32)
    path = tmp_path_factory.mktemp("slide") / "slide.tif"
    tifffile.imwrite(path, image, tile=(32, 48), planarconfig="contig", photometric="minisblack")
    return path, image


@pytest.fixture
def mask(tmp_path):
    """A coarse mask of two corners, as a file, and the same over the image."""
    pixels = np.zeros((15, 13), np.uint8)
    pixels[:6, :7] = 255
    pixels[9:, 8:] = 1
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    return tmp_path / "mask.png", RegionMask(pixels > 0, SHAPE)


def expected_labels(image, region: RegionMask, **settings) -> np.ndarray:
    """Of the candidates inside, those that suppression leaves."""
    model = PaintedModel()
    candidates = model.find_candidates(image, **settings)
    kept = suppress(candidates.take(region.contains(candidates.points)), model.thresholds.nms)
    return numbered_labels(kept, image.shape[:2])


@pytest.mark.parametrize("tile_size", [24, 64, 4096])
def test_what_lies_outside_the_mask_does_not_compete(slide, mask, tmp_path, tile_size):
    path, image = slide
    result = segment_slide(
        PaintedModel(), path, SlideOutputs(labels=tmp_path / "l.tiff"), mask=mask[0], tile_size=tile_size
    )
    labels = tifffile.imread(tmp_path / "l.tiff")
    np.testing.assert_array_equal(labels, expected_labels(image, mask[1]))
    assert 0 < result.n_objects < PaintedModel().predict_instances(image)[0].max()
    assert result.fraction == pytest.approx(mask[1].fraction)
    assert (result.n_skipped > 0) == (tile_size < 4096)


def test_enlarged_and_masked(slide, mask, tmp_path):
    path, image = slide
    segment_slide(PaintedModel(), path, SlideOutputs(labels=tmp_path / "l.tiff"), mask=mask[0], scale=2, tile_size=48)
    model = PaintedModel()
    twice = mask[1].resized((300, 260))
    candidates = model.find_candidates(image, scale=2).scale(2)
    kept = suppress(candidates.take(twice.contains(candidates.points)), model.thresholds.nms).scale(0.5)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "l.tiff"), numbered_labels(kept, SHAPE))


def test_a_mask_is_of_the_whole_image_also_for_a_region(slide, mask, tmp_path):
    path, image = slide
    roi = Box(20, 30, 141, 128)
    segment_slide(PaintedModel(), path, SlideOutputs(labels=tmp_path / "l.tiff"), mask=mask[0], roi=roi, tile_size=24)
    np.testing.assert_array_equal(
        tifffile.imread(tmp_path / "l.tiff"), expected_labels(image[roi.slices], mask[1].within(roi))
    )


def test_a_mask_without_a_pixel_in_the_region_is_refused(slide, mask, tmp_path):
    with pytest.raises(ImageError, match="zeros in the whole region"):
        segment_slide(PaintedModel(), slide[0], SlideOutputs(), mask=mask[0], roi=Box(0, 100, 40, 120))


def test_wrong_settings_are_refused(slide, mask):
    with pytest.raises(ConfigError, match="choose one"):
        segment_slide(PaintedModel(), slide[0], SlideOutputs(), mask=mask[0], tissue="auto")
    with pytest.raises(ConfigError, match="expected 'auto'"):
        segment_slide(PaintedModel(), slide[0], SlideOutputs(), tissue="yes")
    with pytest.raises(ImageError, match="positive pixel sizes"):
        segment_slide(PaintedModel(), slide[0], SlideOutputs(), pixel_size=(0.5, -1))


def test_a_run_with_another_mask_is_another_run(slide, mask, tmp_path):
    path = slide[0]
    journal, out = tmp_path / "journal", SlideOutputs(labels=tmp_path / "l.tiff")
    model = PaintedModel()
    model._predictor = Broken()
    with pytest.raises(RuntimeError, match="broken"):
        segment_slide(model, path, out, journal=journal, mask=mask[0])
    for other in ({}, {"mask": np.ones(SHAPE, bool)}):
        with pytest.raises(StarpolyError, match="mask"):
            segment_slide(PaintedModel(), path, out, journal=journal, **other)
    segment_slide(PaintedModel(), path, out, journal=journal, mask=mask[0])
    assert not journal.exists()


@pytest.fixture(scope="module")
def sparse(tmp_path_factory):
    """A larger slide, empty but for a corner."""
    labels = np.zeros((700, 900), np.int32)
    labels[60:210, 80:210] = disks(SHAPE, seed=4, n=30)
    image = paint(labels).astype(np.float32)
    path = tmp_path_factory.mktemp("sparse") / "sparse.tif"
    tifffile.imwrite(path, image, tile=(64, 64), planarconfig="contig", photometric="minisblack", compression="zlib")
    return path, image


def test_empty_glass_is_skipped_and_nothing_is_lost(sparse, tmp_path, caplog):
    path, image = sparse
    caplog.set_level(logging.INFO, "starpoly")
    result = segment_slide(
        PaintedModel(), path, SlideOutputs(labels=tmp_path / "l.tiff"), tissue="auto", tile_size=64, progress=True
    )
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "l.tiff"), PaintedModel().predict_instances(image)[0])
    assert result.fraction < 0.4
    assert result.n_skipped > result.n_tiles / 3
    assert f"tissue: {100 * result.fraction:.3g} % of the image is segmented" in caplog.messages
    assert f"{result.n_skipped} of {result.n_tiles} tiles are skipped, there is nothing to look at" in caplog.messages


def test_in_doubt_all_is_looked_at_and_said(slide, tmp_path):
    with pytest.warns(StarpolyWarning, match="all of it is analysed"):
        result = segment_slide(PaintedModel(), slide[0], SlideOutputs(), tissue="auto")
    assert (result.fraction, result.n_skipped) == (1, 0)


@pytest.mark.parametrize(
    ("stated", "given", "expected"),
    [(None, None, None), (0.25, None, (0.25, 0.25)), (0.25, (0.5, 0.4), (0.5, 0.4)), (None, (0.5, 0.4), (0.5, 0.4))],
)
def test_the_size_of_pixels_goes_to_the_results(slide, tmp_path, stated, given, expected):
    path = tmp_path / "slide.ome.tif"
    metadata = {} if stated is None else {"PhysicalSizeX": stated, "PhysicalSizeY": stated}
    tifffile.imwrite(
        path, slide[1], planarconfig="contig", photometric="minisblack", metadata=metadata | {"axes": "YXS"}
    )
    files = SlideOutputs(
        labels=tmp_path / "l.tiff", zarr=tmp_path / "l.zarr", table=tmp_path / "t.csv", geojson=tmp_path / "g.geojson"
    )
    segment_slide(PaintedModel(), path, files, pixel_size=given)
    assert read_pixel_size(files.labels) == (None if expected is None else pytest.approx(expected))
    (scale,) = json.loads((files.zarr / "zarr.json").read_text())["attributes"]["ome"]["multiscales"][0]["datasets"][0][
        "coordinateTransformations"
    ]
    assert tuple(scale["scale"]) == (expected or (1, 1))
    with open(files.table, newline="") as file:
        row = next(csv.DictReader(file))
    measurements = json.loads(files.geojson.read_text())["features"][0]["properties"]["measurements"]
    assert ("area_um2" in row) == ("area_um2" in measurements) == (expected is not None)
    if expected is not None:
        area = int(row["area"]) * expected[0] * expected[1]
        assert float(row["area_um2"]) == pytest.approx(area, abs=1e-3)
        assert float(row["diameter_um"]) == pytest.approx((4 * area / np.pi) ** 0.5, abs=1e-3)


def test_provenance_says_what_a_result_depends_on(slide, mask, tmp_path):
    path = slide[0]
    files = SlideOutputs(labels=tmp_path / "l.tiff", provenance=tmp_path / "p.json")
    result = segment_slide(
        PaintedModel(), path, files, mask=mask[0], roi=Box(0, 0, 140, 120), channels=range(9), pixel_size=(0.5, 0.5), tile_size=24,
        prob_threshold=0.35,
    )  # fmt: skip
    record = json.loads(files.provenance.read_text())
    assert record["model"] == {
        "name": "painted",
        "fingerprint": "painted",
        "precision": "float32",
        "engine": "tensorflow",
        "tta": "none",
    }
    assert record["settings"] == {
        "prob_threshold": 0.35,
        "nms_threshold": 0.4,
        "tile_size": 24,
        "scale": 1,
        "min_confidence": 0.0,
        "spread": 0,
    }
    assert record["input"].items() >= {
        "file": str(path.resolve()), "name": path.name, "shape": [140, 120, 9], "dtype": "float32", "level": 0,
        "roi": [0, 0, 140, 120], "channels": list(range(9)), "pixel_size": [0.5, 0.5], "fraction": round(result.fraction, 4),
        "mask_from": str(mask[0]),
    }.items()  # fmt: skip
    assert record["tiles"] == {"n": result.n_tiles, "skipped": result.n_skipped, "window": [24, 24], "halo": [6, 6]}
    assert record["normalizer"]["high"] == [1.0] * 9
    assert record["objects"] == result.n_objects
    assert record["seconds"].keys() >= {"network", "geometry", "reading", "measuring"}
    assert record["libraries"]["numpy"] == np.__version__


def test_provenance_of_an_array(slide, tmp_path):
    segment_slide(PaintedModel(), slide[1], SlideOutputs(provenance=tmp_path / "p.json"))
    record = json.loads((tmp_path / "p.json").read_text())
    assert record["input"]["file"] is None
    assert record["input"]["fraction"] == 1


def test_the_normaliser_is_among_the_details():
    image = np.random.default_rng(0).random((40, 40, 9)).astype(np.float32)
    _, details = PaintedModel().predict_instances(image)
    assert details["normalizer"] is details["detection"].normalizer is not None
