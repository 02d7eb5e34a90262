"""What the workers of a cluster bring, and what they cost the process that shares the work out.

    python benchmarks/scaling.py [--only weak,driver,overhead,images] [--tiles 100000] [--small-images 100000] [--json FILE]

A scheduler and workers of one thread each run on this machine, started by dask's command line:

- *weak*: tiles per second of a model (``--model``) with one worker and with two, each with as many tiles of its own; on two idle
  cores two workers do at least 1.8 times as many.
- *driver*: peak memory of the process that resolves seams and writes labels, for a tenth of ``--tiles`` and for all of them,
  with a painted network; the difference is at most 32 MB and what the objects need.
- *overhead*: seconds of the scheduler and of this process for a tile, with a network that takes no time; at most 2 % of what
  *weak* found for a tile.
- *images*: the same for a tenth of ``--small-images`` and for all of them, by two workers; memory of the workers, too.

A table of PASS and FAIL; exit status 1 if anything failed. Times count on an idle machine only.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from process import machine, measure, memory_of

ROOT = Path(__file__).resolve().parents[1]
CHECKS = ("weak", "driver", "overhead", "images")
LEAST_GAIN, MOST_OVERHEAD = 1.8, 0.02
#: MB that memory may grow by from a tenth of the work to all of it, beside what each object and each image's row need
MOST_GROWTH = 32.0
_OBJECT_MB, _ROW_MB = 1e-3, 4e-3
#: pixels of a window, and of its core, of the painted network
_WINDOW, _CORE = 64, 52
_SECONDS = 600


@dataclass
class Row:
    """One line of the table."""

    check: str
    passed: bool
    detail: str


def environment() -> dict[str, str]:
    """Workers find starpoly and the scripts here."""
    paths = [str(ROOT), str(ROOT / "benchmarks"), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "TF_CPP_MIN_LOG_LEVEL": "3"}


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[tuple[str, list[int]]]:
    """Address of a scheduler with workers of one thread each, and the workers' process ids."""
    from distributed import Client

    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "scheduler.json"
    with ExitStack() as stack:
        log = stack.enter_context((folder / "log.txt").open("a"))

        def start(*words: str) -> int:
            command = [sys.executable, "-m", "dask", *words, "--host", "127.0.0.1", "--no-dashboard"]
            process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | environment(), cwd=folder)
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process.pid

        start("scheduler", "--port", "0", "--scheduler-file", str(file))
        while not file.exists() or not file.read_text():
            time.sleep(0.1)
        common = ("--no-nanny", "--nthreads", "1", "--memory-limit", "0", "--local-directory", str(folder))
        pids = [start("worker", "--scheduler-file", str(file), *common) for _ in range(workers)]
        with Client(scheduler_file=str(file), set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=_SECONDS)
            address = client.scheduler.address
        yield address, pids


def slide_of(tiles: int) -> Any:
    """An image of about so many tiles of the painted network."""
    from painted_work import Squares

    return Squares(_CORE * max(2, round(math.sqrt(tiles))))


def drive_slide(address: str, tiles: int, folder: Path) -> dict[str, Any]:
    """Segment a computed slide with a painted network on a cluster; in a process of its own."""
    from painted_work import BrightDetector

    from starpoly.prediction import SlideOutputs, opening, segment_slide

    warnings.simplefilter("ignore")
    opening.LARGEST_HELD = 0
    start = time.perf_counter()
    outputs = SlideOutputs(labels=folder / "label.tiff", geojson=folder / "objects.geojson")
    result = segment_slide(
        BrightDetector(),
        slide_of(tiles),
        outputs,
        tile_size=_WINDOW,
        scale=1.0,
        client=address,
        journal=folder / "journal",
    )
    return {"tiles": result.n_tiles, "objects": result.n_objects, "seconds": time.perf_counter() - start}


def drive_tiles(address: str, path: str, model: str, tile_size: str) -> dict[str, Any]:
    """Detect the objects of a slide on a cluster whose workers have the model open; in a process of its own."""
    from starpoly import StarPoly2D
    from starpoly.detection.cluster import open_cluster
    from starpoly.images import fit_normalizer
    from starpoly.io import open_source

    warnings.simplefilter("ignore")
    detector = StarPoly2D.from_pretrained(model)
    with open_cluster(address) as workers, open_source(path) as source, open_source(path) as again:
        settings = {
            "normalizer": fit_normalizer(source),
            "scale": 1.0,
            "tile_size": int(tile_size),
            "executor": workers,
        }
        for one in (source, again):  # the first time opens the model
            start = time.perf_counter()
            found = detector.detect(one, **settings)
    return {"tiles": found.n_tiles, "objects": len(found.polygons), "seconds": time.perf_counter() - start}


def drive_images(address: str, images: int, folder: Path) -> dict[str, Any]:
    """Segment small images with a painted network on a cluster; in a process of its own."""
    import tifffile
    from painted_work import BrightDetector, load_bright

    from starpoly.detection.cluster import open_cluster
    from starpoly.io.files.find import find_images
    from starpoly.network.storage.folder import FORMAT
    from starpoly.prediction.outputs import plan_jobs
    from starpoly.prediction.request import PredictionRequest
    from starpoly.prediction.shared_folder import shared_folder
    from starpoly.prediction.summary import Summary
    from starpoly.prediction.tasks import ImageTask, spread_images

    warnings.simplefilter("ignore")
    given, made, model = (folder / name for name in ("images", "results", "model"))
    for one in (given, made, model):
        one.mkdir()
    pixels = np.full((32, 32), 10, np.uint8)
    pixels[10:16, 10:16] = 200
    for number in range(images):
        tifffile.imwrite(given / f"{number:06d}.tif", pixels)
    described = {"format": FORMAT, "weights_sha256": "", **BrightDetector().spec.to_dict()}
    (model / "model.json").write_text(json.dumps(described))
    summary = Summary(str(model), str(made))
    start = time.perf_counter()
    with open_cluster(address) as workers, shared_folder(made) as token:
        assert workers is not None
        task = ImageTask(str(model), load_bright, PredictionRequest(), token)
        for _, outcome in spread_images(workers, task, plan_jobs(find_images([given]).images, made)):
            if outcome.error is not None:
                raise outcome.error
            summary.rows.append(outcome.row or {})
    objects = sum(row["objects"] for row in summary.rows)
    return {"images": len(summary.rows), "objects": objects, "seconds": time.perf_counter() - start}


def driven(kind: str, address: str, n: int, folder: Path, *more: str) -> dict[str, Any]:
    """What a process found that drives a cluster, and its peak memory."""
    folder.mkdir(parents=True)
    command = [sys.executable, __file__, "--drive", kind, address, str(n), str(folder), *more]
    found = measure(command, folder, environment=environment())
    if found.status:
        raise SystemExit(f"{kind} of {n}: status {found.status}\n{found.stderr[-2000:]}")
    return json.loads(found.stdout.splitlines()[-1]) | {"peak_mb": round(found.peak_mb, 1)}


def check_weak(args: argparse.Namespace, folder: Path) -> tuple[list[Row], dict[str, Any]]:
    """Tiles per second with one worker and with two."""
    from mosaic import bank_of, written_slide

    bank, found = bank_of(args), []
    folder.mkdir()
    for workers in (1, 2):
        side = round(args.side * math.sqrt(workers))
        path = written_slide(folder, side, "grey", 1, bank=bank)
        with cluster(folder / f"cluster{workers}", workers) as (address, _):
            found.append(
                driven("tiles", address, 0, folder / f"weak{workers}", str(path), args.model, str(args.tile_size))
            )
    rates = [one["tiles"] / one["seconds"] for one in found]
    detail = f"{rates[0]:.2f} tiles/s by one worker, {rates[1]:.2f} by two: {rates[1] / rates[0]:.2f} x"
    return [Row("weak scaling", rates[1] >= LEAST_GAIN * rates[0], detail)], {"one": found[0], "two": found[1]}


def check_driver(args: argparse.Namespace, folder: Path) -> tuple[list[Row], dict[str, Any]]:
    """Memory of the driver of a slide, small and large."""
    with cluster(folder / "cluster", 2) as (address, _):
        few, many = (driven("slide", address, n, folder / str(n)) for n in (max(4, args.tiles // 10), args.tiles))
    growth = many["peak_mb"] - few["peak_mb"] - _OBJECT_MB * (many["objects"] - few["objects"])
    detail = f"{few['tiles']} tiles {few['peak_mb']} MB, {many['tiles']} tiles {many['peak_mb']} MB, {many['objects']} objects"
    return [Row("driver's memory", growth <= MOST_GROWTH, detail)], {"few": few, "many": many}


def check_images(args: argparse.Namespace, folder: Path) -> tuple[list[Row], dict[str, Any]]:
    """Memory of driver and workers, for few images and for many."""
    found, of_workers = [], []
    with cluster(folder / "cluster", 2) as (address, pids):
        for n in (max(2, args.small_images // 10), args.small_images):
            found.append(driven("images", address, n, folder / str(n)))
            of_workers.append(max(memory_of(pid)["VmHWM"] for pid in pids))
    few, many = found
    growth = many["peak_mb"] - few["peak_mb"] - _ROW_MB * (many["images"] - few["images"])
    detail = f"{few['images']} images {few['peak_mb']} MB, {many['images']} images {many['peak_mb']} MB"
    workers = f"{of_workers[0]:.0f} MB, then {of_workers[1]:.0f} MB"
    rows = [
        Row("driver's memory of images", growth <= MOST_GROWTH, detail),
        Row("workers' memory of images", of_workers[1] - of_workers[0] <= MOST_GROWTH, workers),
    ]
    return rows, {"few": few, "many": many, "workers_mb": of_workers}


def overhead(results: dict[str, Any], tile_seconds: float | None) -> list[Row]:
    """Seconds of scheduler and driver for a tile, beside those of a real tile."""
    if "driver" not in results:
        return []
    few, many = (results["driver"][name] for name in ("few", "many"))
    each = (many["seconds"] - few["seconds"]) / max(1, many["tiles"] - few["tiles"])
    if "weak" in results:
        tile_seconds = results["weak"]["one"]["seconds"] / results["weak"]["one"]["tiles"]
    if tile_seconds is None:
        return [Row("overhead", True, f"{1e3 * each:.2f} ms a tile; no tile to compare with, give --tile-seconds")]
    share = each / tile_seconds
    return [Row("overhead", share <= MOST_OVERHEAD, f"{1e3 * each:.2f} ms a tile, {100 * share:.1f} % of a real one")]


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The options."""
    from mosaic import add_mosaic_arguments

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_mosaic_arguments(parser)
    parser.add_argument("--only", default=",".join(CHECKS), help="checks, divided by commas")
    parser.add_argument("--tiles", type=int, default=100_000, help="of the driver's slide")
    parser.add_argument("--small-images", type=int, default=100_000, metavar="N", help="of the folder")
    parser.add_argument("--model", default="nuclei-fluo", help="of weak scaling")
    parser.add_argument("--side", type=int, default=8192, help="of the slide of one worker, in pixels")
    parser.add_argument("--tile-size", type=int, default=512, help="of weak scaling")
    parser.add_argument("--tile-seconds", type=float, help="of a real tile, for the overhead without weak scaling")
    parser.add_argument("--json", type=Path, help="file for the figures")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run the checks; 1 if one failed."""
    args = parse(arguments)
    wanted = args.only.split(",")
    results: dict[str, Any] = {"machine": machine()}
    rows: list[Row] = []
    checks = {"weak": check_weak, "driver": check_driver, "images": check_images}
    with tempfile.TemporaryDirectory() as name:
        for check, of in checks.items():
            if check in wanted:
                found, results[check] = of(args, Path(name, check))
                rows += found
    rows += overhead(results, args.tile_seconds) if "overhead" in wanted else []
    for row in rows:
        sys.stdout.write(f"{'PASS' if row.passed else 'FAIL'}  {row.check}: {row.detail}\n")
    if args.json is not None:
        args.json.write_text(json.dumps(results | {"rows": [asdict(row) for row in rows]}, indent=2) + "\n")
    return int(not all(row.passed for row in rows))


def drive(kind: str, address: str, n: str, folder: str, *more: str) -> None:
    """Print what a driver found, as JSON."""
    if kind == "tiles":
        found = drive_tiles(address, *more)
    else:
        found = {"slide": drive_slide, "images": drive_images}[kind](address, int(n), Path(folder))
    sys.stdout.write(f"\n{json.dumps(found)}\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--drive"]:
        drive(*sys.argv[2:])
    else:
        sys.exit(main())
