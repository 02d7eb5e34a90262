"""The workers of a cluster give the same bytes as one process, whatever becomes of them. Real processes on loopback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from starpoly.detection.cluster import open_cluster
from starpoly.errors import ImageError, ModelError, StarpolyError
from starpoly.io.files.find import find_images
from starpoly.prediction import SlideOutputs, opening, segment_slide
from starpoly.prediction.files import predict_file
from starpoly.prediction.models import Models
from starpoly.prediction.outputs import plan_jobs
from starpoly.prediction.request import PredictionRequest
from starpoly.prediction.shared_folder import shared_folder
from starpoly.prediction.tasks import ImageTask, spread_images
from starpoly.timing import Stopwatch

from support.cluster import (
    SECONDS,
    ByBatchModel,
    SlowModel,
    bright_folder,
    load_bright,
    processes,
    wait_until,
    windows,
)
from support.inputs import grey
from support.painted import BrightModel, Broken
from support.web import serving

pytest.importorskip("distributed")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")]

FILES = {"labels": "a_label.tiff", "geojson": "a.geojson", "table": "a_table.csv"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A scheduler and two workers, one of which has two threads."""
    with processes(tmp_path_factory.mktemp("cluster")) as found:
        found.worker("one")
        found.worker("two", "--nthreads", "2")
        with open_cluster(found.address) as connected:
            wait_until(lambda: len(connected._client.nthreads()) == 2)
            yield connected


def outputs(folder: Path) -> SlideOutputs:
    return SlideOutputs(**{kind: folder / name for kind, name in FILES.items()})


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def slide(tmp_path_factory) -> Path:
    """A tiled image of 300 x 340 pixels with squares."""
    path = tmp_path_factory.mktemp("slide") / "slide.tif"
    tifffile.imwrite(path, np.tile(grey(3), (3, 3))[:300, :340], tile=(64, 64))
    return path


@pytest.fixture
def streamed(monkeypatch):
    """Images of any size are slides."""
    monkeypatch.setattr(opening, "LARGEST_HELD", 0)


@pytest.fixture
def expected(slide, tmp_path, streamed):
    """Files of the slide, made by one process."""
    segment_slide(BrightModel(), slide, outputs(tmp_path / "here"), tile_size=48)
    return contents(tmp_path / "here")


def test_a_slide(slide, expected, cluster, tmp_path):
    result = segment_slide(
        BrightModel(), slide, outputs(tmp_path / "there"), tile_size=48, client=cluster._client, journal=tmp_path / "j"
    )
    assert result.n_tiles > 30
    assert contents(tmp_path / "there") == expected
    assert not (tmp_path / "j").exists()


@pytest.mark.parametrize("largest", [10**9, 0], ids=["held", "tiles"])
def test_a_zarr_at_a_url(slide, cluster, tmp_path, monkeypatch, largest):
    """Workers read their regions themselves."""
    pytest.importorskip("aiohttp")
    monkeypatch.setattr(opening, "LARGEST_HELD", largest)
    zarr.create_array(store=tmp_path / "slide.zarr", data=tifffile.imread(slide), chunks=(64, 64))
    segment_slide(BrightModel(), tmp_path / "slide.zarr", outputs(tmp_path / "here"), tile_size=48)
    with serving(tmp_path) as server:
        url = f"{server.url}/slide.zarr"
        segment_slide(BrightModel(), url, outputs(tmp_path / "there"), tile_size=48, client=cluster._client)
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


def test_an_image_in_memory(slide, cluster, tmp_path):
    image = tifffile.imread(slide)
    segment_slide(BrightModel(), image, outputs(tmp_path / "here"), tile_size=48)
    segment_slide(BrightModel(), image, outputs(tmp_path / "there"), tile_size=48, client=cluster.address)
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


@pytest.mark.parametrize("largest", [10**9, 0], ids=["planes", "tiles"])
def test_a_stack(cluster, tmp_path, monkeypatch, largest):
    path = tmp_path / "stack.ome.tif"
    tifffile.imwrite(path, np.stack([grey(seed) for seed in range(5)]), metadata={"axes": "ZYX"}, ome=True)
    monkeypatch.setattr(opening, "LARGEST_HELD", largest)
    segment_slide(BrightModel(), path, outputs(tmp_path / "here"), tile_size=48, link="z")
    segment_slide(BrightModel(), path, outputs(tmp_path / "there"), tile_size=48, link="z", client=cluster._client)
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


@pytest.fixture
def folder(tmp_path) -> Path:
    """Images, one that is none, and a stack."""
    folder = tmp_path / "images"
    folder.mkdir()
    for seed in range(6):
        tifffile.imwrite(folder / f"{seed}.tif", grey(seed))
    (folder / "broken.tif").write_bytes(b"II*\0no image")
    tifffile.imwrite(folder / "stack.ome.tif", np.stack([grey(7), grey(8)]), metadata={"axes": "ZYX"}, ome=True)
    return folder


def test_a_folder(folder, cluster, tmp_path):
    request, model = PredictionRequest(), bright_folder(tmp_path / "model")
    models = Models(str(model), load_bright)
    found = find_images([folder]).images
    rows = {}
    for where in ("here", "there"):
        jobs = plan_jobs(found, tmp_path / where, ("geojson", "table"))
        (tmp_path / where).mkdir()
        with shared_folder(tmp_path / where) as token:
            task = ImageTask(str(model), load_bright, request, token)
            outcomes = list(spread_images(cluster, task, jobs)) if where == "there" else [(job, None) for job in jobs]
        rows[where] = []
        for job, outcome in outcomes:
            row = None if outcome is None else outcome.row
            error = None if outcome is None else outcome.error
            if row is None and error is None:
                try:
                    row = predict_file(job, models, request, Stopwatch(), executor=outcome and cluster)
                except ImageError as raised:
                    error = raised
            rows[where].append(
                str(error).partition(" (worker")[0]
                if row is None
                else {**row, "labels": "", "geojson": "", "table": ""}
            )
    assert rows["there"] == rows["here"]
    assert sum(isinstance(row, str) for row in rows["here"]) == 1
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


def test_a_worker_that_is_killed_and_one_that_comes_late(slide, expected, tmp_path):
    with processes(tmp_path) as found, open_cluster(found.address) as cluster:
        first, model = found.worker("first"), SlowModel(tmp_path, 0.1)
        done: list[object] = []

        def run():
            segment_slide(model, slide, outputs(tmp_path / "there"), tile_size=48, client=cluster._client)
            done.append(True)

        running = threading.Thread(target=run)
        running.start()
        wait_until(lambda: windows(tmp_path).get(first.pid, 0) > 3)
        second = found.worker("second")
        wait_until(lambda: windows(tmp_path).get(second.pid, 0) > 3)
        os.kill(first.pid, signal.SIGKILL)
        running.join(SECONDS)
    assert done
    assert contents(tmp_path / "there") == expected


def test_a_worker_without_the_model(tmp_path, slide):
    model = bright_folder(tmp_path / "model")
    images = tmp_path / "images"
    images.mkdir()
    tifffile.imwrite(images / "a.tif", grey(1))
    (tmp_path / "out").mkdir()
    with processes(tmp_path) as found, open_cluster(found.address) as cluster:
        found.worker("lonely")
        (job,) = plan_jobs(find_images([images]).images, tmp_path / "out")
        model.rename(tmp_path / "elsewhere")
        with shared_folder(tmp_path / "out") as token:
            task = ImageTask(str(model), load_bright, PredictionRequest(), token)
            ((_, outcome),) = spread_images(cluster, task, [job])
        assert isinstance(outcome.error, ModelError)
        assert "no such model" in str(outcome.error)
        assert "(worker tcp://127.0.0.1:" in str(outcome.error)


def test_a_worker_that_does_not_see_the_output_folder(cluster, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    tifffile.imwrite(images / "a.tif", grey(1))
    (job,) = plan_jobs(find_images([images]).images, tmp_path / "out")
    task = ImageTask(
        str(bright_folder(tmp_path / "model")), load_bright, PredictionRequest(), tmp_path / "no" / "token"
    )
    ((_, outcome),) = spread_images(cluster, task, [job])
    assert "shared storage" in str(outcome.error)
    assert not (tmp_path / "out").exists()


DRIVER = """
import sys
from pathlib import Path
from starpoly.prediction import SlideOutputs, opening, segment_slide
from support.cluster import SlowModel

opening.LARGEST_HELD = 0
folder, slide, address = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
outputs = {"labels": "a_label.tiff", "geojson": "a.geojson", "table": "a_table.csv"}
segment_slide(
    SlowModel(folder, 0.1), slide, SlideOutputs(**{kind: folder / "there" / name for kind, name in outputs.items()}),
    tile_size=48, client=address, journal=folder / "journal",
)
"""


def test_a_driver_that_is_killed_and_started_again(slide, expected, cluster, tmp_path):
    tests = str(Path(__file__).parents[1])
    command = [sys.executable, "-W", "ignore", "-c", DRIVER, str(tmp_path), str(slide), cluster.address]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(tests).parent), tests])}
    driver = subprocess.Popen(command, env=environment)
    wait_until(lambda: len(list((tmp_path / "journal").glob("tile_*"))) > 4)
    driver.kill()
    driver.wait(SECONDS)
    assert sum(windows(tmp_path).values()) > 4
    assert not (tmp_path / "there" / FILES["labels"]).exists()
    assert (tmp_path / "journal" / "run.json").exists()
    subprocess.run(command, env=environment, check=True, timeout=SECONDS)
    assert contents(tmp_path / "there") == expected
    assert not (tmp_path / "journal").exists()


def test_answers_that_differ_with_the_batch(slide, cluster, tmp_path, streamed):
    """As a network's do by their last bits: windows come in the batches of the lattice, wherever they are done."""
    for where, client in (("here", None), ("there", cluster._client)):
        segment_slide(ByBatchModel(), slide, outputs(tmp_path / where), tile_size=48, client=client)
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


class Failing(BrightModel):
    """A model whose network fails."""

    def __init__(self) -> None:
        super().__init__()
        self._predictor = Broken(max_distance=10.0)


def test_an_error_on_a_worker_names_it(slide, cluster, tmp_path, streamed):
    with pytest.raises(StarpolyError, match=r"unexpected RuntimeError: broken \(worker tcp://127.0.0.1:\d+ on "):
        segment_slide(Failing(), slide, outputs(tmp_path), scale=1.0, client=cluster._client)
    assert not (tmp_path / FILES["labels"]).exists()


def test_what_cannot_be_sent_is_refused(slide, cluster, tmp_path, streamed):
    model = BrightModel()
    model._predictor.hook = lambda: None
    with pytest.raises(StarpolyError, match="sent to workers"):
        segment_slide(model, slide, outputs(tmp_path), scale=1.0, normalizer=False, client=cluster._client)
