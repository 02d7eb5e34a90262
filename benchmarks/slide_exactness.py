"""One answer for a slide, bit for bit, and how far it is from the answer of one untiled pass.

    python benchmarks/slide_exactness.py [--side 6000] [--kills 6] [--memory 20] [--only bits,kill,untiled]

With a shipped model on a synthetic slide of real nuclei (`mosaic.py`):

- *bits*: labels by one and two reading threads, shuffled order of the tiles, TIFF, zarr, an array in memory and one that
  exists only by region; the bytes of the label TIFF and of the GeoJSON and the label array must be the same (SHA-256).
- *kill*: the command line, killed with signal 9 at random moments of its start, among the tiles and while it writes, and
  repeated until it ends; the files must have the bytes of an uninterrupted run, and no half file ever the final name.
- *untiled*: against the network run once over the whole slide (or over the largest corner of it that fits into --memory
  gigabytes, found by measuring): AP at an IoU of 0.9 at least 0.999, and every object that differs explained by rounding.
  Printed is the largest difference of the network's answers, tiled and untiled.

A table of PASS and FAIL; exit status 1 if anything failed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from mosaic import Mosaic, add_mosaic_arguments, bank_of, write_zarr, written_slide
from numpy.typing import NDArray
from process import measure

ROOT = Path(__file__).resolve().parents[1]
LEAST_AP, IOU = 0.999, 0.9
#: Differences of the network's answers up to which they are rounding
_ROUNDING = {"probability": 1e-4, "distance": 1e-2}
#: Overlaps this near to the threshold are decided by rounding
_OVERLAP_ROUNDING = 1e-3
_SMALLEST_SIDES = (1024, 2048)  # on which the memory of an untiled pass is measured


@dataclass
class Row:
    """One line of the table."""

    check: str
    passed: bool
    detail: str


# --- bits -------------------------------------------------------------------------------------------------------------


def bits(args: argparse.Namespace, slide: Path) -> Iterator[Row]:
    """The same slide in many ways."""
    import tifffile

    from starpoly import StarPoly2D

    model = StarPoly2D.from_pretrained(args.model)
    zarr_folder = slide.with_suffix(".ome.zarr")
    mosaic = Mosaic(args.side, seed=args.seed, bank=bank_of(args))
    if not (zarr_folder / "zarr.json").exists():
        write_zarr(zarr_folder, mosaic)
    ways: list[tuple[str, Any, int, int | None]] = [
        ("TIFF", slide, 1, None),
        ("TIFF, once more", slide, 1, None),
        ("TIFF, 2 readers", slide, 2, None),
        ("TIFF, shuffled tiles", slide, 1, 1),
        ("TIFF, tiles shuffled otherwise, 2 readers", slide, 2, 2),
        ("zarr", zarr_folder, 1, None),
        ("zarr, shuffled tiles, 2 readers", zarr_folder, 2, 3),
        ("array in memory", lambda: tifffile.imread(slide), 1, None),
        ("array that exists by region", mosaic, 1, None),
    ]
    wanted: dict[str, str] | None = None
    for name, image, readers, order in ways:
        start = time.perf_counter()
        found = _segmented(model, image() if callable(image) else image, args, readers, order)
        seconds = time.perf_counter() - start
        wanted = found if wanted is None else wanted
        differ = [what for what in wanted if found[what] != wanted[what]]
        detail = f"{seconds:.0f} s, {found['objects']} objects, labels {found['label TIFF'][:12]}"
        yield Row(f"bits: {name}", not differ, detail + (f"; differs in {', '.join(differ)}" if differ else ""))


def _segmented(model: Any, image: Any, args: argparse.Namespace, readers: int, order: int | None) -> dict[str, str]:
    """Hashes of what a run writes, in a folder of its own."""
    import tifffile

    from starpoly.prediction.formats import SlideOutputs
    from starpoly.prediction.slide import segment_slide

    with tempfile.TemporaryDirectory(dir=args.work) as folder, _reading_with(model, readers), _tiles_shuffled(order):
        labels, outlines = Path(folder) / "labels.tiff", Path(folder) / "labels.geojson"
        outputs = SlideOutputs(labels=labels, geojson=outlines)
        result = segment_slide(model, image, outputs, scale=args.scale, tile_size=args.tile_size)
        return {
            "objects": str(result.n_objects),
            "label TIFF": sha256(labels),
            "label array": hashlib.sha256(tifffile.imread(labels, key=0).tobytes()).hexdigest(),
            "GeoJSON": sha256(outlines),
        }


@contextmanager
def _reading_with(model: Any, readers: int) -> Iterator[None]:
    """Let the model read with so many threads, whoever asks."""
    detect = model.detect
    model.detect = lambda *args, **kwargs: detect(*args, **{**kwargs, "readers": readers})
    try:
        yield
    finally:
        del model.detect


@contextmanager
def _tiles_shuffled(seed: int | None) -> Iterator[None]:
    """Let the pipeline go through the tiles in a random order."""
    from starpoly.detection import pipeline as detect

    plan_for = detect.plan_for

    def shuffled(*args: Any, **kwargs: Any) -> Any:
        plan = plan_for(*args, **kwargs)
        tiles = list(plan.tiles)
        random.Random(seed).shuffle(tiles)
        return replace(plan, tiles=tuple(tiles))

    detect.plan_for = plan_for if seed is None else shuffled
    try:
        yield
    finally:
        detect.plan_for = plan_for


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


# --- kill -------------------------------------------------------------------------------------------------------------


def kill(args: argparse.Namespace, slide: Path) -> Iterator[Row]:
    """The command line, killed and repeated, against one that is left alone."""
    alone = _Command(args, slide, args.work / "alone")
    shutil.rmtree(alone.folder, ignore_errors=True)
    start = time.perf_counter()
    process = alone.start()
    starting = alone.wait_for(process, alone.has_begun)
    n_tiles, finding, writing = alone.watch(process)
    status = process.wait()
    seconds = time.perf_counter() - start
    if status:
        yield Row("kill: uninterrupted run", False, f"status {status}: {alone.said()}")
        return
    wanted = alone.hashes()
    yield Row("kill: uninterrupted run", True, f"{seconds:.0f} s, {n_tiles} tiles, labels {wanted['labels'][:12]}")
    killed = _Command(args, slide, args.work / "killed")
    shutil.rmtree(killed.folder, ignore_errors=True)
    half, log, ended = [], [], False
    for reached, span in _moments(killed, args, starting, finding / max(1, n_tiles), writing, n_tiles):
        process = killed.start()
        killed.wait_for(process, reached)
        time.sleep(span)
        process.send_signal(signal.SIGKILL)
        ended = process.wait() != -signal.SIGKILL
        half += [what for what, found in killed.hashes().items() if found not in (wanted[what], "none")]
        log.append("it had ended" if ended else f"{killed.n_tiles()} tiles")
        if ended:
            break
    status = 0 if ended else killed.start().wait()
    found = killed.hashes()
    differ = [what for what in wanted if found[what] != wanted[what]]
    detail = f"done at each: {', '.join(log)}" + (f"; differs in {', '.join(differ)}" if differ else "")
    yield Row(f"kill: {len(log)} times, then the same bytes", not status and not differ, detail)
    yield Row("kill: no half file under a final name", not half, ", ".join(half) or "none")
    left = killed.left_behind()
    yield Row("kill: nothing left behind", not left, ", ".join(left) or "nothing")


def _moments(
    command: _Command, args: argparse.Namespace, starting: float, tile: float, writing: float, n_tiles: int
) -> Iterator[tuple[Callable[[], bool], float]]:
    """What to wait for before a kill, and how many seconds longer: at the start, among the tiles, after the last one."""
    rng = random.Random(args.seed)
    yield lambda: True, rng.uniform(0, starting)
    for number in range(args.kills):
        # a run that is begun again needs a while to its first tile, so the moments are in tiles, not in seconds
        wanted = round((number + rng.random()) / args.kills * (n_tiles - 1))
        yield lambda wanted=wanted: command.has_begun() and command.n_tiles() >= wanted, rng.uniform(0, tile)  # type: ignore[misc]
    for _ in range(2):
        yield lambda: command.has_begun() and command.n_tiles() >= n_tiles, rng.uniform(0, 0.8 * writing)


class _Command:
    """`starpoly predict` of a slide into a folder."""

    def __init__(self, args: argparse.Namespace, slide: Path, folder: Path) -> None:
        words: list[Any] = [
            sys.executable,
            "-m",
            "starpoly",
            "predict",
            slide,
            "-o",
            folder,
            "--format",
            "geojson",
            "--scale",
            args.scale,
        ]
        words += ["--model", args.model] if args.model else []
        words += ["--tile-size", args.tile_size] if args.tile_size else []
        self.folder = folder
        self._words = [str(word) for word in words]
        self._files = {"labels": folder / f"{slide.stem}_label.tiff", "GeoJSON": folder / f"{slide.stem}.geojson"}
        self._journal = folder / f".{slide.stem}_label.tiff.progress"

    def start(self) -> subprocess.Popen[bytes]:
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self._said, "wb") as err:
            return subprocess.Popen(self._words, stdout=err, stderr=err, env={**os.environ, "PYTHONPATH": path})

    @property
    def _said(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.stderr.txt")

    def said(self) -> str:
        return (self._said.read_text(errors="replace").strip().splitlines() or [""])[-1]

    def wait_for(self, process: subprocess.Popen[bytes], reached: Callable[[], bool]) -> float:
        """Seconds until a moment is reached, or the process has ended."""
        start = time.perf_counter()
        while process.poll() is None and not reached():
            time.sleep(0.01)
        return time.perf_counter() - start

    def has_begun(self) -> bool:
        return (self._journal / "run.json").exists()

    def watch(self, process: subprocess.Popen[bytes]) -> tuple[int, float, float]:
        """The number of tiles, seconds until the last was done, and seconds from there until all was written."""
        start = last = time.perf_counter()
        most = 0
        while process.poll() is None and self.has_begun():
            if (n := self.n_tiles()) > most:
                most, last = n, time.perf_counter()
            time.sleep(0.01)
        return most, last - start, time.perf_counter() - last

    def n_tiles(self) -> int:
        return len(list(self._journal.glob("tile_*")))

    def hashes(self) -> dict[str, str]:
        return {what: sha256(path) if path.exists() else "none" for what, path in self._files.items()}

    def left_behind(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if path not in self._files.values())


# --- untiled ----------------------------------------------------------------------------------------------------------


def untiled(args: argparse.Namespace, slide: Path) -> Iterator[Row]:
    """Tiles against one pass over all."""
    folder = args.work / "untiled"
    side, detail = _fitting_side(args, slide, folder)
    while True:
        taken = _untiled_pass(args, slide, folder, side)
        if not taken.status or side < 2 * _SMALLEST_SIDES[0]:
            break
        detail += f"; {side} squared did not end well (status {taken.status})"
        side = int(0.9 * side) // 16 * 16
    if taken.status:
        yield Row("untiled: one pass", False, f"status {taken.status}: {taken.stderr.strip()[-300:]}")
        return
    yield Row(
        "untiled: one pass", True, f"{side} x {side}, {taken.seconds:.0f} s, {taken.peak_mb / 1000:.1f} GB{detail}"
    )
    yield from _compare_with_untiled(args, slide, folder, side)


def _fitting_side(args: argparse.Namespace, slide: Path, folder: Path) -> tuple[int, str]:
    """The largest side of which one pass should fit into the memory, from two small ones."""
    peaks = [_untiled_pass(args, slide, folder, side).peak_mb for side in _SMALLEST_SIDES]
    if args.side <= _SMALLEST_SIDES[1]:
        return args.side, ""
    areas = [side**2 for side in _SMALLEST_SIDES]
    slope = max((peaks[1] - peaks[0]) / (areas[1] - areas[0]), 1e-9)
    need = peaks[1] + slope * (args.side**2 - areas[1])
    if need <= 1000 * args.memory:
        return args.side, ""
    side = int((areas[1] + (1000 * args.memory - peaks[1]) / slope) ** 0.5) // 16 * 16
    return side, f"; {args.side} squared would take about {need / 1000:.0f} GB, more than the {args.memory:g} allowed"


def _untiled_pass(args: argparse.Namespace, slide: Path, folder: Path, side: int) -> Any:
    shutil.rmtree(folder, ignore_errors=True)
    words: list[Any] = [
        sys.executable,
        Path(__file__).resolve(),
        "--worker",
        slide,
        folder,
        "--side",
        side,
        "--scale",
        args.scale,
    ]
    words += ["--model", args.model] if args.model else []
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    # an allowance above the limit that the side is chosen by: the estimate is one
    limit = 1100 * args.memory
    return measure(
        [str(word) for word in words],
        folder,
        environment={"PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"},
        memory_limit_mb=limit,
    )


class _Wrapped:
    """A network that is looked at while it works."""

    def __init__(self, network: Any) -> None:
        self._network = network

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)


class _Recording(_Wrapped):
    """Keeps the one answer that it gives, on disk."""

    def __init__(self, network: Any, folder: Path, shape: tuple[int, int]) -> None:
        super().__init__(network)
        self._folder, self._shape = folder, shape

    def __call__(self, batch: NDArray) -> Any:
        if batch.shape[1:3] < self._shape:
            raise SystemExit(f"expected one window of at least {self._shape}, got {batch.shape}: it is no untiled pass")
        output = self._network(batch)
        np.save(self._folder / "probability.npy", output.probability[0])
        np.save(self._folder / "distances.npy", output.distances[0])
        return output


class _Comparing(_Wrapped):
    """Holds each answer for a tile against that of the untiled pass."""

    def __init__(self, network: Any, plan: Any, folder: Path) -> None:
        super().__init__(network)
        self._tiles = iter(plan)
        self._probability = np.load(folder / "probability.npy", mmap_mode="r")
        self._distances = np.load(folder / "distances.npy", mmap_mode="r")
        self.largest = {"probability": 0.0, "distance": 0.0}

    def __call__(self, batch: NDArray) -> Any:
        from starpoly.tiling import core_on_grid

        output = self._network(batch)
        inside, place = core_on_grid(next(self._tiles), self._network.grid)
        pairs = (
            ("probability", output.probability, self._probability),
            ("distance", output.distances, self._distances),
        )
        for name, here, there in pairs:
            self.largest[name] = max(self.largest[name], float(np.abs(here[0][inside] - there[place]).max(initial=0)))
        return output


def _setting(args: argparse.Namespace, slide: Path, side: int) -> tuple[Any, Any, Any, Any]:
    """Network, image, normaliser and thresholds for a corner of the slide."""
    from starpoly.images.normalization import fit_normalizer
    from starpoly.images.rescaling import Rescaled
    from starpoly.io.readers.images import open_source
    from starpoly.model_zoo import default_model, find_model
    from starpoly.network.predictor import Predictor
    from starpoly.tiling import Box

    predictor = Predictor.load(find_model(args.model or default_model()))
    source = open_source(slide, roi=Box(0, 0, side, side))
    normalizer = fit_normalizer(source, predictor.spec.normalization)
    return predictor, Rescaled(source, 2) if args.scale == 2 else source, normalizer, predictor.spec.thresholds


def worker(args: argparse.Namespace) -> int:
    """One pass over a corner of the slide; its answers and polygons into a folder."""
    from starpoly.detection.pipeline import detect

    slide, folder = args.worker
    predictor, image, normalizer, thresholds = _setting(args, slide, args.side)
    recording = _Recording(predictor, folder, image.shape[:2])
    # room for the rounding to the network's stride
    found = detect(image, recording, normalizer, thresholds, tile_size=max(image.shape[:2]) + 64)
    polygons = found.polygons
    np.savez(
        folder / "polygons.npz",
        points=polygons.points,
        distances=polygons.distances,
        probabilities=polygons.probabilities,
    )
    return 0


def _compare_with_untiled(args: argparse.Namespace, slide: Path, folder: Path, side: int) -> Iterator[Row]:
    from starpoly.detection.pipeline import detect, plan_for
    from starpoly.evaluation.metrics import matching
    from starpoly.geometry.rasterize import render_labels
    from starpoly.polygons import StarPolygons

    predictor, image, normalizer, thresholds = _setting(args, slide, side)
    shape = image.shape[:2]
    plan = plan_for(predictor, shape, args.tile_size)
    comparing = _Comparing(predictor, plan, folder)
    tiled = detect(image, comparing, normalizer, thresholds, tile_size=args.tile_size).polygons
    with np.load(folder / "polygons.npz") as file:
        whole = StarPolygons(file["points"], file["distances"], file["probabilities"])
    largest = comparing.largest
    text = ", ".join(f"{name} {value:.2e}" for name, value in largest.items())
    is_rounding = all(largest[name] <= most for name, most in _ROUNDING.items())
    yield Row(
        "untiled: largest difference of the network's answers", is_rounding, f"{text} px; {len(plan)} tiles against 1"
    )
    scores = matching(render_labels(whole, shape), render_labels(tiled, shape), thresh=IOU)
    detail = f"{scores.accuracy:.6f}; {len(whole)} objects untiled, {len(tiled)} tiled, {scores.fn} and {scores.fp} without a partner"
    yield Row(f"untiled: AP at IoU {IOU} at least {LEAST_AP}", scores.accuracy >= LEAST_AP, detail)
    reasons, shift = explain(tiled, whole, folder, predictor.grid, thresholds, largest["probability"])
    told = ", ".join(f"{n} {reason}" for reason, n in reasons.items()) or "no object differs"
    passed = not reasons["unexplained"]
    yield Row(
        "untiled: what differs is rounding", passed, f"{told}; distances of the others differ by at most {shift:.1e} px"
    )


def explain(
    tiled: Any, whole: Any, folder: Path, grid: tuple[int, int], thresholds: Any, rounding: float
) -> tuple[Counter[str], float]:
    """Why polygons are in one answer alone, and how far the distances of the others differ.

    A polygon is in one answer alone by rounding if its probability is as near to the threshold as the answers differ
    (threshold); if a polygon of the other answer suppresses it whose probability is as near to its own (order); if their
    overlap is at the threshold of overlaps (overlap); or if it overlaps with another such polygon (consequence).
    """
    from starpoly.geometry.overlap import intersection_areas, polygon_areas

    probability = np.load(folder / "probability.npy", mmap_mode="r")
    centres = [{tuple(point): index for index, point in enumerate(side.points.tolist())} for side in (tiled, whole)]
    both = sorted(centres[0].keys() & centres[1].keys())
    first, second = (
        side.distances[[where[centre] for centre in both]] for side, where in zip((tiled, whole), centres, strict=True)
    )
    shift = float(np.abs(first - second).max(initial=0))
    alone = [side.take(np.array([i for c, i in where.items() if c not in other], np.intp))
             for side, where, other in ((tiled, *centres), (whole, centres[1], centres[0]))]  # fmt: skip
    reasons: Counter[str] = Counter()
    for mine, theirs, others in ((alone[0], whole, alone[1]), (alone[1], tiled, alone[0])):
        areas, their_areas = polygon_areas(mine), polygon_areas(theirs)
        for index in range(len(mine)):
            one = mine.take(np.array([index]))
            y, x = (round(value / step) for value, step in zip(one.points[0], grid, strict=True))
            near = np.flatnonzero(
                np.linalg.norm(theirs.points - one.points, axis=1) < theirs.outer_radii + one.outer_radii
            )
            overlap = intersection_areas(one, theirs.take(near)) / np.minimum(areas[index], their_areas[near])
            gap = np.abs(theirs.probabilities[near] - one.probabilities[0])
            rivals = overlap > thresholds.nms - _OVERLAP_ROUNDING
            if abs(float(probability[y, x]) - thresholds.prob) <= rounding:
                reasons["by the probability's threshold"] += 1
            elif (rivals & (gap <= 2 * rounding)).any():
                reasons["by the order of equal probabilities"] += 1
            elif (rivals & (np.abs(overlap - thresholds.nms) <= _OVERLAP_ROUNDING)).any():
                reasons["by the threshold of overlaps"] += 1
            elif _meets(one, others) or _meets(one, mine.take(np.delete(np.arange(len(mine)), index))):
                reasons["as a consequence of such a one"] += 1
            else:
                reasons["unexplained"] += 1
    return reasons, shift


def _meets(one: Any, others: Any) -> bool:
    from starpoly.geometry.overlap import intersection_areas

    return len(others) > 0 and bool(intersection_areas(one, others).max() > 0)


# --- command line -----------------------------------------------------------------------------------------------------

PARTS: dict[str, Callable[[argparse.Namespace, Path], Iterator[Row]]] = {"bits": bits, "kill": kill, "untiled": untiled}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    out.add_argument("--side", type=int, default=6000, help="of the slide in pixels (default: %(default)s)")
    out.add_argument("--model", help="default: starpoly's default")
    out.add_argument("--scale", type=int, choices=(1, 2), default=1)
    out.add_argument("--tile-size", type=int)
    out.add_argument(
        "--kills",
        type=int,
        default=6,
        help="among the tiles, beside one at the start and two after the last (default: %(default)s)",
    )
    out.add_argument(
        "--memory", type=float, default=20, metavar="GB", help="for the untiled pass (default: %(default)s)"
    )
    out.add_argument("--only", default=",".join(PARTS), help="parts to run (default: %(default)s)")
    out.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "starpoly-exactness",
        help="folder (default: %(default)s)",
    )
    out.add_argument("--json", type=Path, help="also write the table to this file")
    out.add_argument("--worker", type=Path, nargs=2, help=argparse.SUPPRESS)
    add_mosaic_arguments(out)
    return out


def main(arguments: list[str] | None = None) -> int:
    """Run the parts; 0 if all passed."""
    args = parser().parse_args(arguments)
    if args.worker:
        return worker(args)
    parts = [part for part in args.only.split(",") if part]
    if unknown := sorted(set(parts) - PARTS.keys()):
        raise SystemExit(f"slide_exactness: expected some of {', '.join(PARTS)}, got {', '.join(unknown)}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    args.work.mkdir(parents=True, exist_ok=True)
    bank = bank_of(args)
    slide = written_slide(args.work, args.side, "grey", args.seed, bank=bank)
    print(f"{args.side} x {args.side}, {bank.origin}, model {args.model or 'default'}, scale {args.scale}", flush=True)
    rows = []
    for part in parts:
        for row in PARTS[part](args, slide):
            rows.append(row)
            print(f"{'PASS' if row.passed else 'FAIL'}  {row.check}: {row.detail}", flush=True)
    if args.json is not None:
        args.json.write_text(json.dumps([vars(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    failed = sum(not row.passed for row in rows)
    print(f"{len(rows) - failed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
