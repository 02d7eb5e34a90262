"""Does starpoly stand load: many images, predictions, objects and processes, and a clock that jumps?

    python benchmarks/load.py images [--n 100000]       tiny images in a folder: memory, open files, report
    python benchmarks/load.py predictions [--n 1000]    predictions in one process: memory
    python benchmarks/load.py objects [--n 2000000]     objects in a slide: labels, GeoJSON, table and Parquet agree
    python benchmarks/load.py processes [--n 4]         processes that start at once on a cold cache (with a shipped model)
    python benchmarks/load.py clock [--n 5]             runs while the clock jumps by years: the same bytes
    python benchmarks/load.py constant [--n 20000]      an image of zeros of so many pixels a side: windows and seconds
    python benchmarks/load.py noise [--n 6000]          noise and white of so many pixels a side, by every shipped model
    python benchmarks/load.py training [--n 10000]      steps of a training: memory

A network that takes whatever is bright for a cell stands in for a trained one, but for ``processes`` and ``noise``. Prints JSON. Exit status
1 where something is not as it should be. ``--folder`` names a place for the files (default: a temporary one).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from process import measure, memory_of

MOST_PER_IMAGE = 6_000
"""Bytes that a run may keep of each image: its names, its row in the summary, its numbers in the report."""
MOST_GROWTH_MB = 30
"""Growth that is no leak: heaps are never quite the same."""
_AT_ONCE = 4
"""Windows that threads may look at before one is known to be empty."""
_START = 30.0
"""Seconds that a process may take to start, to compile kernels and to write, on a machine that does other things."""
_STEPS = 100
"""Steps of an epoch."""
_WARM = 0.1
"""Share of the work after which everything is loaded and compiled."""


def bright_model() -> Any:
    """A detector whose network finds bright pixels."""
    from starpoly.config import ModelSpec, NetworkConfig, Thresholds
    from starpoly.model import StarPoly2D
    from starpoly.network.dense_output import DenseOutput
    from starpoly.network.footprint import Footprint

    class Bright:
        grid, stride, footprints, max_distance = (1, 1), (4, 4), (Footprint.of_radius(6, 4, 1),) * 2, 10.0
        n_rays, n_classes, ray_context, has_foreground, tile_size = 8, 0, (), False, 1024
        precision, engine, n_windows = "float32", "tensorflow", 0

        def __call__(self, batch: np.ndarray) -> DenseOutput:
            self.n_windows += 1
            distances = np.full((*batch.shape[:3], self.n_rays), 2.5, np.float32)
            return DenseOutput(probability=batch.max(axis=-1), distances=distances)

    class Model(StarPoly2D):
        def fingerprint(self) -> str:
            return "bright"

    network = NetworkConfig(n_rays=8, grid=(1, 1), depth=2)
    return Model(ModelSpec("bright", network, max_distance=10.0, thresholds=Thresholds(0.6, 0.4)), Bright())


@contextmanager
def bright_command(folder: Path, model: Any = None) -> Iterator[Callable[..., int]]:
    """The command line, with that network in place of every model."""
    from starpoly.cli.main import main
    from starpoly.model import StarPoly2D

    load, model = StarPoly2D.from_pretrained, model or bright_model()
    (folder / "model").mkdir(exist_ok=True)
    described = {"format": 1, **model.spec.to_dict(), "weights_sha256": ""}
    (folder / "model" / "model.json").write_text(json.dumps(described))
    StarPoly2D.from_pretrained = classmethod(lambda cls, *_, **__: model)  # type: ignore[assignment]
    try:
        yield lambda *words: main([str(word) for word in words])
    finally:
        StarPoly2D.from_pretrained = load  # type: ignore[assignment]


def _spots(seed: int, side: int = 24) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = rng.integers(10, 20, (side, side)).astype(np.uint8)
    for y, x in rng.integers(3, side - 5, (3, 2)):
        image[y : y + 3, x : x + 3] = 250
    return image


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0


def images(folder: Path, n: int) -> dict[str, Any]:
    """Many tiny images in a folder; what the run holds of each, and how long finding, segmenting and reporting takes."""
    from PIL import Image

    from starpoly.cli import predict

    source, out = folder / "in", folder / "out"
    source.mkdir()
    for number in range(n):
        Image.fromarray(_spots(number)).save(source / f"{number:06d}.png")
    looks: list[tuple[float, int]] = []
    predict_one = predict._predict_one

    def watched(*arguments: Any, **settings: Any) -> dict[str, Any]:
        row = predict_one(*arguments, **settings)
        looks.append(
            (memory_of().get("VmRSS", 0.0), _open_files()) if len(looks) % max(1, n // 100) == 0 else looks[-1]
        )
        return row

    predict._predict_one = watched
    try:
        with bright_command(folder) as command:
            options = ["--model", folder / "model", "--scale", 1, "--quiet", "--table"]
            start = time.perf_counter()
            status = command("predict", source, "-o", out, *options)
            seconds = time.perf_counter() - start
            start = time.perf_counter()
            report = command("report", out, "--images", source, "--model", folder / "model", "--quiet")
            report_seconds = time.perf_counter() - start
    finally:
        predict._predict_one = predict_one
    warm = looks[int(_WARM * n)]
    growth = 1e6 * (looks[-1][0] - warm[0]) / n
    return {
        "status": status, "report_status": report, "images": n, "seconds_per_image": seconds / n,
        "bytes_kept_per_image": growth, "open_files": [warm[1], looks[-1][1]], "report_seconds": report_seconds,
        "report_mb": (out / "report.html").stat().st_size / 1e6,
        "good": status == report == 0 and looks[-1][1] <= warm[1] + 2
        and growth <= MOST_PER_IMAGE + 1e6 * MOST_GROWTH_MB / n,
    }  # fmt: skip


def predictions(folder: Path, n: int) -> dict[str, Any]:
    """Many predictions in one process: memory and open files after the first tenth, and at the end."""
    model, warm = bright_model(), (0.0, 0)
    for number in range(n):
        model.predict_instances(_spots(number, 128), scale=1.0, tile_size=64)
        if number == int(_WARM * n):
            warm = memory_of().get("VmRSS", 0.0), _open_files()
    end = memory_of().get("VmRSS", 0.0), _open_files()
    good = end[0] - warm[0] < MOST_GROWTH_MB and end[1] <= warm[1]
    return {"predictions": n, "mb": [warm[0], end[0]], "open_files": [warm[1], end[1]], "good": good}


def _found_already(polygons: Any) -> Any:
    """A detector that has found its polygons."""
    from starpoly.detection.pipeline import Detection

    model = bright_model()

    class Ready(type(model)):  # type: ignore[misc]
        def detect(self, *_: Any, receiver: Any = None, **__: Any) -> Detection:
            if receiver is not None:
                receiver.add(polygons, math.inf, math.inf)
            return Detection(polygons, len(polygons), 1)

    return Ready(model.spec, model._predictor)


def objects(folder: Path, n: int) -> dict[str, Any]:
    """Many objects in a slide: the ids of all results are 1..n, or those that show."""
    from starpoly.io.readers.images import open_source
    from starpoly.polygons import StarPolygons
    from starpoly.prediction.formats import SlideOutputs
    from starpoly.prediction.outputs import Job
    from starpoly.prediction.run_table import write_table_of_run
    from starpoly.prediction.slide import segment_slide
    from starpoly.tiling import cut

    side = 6 * math.isqrt(n - 1) + 12
    across = (side - 6) // 6
    number = np.arange(n)
    points = np.stack([number // across, number % across], axis=1) * 6.0 + 4
    polygons = StarPolygons(points, np.full((n, 8), 2.0, np.float32), np.linspace(0.7, 0.9, n))
    image = np.broadcast_to(np.uint8(9), (int(points[-1, 0]) + 8, side))
    paths = {"labels": "l_label.tiff", "geojson": "l.geojson", "table": "l_table.csv"}
    outputs = SlideOutputs(**{kind: folder / name for kind, name in paths.items()})
    start = time.perf_counter()
    result = segment_slide(_found_already(polygons), image, outputs)
    seconds = time.perf_counter() - start
    ids = np.zeros(n + 1, bool)
    with open_source(folder / "l_label.tiff") as labels:
        for box in cut(labels.shape[:2], 2048):
            ids[np.unique(labels[box.slices])] = True
    with open(folder / "l_table.csv", encoding="utf-8") as file:
        next(file)
        table = [int(line.partition(",")[0]) for line in file]
    with open(folder / "l.geojson", encoding="utf-8") as file:
        features = sum(line.count('"Feature"') for line in file)
    counts = {"result": result.n_objects, "labels": int(ids[1:].sum()), "table": len(table), "geojson": features}
    rows = [{"status": "done", "table": str(folder / "l_table.csv")}]
    try:
        import pyarrow.parquet

        write_table_of_run(folder / "all.parquet", [Job(folder / "l.tif", outputs)], rows)
        counts["parquet"] = pyarrow.parquet.read_metadata(folder / "all.parquet").num_rows
    except ImportError:
        pass
    good = set(counts.values()) == {n} and table == list(range(1, n + 1))
    return {"objects": n, "counts": counts, "seconds": seconds, "peak_mb": memory_of().get("VmHWM", 0.0), "good": good}


def processes(folder: Path, n: int) -> dict[str, Any]:
    """Processes that start at once, with neither frozen graphs nor compiled kernels: all end, with the same bytes."""
    from PIL import Image

    Image.fromarray(_spots(0, 256)).save(folder / "a.png")
    caches = {"STARPOLY_CACHE": str(folder / "graphs"), "NUMBA_CACHE_DIR": str(folder / "numba")}
    command = [sys.executable, "-m", "starpoly", "predict", str(folder / "a.png"), "--quiet", "-o"]
    start = time.perf_counter()
    running = [
        subprocess.Popen([*command, str(folder / f"out{number}")], env={**os.environ, **caches}) for number in range(n)
    ]
    statuses = [process.wait() for process in running]
    found = {path.read_bytes() for path in folder.glob("out*/a_label.tiff")}
    graphs = [path.name for path in (folder / "graphs").rglob("*") if path.is_file()]
    good = statuses == [0] * n and len(found) == 1 and not any(name.startswith(".") for name in graphs)
    return {"statuses": statuses, "different": len(found), "graphs": len(graphs), "seconds": time.perf_counter() - start,
            "good": good}  # fmt: skip


def clock(folder: Path, n: int) -> dict[str, Any]:
    """Runs while the clock jumps back and forth by years, on inputs with dates of any time."""
    import tifffile

    image, rng = folder / "a.tif", random.Random(0)
    tifffile.imwrite(image, np.tile(_spots(0, 96), (4, 4)), tile=(64, 64))
    now, seen = time.time, set()
    statuses = []
    with bright_command(folder) as command:
        for number in range(n):
            out = folder / f"out{number}"
            os.utime(image, (rng.choice([-(2.0**31), 0.0, 2.0**31, 2.0**33]),) * 2)
            time.time = (lambda: now() + rng.uniform(-1e9, 1e9)) if number else now
            try:
                options = ["--model", folder / "model", "--scale", 1, "--tile-size", 64, "--quiet", "--table"]
                statuses.append(command("predict", image, "-o", out, *options, "--roi", "0,0,384,384"))
            finally:
                time.time = now
            seen.add(tuple(path.read_bytes() for path in sorted(out.iterdir())))
    return {"runs": n, "statuses": statuses, "different": len(seen), "good": not any(statuses) and len(seen) == 1}


def constant(folder: Path, n: int) -> dict[str, Any]:
    """A slide of zeros: the network is asked once or twice, and the labels are zeros."""
    from starpoly.io.readers.images import open_source

    np.lib.format.open_memmap(folder / "a.npy", "w+", np.uint8, (n, n)).flush()
    model = bright_model()
    with bright_command(folder, model) as command:
        start = time.perf_counter()
        status = command(
            "predict", folder / "a.npy", "-o", folder / "out", "--model", folder / "model", "--scale", 1, "--quiet"
        )
        seconds = time.perf_counter() - start
    with open_source(folder / "out" / "a_label.tiff") as labels:
        corner = labels[-9:, -9:]
        shape = labels.shape[:2]
    good = status == 0 and shape == (n, n) and not corner.any() and model._predictor.n_windows <= _AT_ONCE
    return {"side": n, "windows": model._predictor.n_windows, "seconds": seconds, "good": good}


def noise(folder: Path, n: int) -> dict[str, Any]:
    """Noise and white, by every shipped model: what is not the network's takes no longer than the network and some seconds."""
    from starpoly.model_zoo import available_models

    sides = (n, n)
    np.save(folder / "white.npy", np.full(sides, 255, np.uint8))
    np.save(folder / "noise.npy", np.random.default_rng(0).integers(0, 256, sides, np.uint8))
    found: dict[str, Any] = {}
    for model in available_models():
        for kind in ("white", "noise"):
            out = folder / f"{model}-{kind}"
            options = ["--model", model, "--scale", "1", "--quiet", "--provenance"]
            command = [sys.executable, "-m", "starpoly", "predict", folder / f"{kind}.npy", "-o", out, *options]
            measured = measure(command, folder)
            record = json.loads((out / f"{kind}_provenance.json").read_text())
            network = sum(value for stage, value in record["seconds"].items() if stage.rpartition(": ")[2] == "network")
            found[f"{model}, {kind}"] = {
                "status": measured.status, "seconds": measured.seconds, "network": network, "peak_mb": measured.peak_mb,
                "objects": record["objects"], "good": measured.status == 0 and measured.seconds < 2 * network + _START,
            }  # fmt: skip
            shutil.rmtree(out)
    return {"side": n, "models": found, "good": all(each["good"] for each in found.values())}


def training(folder: Path, n: int) -> dict[str, Any]:
    """Steps of a training with pictures of the network's work: memory after the first quarter, and at the end."""
    import tifffile
    from PIL import Image
    from scipy import ndimage

    for number in range(4):
        spots = _spots(number, 96)
        for name in ("images", "masks"):
            (folder / name).mkdir(exist_ok=True)
        Image.fromarray(spots).save(folder / "images" / f"{number}.png")
        tifffile.imwrite(folder / "masks" / f"{number}.tif", ndimage.label(spots > 200)[0].astype(np.uint16))
    network = "depth = 1\nbase_filters = 4\nmax_filters = 4\nhead_filters = 4\nforeground_filters = 2\nn_rays = 8\n"
    (folder / "config.toml").write_text(f"[network]\n{network}[training]\nvalidation_patches = 2\n")
    epochs = max(2, n // _STEPS)
    command = [
        sys.executable, "-m", "starpoly", "train", "--images", folder / "images", "--masks", folder / "masks",
        "-o", folder / "model", "--config", folder / "config.toml", "--epochs", str(epochs), "--steps", str(n // epochs),
        "--batch-size", "2", "--patch-size", "32", "--inspect-every", "25",
    ]  # fmt: skip
    measured = measure(command, folder)
    quarter = [mb for seconds, mb in measured.memory if seconds > measured.seconds / 4] or [measured.peak_mb]
    growth = measured.peak_mb - max(quarter[: max(1, len(quarter) // 10)])
    return {"steps": epochs * (n // epochs), "status": measured.status, "seconds": measured.seconds,
            "peak_mb": measured.peak_mb, "growth_mb": growth, "good": measured.status == 0 and growth < MOST_GROWTH_MB}  # fmt: skip


TRIALS: dict[str, tuple[Callable[[Path, int], dict[str, Any]], int]] = {
    "images": (images, 100_000),
    "predictions": (predictions, 1_000),
    "objects": (objects, 2_000_000),
    "processes": (processes, 4),
    "clock": (clock, 5),
    "constant": (constant, 20_000),
    "noise": (noise, 6_000),
    "training": (training, 10_000),
}


def main(argv: list[str] | None = None) -> int:
    """Run a trial and print what was found; 1 where it is not good."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trial", choices=TRIALS)
    parser.add_argument("--n", type=int, help="how many (default: as above)")
    parser.add_argument("--folder", type=Path, help="place for the files")
    args = parser.parse_args(argv)
    trial, usual = TRIALS[args.trial]
    folder = Path(tempfile.mkdtemp(dir=args.folder))
    try:
        found = trial(folder, args.n or usual)
    finally:
        shutil.rmtree(folder)
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return int(not found["good"])


if __name__ == "__main__":
    sys.exit(main())
