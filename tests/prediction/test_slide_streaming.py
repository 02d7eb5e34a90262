"""Results are written while the rest of a slide is found, and end with the bytes of the image in one piece."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from starpoly.errors import OutputError
from starpoly.io.files.atomic import beside
from starpoly.io.writers import label_tiff, ome_zarr
from starpoly.labels import streaming
from starpoly.prediction import opening
from starpoly.prediction.formats import SlideOutputs
from starpoly.prediction.slide import segment_slide

import reference
from support.examples import LABELS
from support.painted import Painted, PaintedModel, disks, paint, shuffled

pytestmark = pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
#: Longer than any of these runs takes
LONG = 60


@pytest.fixture(autouse=True)
def fine(monkeypatch):
    """Small images are worth several tiles in files, and are taken up row by row."""
    monkeypatch.setattr(streaming, "BAND", 1)
    monkeypatch.setattr(opening, "LARGEST_HELD", 0)
    monkeypatch.setattr(label_tiff, "LARGEST_PLAIN", 0)
    monkeypatch.setattr(label_tiff, "TILE", 16)
    monkeypatch.setattr(label_tiff, "_SMALLEST_LEVEL", 32)
    monkeypatch.setattr(label_tiff, "_AT_ONCE", 1024)
    monkeypatch.setattr(ome_zarr, "CHUNK", 32)


def outputs(folder: Path) -> SlideOutputs:
    names = {"labels": "l.tiff", "zarr": "l.zarr", "geojson": "o.geojson", "rois": "r.zip", "table": "t.csv"}
    return SlideOutputs(**{kind: folder / name for kind, name in names.items()})


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def run(image: np.ndarray, tile_size: int, model: PaintedModel | None = None, **options) -> dict[str, bytes]:
    """The bytes of all results."""
    with TemporaryDirectory() as name:
        segment_slide(model or PaintedModel(), image, outputs(Path(name)), tile_size=tile_size, **options)
        return contents(Path(name))


def needs_packages():
    for package in ("zarr", "roifile"):
        pytest.importorskip(package)


@settings(max_examples=12)
@given(
    shape=st.tuples(st.integers(1, 100), st.integers(1, 80)),
    tile_size=st.integers(8, 64),
    seed=st.integers(0, 99),
    scale=st.sampled_from([1, 1, 0.5, 2]),
    order=st.none() | st.randoms(use_true_random=False),
)
def test_bytes_are_those_of_one_tile(shape, tile_size, seed, scale, order):
    needs_packages()
    image = paint(disks(shape, seed)).astype(np.float32)
    whole = run(image, 4096, scale=scale)
    with pytest.MonkeyPatch.context() as patch:
        if order is not None:
            patch.setattr("starpoly.detection.pipeline.plan_tiles", shuffled(order))
        assert run(image, tile_size, scale=scale) == whole


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("tile_size", [9, 24])
def test_the_catalogue_is_what_it_is_in_one_piece(name, tile_size, tmp_path):
    labels = np.unique(np.maximum(LABELS[name], 0), return_inverse=True)[1].reshape(LABELS[name].shape)
    image = paint(labels).astype(np.float32)
    segment_slide(PaintedModel(), image, SlideOutputs(labels=tmp_path / "l.tiff"), tile_size=tile_size)
    found, details = PaintedModel().predict_instances(image)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "l.tiff"), found)
    np.testing.assert_array_equal(found, reference.numbered_labels(details["polygons"], labels.shape))


def test_an_object_much_larger_than_a_tile_is_waited_for():
    needs_packages()
    y, x = np.mgrid[:150, :120]
    labels = disks((150, 120), seed=3, n=30)
    labels[np.hypot(y - 75, x - 58) < 45] = 99
    image = paint(labels).astype(np.float32)
    assert run(image, 16) == run(image, 4096)


def test_what_is_doubtful_takes_no_id(tmp_path):
    model = PaintedModel()
    model.spec = model.spec.replace(calibration=[(0.0, 0.0), (1.0, 1.0)])
    image = paint(disks((90, 80), seed=1, n=20)).astype(np.float32)
    image[40:, :, 0] *= np.float32(0.6)
    segment_slide(model, image, SlideOutputs(labels=tmp_path / "l.tiff"), tile_size=24, min_confidence=0.7)
    labels, every = (model.predict_instances(image, min_confidence=least)[0] for least in (0.7, 0))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "l.tiff"), labels)
    assert 0 < labels.max() < every.max()


@pytest.fixture
def large() -> np.ndarray:
    """A slide of many rows of tiles."""
    return paint(disks((400, 90), seed=2, n=80)).astype(np.float32)


@pytest.fixture
def wanted(large) -> dict[str, bytes]:
    """The bytes of its results, found in one piece."""
    needs_packages()
    return run(large, 4096, Watched())


class Watched(PaintedModel):
    """Calls something before each window is looked at, with its number."""

    def __init__(self, before=lambda number: None):
        super().__init__(max_distance=30.0)
        self._predictor = WatchedNetwork(before)


class WatchedNetwork(Painted):
    def __init__(self, before):
        super().__init__(max_distance=30.0)
        self._before = before

    def __call__(self, batch):
        self._before(len(self.windows))
        return super().__call__(batch)


def until(event) -> None:
    """Wait for what another thread does."""
    end = time.monotonic() + LONG
    while not event():
        assert time.monotonic() < end, "it does not come while the last window waits"
        time.sleep(0.002)


def test_results_are_written_before_the_last_tile_is_looked_at(large, tmp_path, every_window):
    pytest.importorskip("zarr")
    sizes, n_tiles = {}, segment_slide(Watched(), large, SlideOutputs(), tile_size=40).n_tiles

    def before(number):
        if number == n_tiles - 1:
            # of 13 754 bytes, 52 chunks in their folders, and 33 210 bytes
            until(lambda: beside(tmp_path / "l.tiff", "part").stat().st_size > 4_000)
            until(lambda: len(list((beside(tmp_path / "l.zarr", "part") / "0" / "c").rglob("*"))) > 20)
            until(lambda: beside(tmp_path / "o.geojson", "part").stat().st_size > 15_000)
            sizes.update(
                {path.name: path.exists() for path in map(Path, [tmp_path / "l.tiff", tmp_path / "o.geojson"])}
            )

    segment_slide(Watched(before), large, outputs(tmp_path), tile_size=40)
    assert sizes == {"l.tiff": False, "o.geojson": False}
    labels = tifffile.imread(tmp_path / "l.tiff")
    np.testing.assert_array_equal(labels, Watched().predict_instances(large)[0])


def test_only_the_last_rows_are_left_when_the_last_tile_is_looked_at(large, monkeypatch):
    """Rows wait for the tiles around them, and for no others."""
    drawable, labels = [], []
    init = streaming.StreamingLabels.__init__

    def remembering(self, *args, **options):
        init(self, *args, **options)
        labels.append(self)

    monkeypatch.setattr(streaming.StreamingLabels, "__init__", remembering)
    n_tiles = segment_slide(Watched(), large, SlideOutputs(), tile_size=40).n_tiles

    def before(number):
        if number == n_tiles - 1:
            until(lambda: labels[-1].n_drawable > 280)
            drawable.append(labels[-1].n_drawable)

    segment_slide(Watched(before), large, SlideOutputs(), tile_size=40)
    assert 280 < drawable[0] < 400


@pytest.mark.parametrize("n_done", [0, 1, 10, 30, 55])
@pytest.mark.parametrize("order", [None, 5])
def test_stopped_anywhere_and_gone_on_with(large, wanted, tmp_path, monkeypatch, n_done, order):
    needs_packages()
    if order is not None:
        monkeypatch.setattr("starpoly.detection.pipeline.plan_tiles", shuffled(random.Random(order)))

    class Stopped(Exception):
        pass

    def before(number):
        if number == n_done:
            raise Stopped

    with pytest.raises(Stopped):
        segment_slide(Watched(before), large, outputs(tmp_path / "out"), tile_size=40, journal=tmp_path / "journal")
    assert not contents(tmp_path / "out")
    segment_slide(Watched(), large, outputs(tmp_path / "out"), tile_size=40, journal=tmp_path / "journal")
    assert contents(tmp_path / "out") == wanted


@pytest.mark.parametrize("kind", ["geojson", "labels", "table", "zarr"])
def test_what_cannot_be_written_ends_the_run_which_can_be_gone_on_with(large, wanted, tmp_path, monkeypatch, kind):
    needs_packages()
    files, stopped, numbers = outputs(tmp_path / "out"), threading.Event(), []
    stop = streaming.StreamingLabels.stop
    monkeypatch.setattr(streaming.StreamingLabels, "stop", lambda self, error: (stop(self, error), stopped.set()))

    def full(*args, **options):
        raise OutputError(f"{kind} cannot be written; free space, then repeat the command")

    writer = {"geojson": "geojson", "labels": "label_tiff", "table": "table", "zarr": "ome_zarr"}[kind]

    def before(number):
        numbers.append(number)
        if number == 5:
            assert stopped.wait(LONG)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"starpoly.io.writers.{writer}.write_results", full)
        with pytest.raises(OutputError, match=f"{kind} cannot be written"):
            segment_slide(Watched(before), large, files, tile_size=40, journal=tmp_path / "journal")
    assert numbers[-1] < 11
    assert list((tmp_path / "journal").glob("tile_*"))
    assert not list((tmp_path / "out").glob(".*"))
    segment_slide(Watched(), large, files, tile_size=40, journal=tmp_path / "journal")
    assert contents(tmp_path / "out") == wanted


def test_more_objects_than_16_bits_number_begin_the_files_anew(tmp_path, monkeypatch):
    zarr = pytest.importorskip("zarr")
    monkeypatch.setattr(label_tiff, "TILE", 128)
    monkeypatch.setattr(ome_zarr, "CHUNK", 128)
    image = np.zeros((520, 520, 9), np.float32)
    image[::2, ::2] = [1, *[0.4] * 8]
    dtypes = []
    picture = streaming.StreamingLabels.picture
    monkeypatch.setattr(
        streaming.StreamingLabels, "picture", lambda self: (dtypes.append((made := picture(self)).dtype.name), made)[1]
    )
    files = SlideOutputs(labels=tmp_path / "l.tiff", zarr=tmp_path / "l.zarr")
    result = segment_slide(PaintedModel(max_distance=2.0), image, files, tile_size=128)
    assert result.n_objects == 67_600
    assert sorted(dtypes) == ["uint16"] * 2 + ["uint32"] * 2
    labels = tifffile.imread(files.labels)
    assert labels.dtype == np.uint32
    np.testing.assert_array_equal(labels[::2, ::2].ravel(), np.arange(1, 67_601))
    np.testing.assert_array_equal(zarr.open_array(str(files.zarr / "0"))[:], labels)
    assert {path.name for path in tmp_path.iterdir()} == {"l.tiff", "l.zarr"}
