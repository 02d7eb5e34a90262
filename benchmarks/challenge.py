"""The challenge's two scores of predict.sh, measured as the organisers do: one process, or container, for each image.

    python benchmarks/challenge.py IMAGES MASKS                     predict.sh with the starpoly of this environment
    python benchmarks/challenge.py IMAGES MASKS --image NAME        in a container, started with the organisers' own flags
    python benchmarks/challenge.py IMAGES MASKS --replay FOLDER     in the replayed container (scripts/replay_dockerfile.py)

For each image the wall clock around the whole process, its ranked time max(0, t - 10 s * max(1, pixels / 1e6)), and the F1
of the challenge; a label image that is missing or of another shape counts 0. A table by modality, which a manifest.csv with
the columns name, modality and split tells (--manifest; beside IMAGES it is found), then mean and median of all.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

from process import machine, measure

from starpoly.errors import StarpolyError
from starpoly.evaluation.neurips import neurips_score
from starpoly.io.files.naming import key
from starpoly.io.files.pairing import pair_files
from starpoly.io.readers.images import read_header
from starpoly.io.readers.labels import read_labels

ROOT = Path(__file__).resolve().parents[1]
#: Seconds per million pixels that cost nothing, and the least of them.
TOLERANCE = 10.0


@dataclass(frozen=True)
class Task:
    """An image, its true labels and what kind of image it is."""

    name: str
    image: Path
    truth: Path
    modality: str = ""


@dataclass
class Result:
    """One image: the two scores, and what they are made of."""

    name: str
    modality: str
    shape: tuple[int, int]
    status: int
    seconds: float
    ranked_seconds: float
    peak_mb: float | None
    n_true: int
    n_pred: int
    f1: float
    problem: str = ""


def ranked(seconds: float, n_pixels: int) -> float:
    """The organisers' time: what a process took beyond 10 s for each million pixels, and for smaller images 10 s."""
    return max(0.0, seconds - TOLERANCE * max(1.0, n_pixels / 1e6))


def find_tasks(
    images: Path, masks: Path, manifest: Path | None, *, split: str | None = None, per_modality: int | None = None
) -> list[Task]:
    """Images with masks, by name; of each modality at most so many, evenly spread."""
    known: dict[str, dict[str, str]] = {}
    if manifest is not None:
        with open(manifest, encoding="utf-8", newline="") as file:
            known = {row["name"]: row for row in csv.DictReader(file)}
    tasks = []
    for image, truth in pair_files(images, masks).pairs:
        row = known.get(key(image), {})
        if split is None or row.get("split") == split:
            tasks.append(Task(key(image), image, truth, row.get("modality", "")))
    if per_modality is None:
        return tasks
    by_modality = _grouped(tasks)
    return [task for group in by_modality.values() for task in _spread(group, per_modality)]


def _grouped(entries: Iterable[Any]) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for entry in entries:
        groups.setdefault(entry.modality, []).append(entry)
    return dict(sorted(groups.items()))


def _spread(entries: list[Task], n: int) -> list[Task]:
    if len(entries) <= n:
        return entries
    return [entries[len(entries) * number // n] for number in range(n)]


def command_for(args: argparse.Namespace, inputs: Path, outputs: Path) -> list[str]:
    """What is started for an image."""
    if args.replay is not None:
        script = str(ROOT / "scripts" / "replay_dockerfile.py")
        return [
            sys.executable,
            script,
            "--work",
            str(args.replay),
            "--memory",
            args.memory,
            "run",
            "--timings",
            str(inputs),
            str(outputs),
        ]
    if args.image is not None:
        gpus = ["--gpus", args.gpus] if args.gpus else []
        binds = ["-v", f"{inputs}/:/workspace/inputs/", "-v", f"{outputs}/:/workspace/outputs/"]
        start = ["container", "run", *gpus, "-m", args.memory, "--name", args.image, "--rm", *binds]
        return [args.docker, *start, f"{args.image}:latest", "/bin/bash", "-c", "sh predict.sh"]
    return ["sh", str(ROOT / "predict.sh"), str(inputs), str(outputs), *args.flags]


def run(task: Task, args: argparse.Namespace) -> Result:
    """Start a process for one image, and score what it leaves."""
    with tempfile.TemporaryDirectory(prefix="starpoly-challenge-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        inputs, outputs = folder / "inputs", folder / "outputs"
        inputs.mkdir()
        outputs.mkdir()
        shutil.copy(task.image, inputs)
        header = read_header(task.image)
        took = measure(command_for(args, inputs, outputs), folder / "said")
        labels = outputs / f"{task.image.name.split('.')[0]}_label.tiff"
        f1, n_true, n_pred, problem = score(task.truth, labels)
        if took.status:
            problem = problem or f"status {took.status}: {took.stderr[-200:].strip()}"
        if args.output is not None and labels.is_file():
            args.output.mkdir(parents=True, exist_ok=True)
            shutil.copy(labels, args.output)
        return Result(
            task.name, task.modality, header.shape, took.status, round(took.seconds, 3),
            round(ranked(took.seconds, header.n_pixels), 3), _peak(took, args), n_true, n_pred, round(f1, 4), problem,
        )  # fmt: skip


def _peak(took: Any, args: argparse.Namespace) -> float | None:
    """Memory of the process in MB; that of Docker's client says nothing."""
    if args.image is not None:
        return None
    if args.replay is None:
        return round(took.peak_mb, 1)
    said = [line for line in took.stderr.splitlines() if line.startswith('{"status"')]
    return round(json.loads(said[-1])["largest_process_gib"] * 2**30 / 1e6, 1) if said else None


def score(truth: Path, labels: Path) -> tuple[float, int, int, str]:
    """F1 at IoU 0.5, objects in truth and prediction that count, and what is wrong with the prediction."""
    y_true = read_labels(truth)
    y_pred, problem = None, ""
    if not labels.is_file():
        problem = "no prediction"
    else:
        try:
            y_pred = read_labels(labels)
        except StarpolyError as error:
            problem = str(error)
    if y_pred is not None and y_pred.shape != y_true.shape:
        y_pred, problem = None, f"expected labels of shape {y_true.shape}, got {y_pred.shape}"
    (found,) = neurips_score(y_true, y_pred)
    return found.f1, found.n_true, found.n_pred, problem


def table(results: Sequence[Result]) -> str:
    """A line for each image, then for each modality and for all: F1 and times, mean and median."""
    width = max((len(row.name) for row in results), default=4)
    lines = [
        f"{'image':{width}} {'size':>11} {'seconds':>8} {'ranked':>7} {'MB':>6} {'true':>5} {'found':>5} {'F1':>6}"
    ]
    for row in results:
        size = f"{row.shape[0]}x{row.shape[1]}"
        peak = "" if row.peak_mb is None else f"{row.peak_mb:.0f}"
        lines.append(
            f"{row.name:{width}} {size:>11} {row.seconds:8.2f} {row.ranked_seconds:7.2f} {peak:>6} {row.n_true:5} {row.n_pred:5} "
            f"{row.f1:6.4f} {row.problem}".rstrip()
        )
    lines += [
        "",
        f"{'modality':24} {'images':>6} {'F1 mean':>8} {'median':>7} {'seconds mean':>12} {'median':>7} {'ranked mean':>11} {'median':>7}",
    ]
    for name, summary in summaries(results).items():
        f1, seconds, rank = summary["f1"], summary["seconds"], summary["ranked_seconds"]
        lines.append(
            f"{name:24} {summary['images']:6} {f1['mean']:8.4f} {f1['median']:7.4f} {seconds['mean']:12.2f} {seconds['median']:7.2f} "
            f"{rank['mean']:11.2f} {rank['median']:7.2f}"
        )
    return "\n".join(lines) + "\n"


def summaries(results: Sequence[Result]) -> dict[str, dict[str, Any]]:
    """Number of images, mean and median of F1 and times, for each modality and for "all"."""
    groups = {name: group for name, group in _grouped(results).items() if name}
    return {
        name: {"images": len(group)}
        | {
            value: {"mean": round(fmean(numbers), 4), "median": round(median(numbers), 4)}
            for value in ("f1", "seconds", "ranked_seconds")
            for numbers in [[getattr(row, value) for row in group]]
        }
        for name, group in (groups | {"all": list(results)}).items()
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, write; 1 if an image has no usable prediction."""
    args = _parser().parse_args(argv)
    manifest = args.manifest or next((path for path in [args.images.parent / "manifest.csv"] if path.is_file()), None)
    tasks = find_tasks(args.images, args.masks, manifest, split=args.split, per_modality=args.per_modality)
    if not tasks:
        sys.exit(f"expected images in {args.images} with masks of the same names in {args.masks}, got none")
    results = []
    for number, task in enumerate(tasks, 1):
        results.append(run(task, args))
        sys.stderr.write(
            f"{number}/{len(tasks)} {task.name}: {results[-1].seconds:.1f} s, F1 {results[-1].f1:.3f} {results[-1].problem}\n"
        )
    sys.stdout.write(table(results))
    if args.json is not None:
        rows = [asdict(result) for result in results]
        result = {"machine": machine(), "summary": summaries(results), "images": rows}
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return int(any(result.problem for result in results))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("masks", type=Path, help="label images, named as the images, with or without _label")
    parser.add_argument("--manifest", type=Path, help="CSV with the columns name, modality, split")
    parser.add_argument("--split", help="only images of this split")
    parser.add_argument(
        "--per-modality", type=int, metavar="N", help="at most N images of each modality, evenly spread"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything as JSON")
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="keep the label images")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--image", metavar="NAME", help="image to run with Docker")
    where.add_argument("--replay", type=Path, metavar="FOLDER", help="the replay's --work folder")
    parser.add_argument("--docker", default=os.environ.get("DOCKER", "docker"), help="the program (default: docker)")
    parser.add_argument("--gpus", default="device=0", help="for --image; empty for none (default: %(default)s)")
    parser.add_argument("--memory", default="28G", help="for --image and --replay (default: %(default)s)")
    parser.add_argument(
        "--flags", nargs=argparse.REMAINDER, default=[], help="for predict.sh, where it runs without a container"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
