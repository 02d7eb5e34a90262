"""Slides: whatever the source, the tiles and the interruptions, the same bytes as in one piece."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile

from starpoly.config import ModelSpec, NetworkConfig, NormalizationConfig
from starpoly.detection.journal import held_journal
from starpoly.detection.options import DetectionOptions
from starpoly.errors import ImageError, StarpolyError
from starpoly.io.files.atomic import beside
from starpoly.io.readers.images import open_source
from starpoly.model import StarPoly2D
from starpoly.prediction import image_run, opening
from starpoly.prediction.formats import SlideOutputs
from starpoly.prediction.outputs import Job
from starpoly.prediction.request import PredictionRequest
from starpoly.prediction.slide import SlideResult, segment_slide
from starpoly.tiling import Box

from support.painted import Broken, Painted, PaintedModel, disks, identity, paint

pytestmark = pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")


@pytest.fixture(autouse=True)
def nothing_is_held(monkeypatch):
    """Small images are segmented as large ones are, tile by tile."""
    monkeypatch.setattr(opening, "LARGEST_HELD", 0)


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    """A tiled TIFF of a painted image, and the labels of the image in one piece."""
    image = paint(disks((150, 130), seed=4, n=30)).astype(np.float32)
    path = tmp_path_factory.mktemp("slide") / "slide.tif"
    tifffile.imwrite(path, image, tile=(32, 48), planarconfig="contig", photometric="minisblack")
    labels, details = PaintedModel().predict_instances(image)
    return path, image, labels, details


def outputs(folder) -> SlideOutputs:
    return SlideOutputs(labels=folder / "labels.tiff", geojson=folder / "objects.geojson", table=folder / "table.csv")


@pytest.mark.parametrize("kind", ["file", "array", "source"])
@pytest.mark.parametrize("tile_size", [24, 64, 4096])
def test_slide_equals_the_image_in_one_piece(slide, tmp_path, kind, tile_size):
    path, image, labels, details = slide
    given = {"file": path, "array": image, "source": open_source(path)}[kind]
    result = segment_slide(PaintedModel(), given, outputs(tmp_path), tile_size=tile_size)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "labels.tiff"), labels)
    assert result.n_objects == len(details["prob"]) == labels.max()
    assert len(json.loads((tmp_path / "objects.geojson").read_text())["features"]) == result.n_objects
    assert (tmp_path / "table.csv").read_text().count("\n") == result.n_objects + 1


class Stopped(Exception):
    pass


def test_stopped_and_repeated_ends_with_the_same_bytes(slide, tmp_path):
    path = slide[0]
    segment_slide(PaintedModel(), path, outputs(tmp_path / "whole"), tile_size=24)
    journal = tmp_path / "journal"
    for n in (3, 7, 2):
        model = PaintedModel()
        network = model._predictor
        call, left = network.__class__.__call__, [n]

        def stopping(batch, network=network, call=call, left=left):
            left[0] -= 1
            if left[0] < 0:
                raise Stopped
            return call(network, batch)

        stopping.__dict__.update(network.__dict__)
        model._predictor = stopping
        with pytest.raises(Stopped):
            segment_slide(model, path, outputs(tmp_path / "parts"), tile_size=24, journal=journal)
        assert not list((tmp_path / "parts").iterdir())
    segment_slide(PaintedModel(), path, outputs(tmp_path / "parts"), tile_size=24, journal=journal)
    assert not journal.exists()
    for name in ("labels.tiff", "table.csv"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_journal_of_another_threshold_is_refused(slide, tmp_path):
    path = slide[0]
    journal = tmp_path / "journal"
    model = PaintedModel()
    model._predictor = Broken()
    with pytest.raises(RuntimeError, match="broken"):
        segment_slide(model, path, outputs(tmp_path), journal=journal)
    with pytest.raises(StarpolyError, match="another prob_threshold"):
        segment_slide(PaintedModel(), path, outputs(tmp_path), journal=journal, prob_threshold=0.9)


def test_region_is_an_image_of_its_own(slide, tmp_path):
    path, image = slide[:2]
    roi = Box(20, 30, 120, 100)
    segment_slide(PaintedModel(), path, outputs(tmp_path), roi=roi, tile_size=24)
    expected, _ = PaintedModel().predict_instances(image[roi.slices])
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "labels.tiff"), expected)


@pytest.mark.parametrize(("side", "n_bytes"), [(50, 1 << 26), (4096, 50_000)])
def test_overlay_of_a_slide_is_reduced_in_steps(slide, tmp_path, monkeypatch, side, n_bytes):
    from PIL import Image

    from starpoly.io.writers.overlay import draw_overlay
    from starpoly.prediction import overlay

    path, image, labels, _ = slide
    monkeypatch.setattr(overlay, "OVERLAY_SIDE", side)
    monkeypatch.setattr(overlay, "OVERLAY_BYTES", n_bytes)
    segment_slide(PaintedModel(), path, SlideOutputs(overlay=tmp_path / "o.png"))
    with Image.open(tmp_path / "o.png") as picture:
        assert picture.size == (33, 38)
        np.testing.assert_array_equal(np.asarray(picture), draw_overlay(image[::4, ::4], labels[::4, ::4]))


def test_fingerprint_tells_models_apart():
    class Weights:
        engine = "tensorflow"

        def __init__(self, value, precision="float32"):
            self.weights_digest = f"{value:064x}"
            self.precision = precision

    spec = ModelSpec("m", NetworkConfig(), max_distance=10.0)
    first = StarPoly2D(spec, Weights(1)).fingerprint()
    assert first == StarPoly2D(spec, Weights(1)).fingerprint()
    assert first != StarPoly2D(spec, Weights(2)).fingerprint()
    assert first != StarPoly2D(spec, Weights(1, "bfloat16")).fingerprint()
    assert (
        first != StarPoly2D(spec.replace(normalization=NormalizationConfig(2, 99).to_dict()), Weights(1)).fingerprint()
    )


def test_a_result_tells_its_size_in_one_line():
    result = SlideResult(512, (3000, 2000, 3), 6, {"network": 1.0}, n_skipped=2)
    assert repr(result) == "SlideResult(512 objects in 3000 x 2000 px, 4 of 6 tiles)"


def test_axes_and_normalizers_of_csbdeep_reach_the_files(slide, tmp_path):
    from csbdeep.data import NoNormalizer, PercentileNormalizer

    image, expected = slide[1], slide[2]
    files = outputs(tmp_path)
    segment_slide(PaintedModel(), image.transpose(2, 0, 1), files, axes="CYX", normalizer=NoNormalizer())
    np.testing.assert_array_equal(tifffile.imread(files.labels), expected)
    with pytest.raises(ImageError, match="to name its axes itself, got axes 'CYX'"):
        segment_slide(PaintedModel(), slide[0], files, axes="CYX")
    model = PaintedModel()
    model._normalizer = lambda image, given, executor=None: (seen.append(given), (image, identity()))[1]
    seen: list = []
    given = PercentileNormalizer(2, 99)
    segment_slide(model, image, files, normalizer=given)
    assert seen == [given]


def test_a_run_with_another_normalizer_is_another_run(slide, tmp_path):
    model, journal = PaintedModel(), tmp_path / "journal"
    model._predictor = Broken()
    with pytest.raises(RuntimeError, match="broken"):
        segment_slide(model, slide[0], outputs(tmp_path), journal=journal, normalizer=False)
    with pytest.raises(StarpolyError, match="another normalizer"):
        segment_slide(PaintedModel(), slide[0], outputs(tmp_path), journal=journal)


def test_a_large_image_in_memory_continues_from_its_finished_tiles(slide, tmp_path, monkeypatch, every_window):
    path, expected = slide[0], slide[2]
    monkeypatch.setattr(opening, "LARGEST_HELD", 32_000_000)
    monkeypatch.setattr(image_run, "JOURNAL_FROM", 0)
    journal = beside(tmp_path / "l", "progress")

    class Stopping(Painted):
        def __call__(self, batch):
            if len(self.windows) == 5:
                raise KeyboardInterrupt
            return super().__call__(batch)

    def segment(model):
        request = PredictionRequest(DetectionOptions(tile_size=24))
        with opening.open_image(path, request.part) as source:
            assert isinstance(source, opening.HeldSource)
            return image_run.segment_source(model, path, source, outputs(tmp_path), request, journal=journal)

    model = PaintedModel()
    model._predictor = Stopping()
    with pytest.raises(KeyboardInterrupt):
        segment(model)
    assert Job(path, SlideOutputs(labels=tmp_path / "l")).is_unfinished
    assert not journal.exists()
    assert not outputs(tmp_path).labels.exists()
    again = PaintedModel()
    result = segment(again)
    assert 0 < result.n_tiles - len(again._predictor.windows) <= 5
    np.testing.assert_array_equal(tifffile.imread(outputs(tmp_path).labels), expected)
    assert not held_journal(journal).exists()
