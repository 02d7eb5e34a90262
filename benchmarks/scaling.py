"""What the workers of a cluster bring, and what they cost the process that shares the work out.

    python benchmarks/scaling.py [weak] [driver] [images] [--size FRACTION] [--json [FILE]]

A scheduler and workers of one thread each run on this machine, started by dask's command line. All parts, or those that are named:

- *weak*: tiles per second of a model (``--model``) with one worker and with two, each with as many tiles of its own; on two idle
  cores two workers do at least 1.8 times as many. Then processor seconds of the process that resolves seams and writes
  labels and outlines, for a tile.
- *driver*: peak memory of that process for 1 000, 10 000 and 100 000 tiles, with a painted network; the last differs from
  the first by at most 32 MB and what the objects need. Processor seconds of it and of the scheduler, for a tile, with a network
  that takes no time: at most 2 % of what *weak* found for a tile.
- *images*: 100 000 small images by two workers; memory of this process and of the workers when a tenth is done, and at the end.

Each part takes up to twelve minutes on two idle cores; ``--size 0.01`` tries it in small. With ``--json`` the figures are added to a
file, by default benchmarks/results/scaling.json, from which ``python benchmarks/tables.py`` writes the tables of docs/machines.md. A table
of PASS and FAIL; exit status 1 if anything failed. Times count on an idle machine only.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from process import machine, measure, memory_of

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "scaling.json"
#: tiles of the driver's slides, and small images
TILES, IMAGES = (1_000, 10_000, 100_000), 100_000
LEAST_GAIN, MOST_OVERHEAD = 1.8, 0.02
#: MB that memory may grow by from the first of the work to all of it, beside what each object and each image's row need
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
    """Workers find starpoly and the scripts here, and keep no profile of an hour of calls, which is megabytes a minute."""
    paths = [str(ROOT), str(ROOT / "benchmarks"), os.environ.get("PYTHONPATH", "")]
    without_profile = {"DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"}
    return {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "TF_CPP_MIN_LOG_LEVEL": "3"} | without_profile


@dataclass(frozen=True)
class Running:
    """A scheduler's address, and the process ids of it and of its workers."""

    address: str
    scheduler: int
    workers: list[int]


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[Running]:
    """A scheduler with workers of one thread each."""
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

        scheduler = start("scheduler", "--port", "0", "--scheduler-file", str(file))
        while not file.exists() or not file.read_text():
            time.sleep(0.1)
        common = ("--no-nanny", "--nthreads", "1", "--memory-limit", "0", "--local-directory", str(folder))
        pids = [start("worker", "--scheduler-file", str(file), *common) for _ in range(workers)]
        with Client(scheduler_file=str(file), set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=_SECONDS)
            address = client.scheduler.address
        yield Running(address, scheduler, pids)


def cpu_seconds(pid: int) -> float:
    """Processor seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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


def drive_tiles(address: str, path: str, model: str, tile_size: str, folder: Path) -> dict[str, Any]:
    """Detect the objects of a slide on a cluster whose workers have the model open; in a process of its own."""
    from starpoly import StarPoly2D
    from starpoly.detection.cluster import open_cluster
    from starpoly.images import fit_normalizer
    from starpoly.io import open_source
    from starpoly.prediction import SlideOutputs, opening, segment_slide
    from starpoly.tiling import Box

    warnings.simplefilter("ignore")
    opening.LARGEST_HELD = 0
    detector = StarPoly2D.from_pretrained(model)
    settings: dict[str, Any] = {"scale": 1.0, "tile_size": int(tile_size)}

    def write(name: str, **part: Any) -> Any:
        outputs = SlideOutputs(labels=folder / f"{name}.tiff", geojson=folder / f"{name}.geojson")
        journal = folder / f"{name}.progress"
        return segment_slide(detector, path, outputs, client=address, journal=journal, **part, **settings)

    with open_cluster(address) as workers, open_source(path) as source:
        write("corner", roi=Box(0, 0, *(length // 2 for length in source.shape[:2])))  # opens the model, loads kernels
        normalizer = fit_normalizer(source)
        start = time.perf_counter()
        found = detector.detect(source, normalizer=normalizer, executor=workers, **settings)
        seconds = time.perf_counter() - start
    busy = time.process_time()
    written = write("whole")
    return {
        "tiles": found.n_tiles,
        "objects": len(found.polygons),
        "seconds": seconds,
        "pixels": source.shape[0] * source.shape[1],
        "window": found.window[0],
        "driver_seconds": (time.process_time() - busy) / written.n_tiles,
    }


def drive_images(address: str, images: int, folder: Path, *pids: str) -> dict[str, Any]:
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
    tifffile.imwrite(given / "000000.tif", pixels)
    for number in range(1, images):
        (given / f"{number:06d}.tif").write_bytes((given / "000000.tif").read_bytes())
    described = {"format": FORMAT, "weights_sha256": "", **BrightDetector().spec.to_dict()}
    (model / "model.json").write_text(json.dumps(described))
    summary, peaks = Summary(str(model), str(made)), []
    start = time.perf_counter()
    with open_cluster(address) as workers, shared_folder(made) as token:
        assert workers is not None
        task = ImageTask(str(model), load_bright, PredictionRequest(), token)
        for _, outcome in spread_images(workers, task, plan_jobs(find_images([given]).images, made)):
            if outcome.error is not None:
                raise outcome.error
            summary.rows.append(outcome.row or {})
            if len(summary.rows) in (max(1, images // 10), images):
                peaks.append([len(summary.rows), *(round(memory_of(pid)["VmHWM"], 1) for pid in ("self", *pids))])
    objects = sum(row["objects"] for row in summary.rows)
    return {"images": images, "objects": objects, "seconds": time.perf_counter() - start, "peaks": peaks}


def driven(kind: str, address: str, n: int, folder: Path, *more: str) -> dict[str, Any]:
    """What a process found that drives a cluster, and its peak memory."""
    folder.mkdir(parents=True)
    command = [sys.executable, __file__, "--drive", kind, address, str(n), str(folder), *more]
    found = measure(command, folder, environment=environment())
    if found.status:
        raise SystemExit(f"{kind} of {n}: status {found.status}\n{found.stderr[-2000:]}")
    of_process = {"peak_mb": round(found.peak_mb, 1), "cpu_seconds": found.cpu_seconds, "others": found.others}
    return json.loads(found.stdout.splitlines()[-1]) | of_process


def check_weak(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Tiles per second with one worker and with two."""
    from mosaic import bank_of, written_slide

    bank, found = bank_of(args), {}
    folder.mkdir()
    for workers, name in ((1, "one"), (2, "two")):
        side = round(args.side * math.sqrt(args.size * workers))
        path = written_slide(folder, side, "grey", 1, bank=bank)
        with cluster(folder / f"cluster{workers}", workers) as running:
            words = (str(path), args.model, str(args.tile_size))
            found[name] = driven("tiles", running.address, 0, folder / f"weak{workers}", *words)
    return {"model": args.model, "tile_size": args.tile_size, **found}


def rows_of_weak(found: dict[str, Any]) -> list[Row]:
    """Whether two workers do nearly twice as much."""
    one, two = (found[name]["tiles"] / found[name]["seconds"] for name in ("one", "two"))
    detail = f"{one:.2f} tiles/s by one worker, {two:.2f} by two: {two / one:.2f} x"
    return [Row("weak scaling", two >= LEAST_GAIN * one, detail)]


def check_driver(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Memory of the driver of a slide, small and large; its processor seconds, and the scheduler's."""
    found = []
    with cluster(folder / "cluster", 2) as running:
        driven("slide", running.address, 4, folder / "first")  # compiles what is compiled
        for tiles in TILES:
            before = cpu_seconds(running.scheduler)
            one = driven("slide", running.address, max(4, round(args.size * tiles)), folder / str(tiles))
            found.append(one | {"scheduler_seconds": cpu_seconds(running.scheduler) - before})
    return {"slides": found}


def rows_of_driver(found: dict[str, Any]) -> list[Row]:
    """Whether its memory is flat."""
    few, many = found["slides"][0], found["slides"][-1]
    growth = many["peak_mb"] - few["peak_mb"] - _OBJECT_MB * (many["objects"] - few["objects"])
    detail = f"{few['tiles']} tiles {few['peak_mb']} MB, {many['tiles']} tiles {many['peak_mb']} MB, {many['objects']} objects"
    return [Row("driver's memory", growth <= MOST_GROWTH, detail)]


def check_images(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Many small images."""
    with cluster(folder / "cluster", 2) as running:
        n = max(20, round(args.size * IMAGES))
        return driven("images", running.address, n, folder / "driver", *map(str, running.workers))


def rows_of_images(found: dict[str, Any]) -> list[Row]:
    """Whether memory of driver and workers is flat."""
    (few, driver, *workers), (many, driver_at_end, *workers_at_end) = found["peaks"]
    growth = driver_at_end - driver - _ROW_MB * (many - few)
    of_workers = max(late - early for early, late in zip(workers, workers_at_end, strict=True))
    return [
        Row("driver's memory of images", growth <= MOST_GROWTH,
            f"{few} images {driver} MB, {many} images {driver_at_end} MB"),
        Row("workers' memory of images", of_workers <= MOST_GROWTH,
            f"{max(workers)} MB, then {max(workers_at_end)} MB"),
    ]  # fmt: skip


def overhead(results: dict[str, Any]) -> list[Row]:
    """Processor seconds of scheduler and driver for a tile, beside the seconds of a real one."""
    if not {"weak", "driver"} <= results.keys():
        return []
    each = sum(seconds_per_tile(results["driver"], name) for name in ("cpu_seconds", "scheduler_seconds"))
    one = results["weak"]["one"]
    share = each * one["tiles"] / one["seconds"]
    return [Row("overhead", share <= MOST_OVERHEAD, f"{1e3 * each:.2f} ms a tile, {100 * share:.1f} % of a real one")]


def seconds_per_tile(driver: dict[str, Any], name: str) -> float:
    """Of the driver's slides, without what a process needs to start."""
    few, many = driver["slides"][0], driver["slides"][-1]
    return (many[name] - few[name]) / max(1, many["tiles"] - few["tiles"])


PARTS: dict[str, tuple[Callable[[argparse.Namespace, Path], dict[str, Any]], Callable[[dict[str, Any]], list[Row]]]] = {
    "weak": (check_weak, rows_of_weak),
    "driver": (check_driver, rows_of_driver),
    "images": (check_images, rows_of_images),
}


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The options."""
    from mosaic import add_mosaic_arguments

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_mosaic_arguments(parser)
    parser.add_argument("part", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all of them by default")
    parser.add_argument("--size", type=float, default=1.0, metavar="FRACTION", help="of the work, to try it in small")
    parser.add_argument("--model", default="nuclei-fluo", help="of weak scaling")
    parser.add_argument("--side", type=int, default=8192, help="of the slide of one worker, in pixels")
    parser.add_argument("--tile-size", type=int, default=512, help="of weak scaling")
    parser.add_argument("--json", type=Path, nargs="?", const=RESULTS, metavar="FILE", help="add the figures to a file")
    args = parser.parse_args(arguments)
    if unknown := set(args.part) - set(PARTS):
        parser.error(f"expected parts of {', '.join(PARTS)}, got {', '.join(sorted(unknown))}")
    return args


def main(arguments: list[str] | None = None) -> int:
    """Measure; 1 if a figure is not as it should be."""
    args = parse(arguments)
    earlier = args.json is not None and args.json.exists()
    results: dict[str, Any] = json.loads(args.json.read_text(encoding="utf-8")) if earlier else {}
    wanted = args.part or list(PARTS)
    for part in wanted:
        with tempfile.TemporaryDirectory() as name:
            measured = rounded(PARTS[part][0](args, Path(name, part)))
        results |= {part: measured | {"size": args.size}, "machine": machine()}
        if args.json is not None:  # each as soon as it is there
            args.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    rows = [row for part in wanted for row in PARTS[part][1](results[part])] + overhead(results)
    for row in rows:
        sys.stdout.write(f"{'PASS' if row.passed else 'FAIL'}  {row.check}: {row.detail}\n")
    return int(not all(row.passed for row in rows))


def rounded(value: Any) -> Any:
    """Figures with six decimals at most."""
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return round(value, 6) if isinstance(value, float) else value


def drive(kind: str, address: str, n: str, folder: str, *more: str) -> None:
    """Print what a driver found, as JSON."""
    if kind == "tiles":
        found = drive_tiles(address, *more, Path(folder))
    elif kind == "images":
        found = drive_images(address, int(n), Path(folder), *more)
    else:
        found = drive_slide(address, int(n), Path(folder))
    sys.stdout.write(f"\n{json.dumps(found)}\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--drive"]:
        drive(*sys.argv[2:])
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the cluster, too
        sys.exit(main())
