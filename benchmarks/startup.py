"""From the start of a process to written labels, for one image: starpoly's command line beside StarDist's.

    python benchmarks/startup.py [--json FILE] [--sizes 512,1000] [--runs 5]

Each program is started for one image, as a container is that holds nothing from an earlier one: `starpoly predict` and
`stardist-predict2d` (needs the extra peer) on the same TIFF, in turn, so that a machine whose speed drifts is as fair to
both. What is on disk stays there between the runs: installed files in the system's cache, compiled kernels and frozen networks in a
folder of this script's own, which a first run that is not counted fills. Four ways are compared:

    own              starpoly with its default model
    imported         starpoly with StarDist's network
    own, by Keras    own without the frozen network (STARPOLY_SERVING=keras)
    stardist         stardist-predict2d with its network

Printed: wall-clock seconds, processor seconds and peak memory of the whole process (median, smallest, largest), the ratio
to StarDist pair by pair, and where starpoly's time goes (--timings; stages overlap, so they add up to more).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from mosaic import Mosaic, add_mosaic_arguments, bank_of, default_images, write_tiff
from process import Measured, machine, measure

#: What is aimed at: starpoly's wall-clock time over StarDist's, pair by pair, median.
GOAL = 0.6
PEER = "stardist"
_STAGE = re.compile(r"^ *([\d.]+) s  (.+)$", re.MULTILINE)
_SCRIPTS = Path(sys.executable).parent


@dataclass(frozen=True)
class Way:
    """A program for an image, and variables of its environment."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]

    def start(self, image: Path, output: Path, folder: Path, caches: dict[str, str]) -> Measured:
        """Run it once; raises RuntimeError if it fails."""
        words = [word.format(image=image, output=output) for word in self.command]
        taken = measure(words, folder, environment=caches | self.environment)
        if taken.status:
            raise RuntimeError(f"{' '.join(words)}: status {taken.status}: {taken.stderr[-500:].strip()}")
        return taken


def ways(model: str | None, peer: Path | None) -> list[Way]:
    """What is compared, as far as it is there."""
    starpoly = (str(_SCRIPTS / "starpoly"), "predict", "{image}", "-o", "{output}", "--timings")
    own = (*starpoly, *(("--model", model) if model else ()))
    found = [Way("own", own, {})]
    if peer is not None:
        found.append(Way("imported", (*starpoly, "--model", str(peer)), {}))
    found.append(Way("own, by Keras", own, {"STARPOLY_SERVING": "keras"}))
    program = _SCRIPTS / "stardist-predict2d"
    if peer is not None and program.is_file():
        found.append(Way(PEER, (str(program), "-i", "{image}", "-m", str(peer), "-o", "{output}"), {}))
    return found


def compare(found: Sequence[Way], image: Path, runs: int, work: Path) -> dict[str, list[dict[str, Any]]]:
    """Each way in turn, ``runs`` times after one that does not count."""
    caches = {"STARPOLY_CACHE": str(work / "cache"), "NUMBA_CACHE_DIR": str(work / "numba")}
    rows: dict[str, list[dict[str, Any]]] = {way.name: [] for way in found}
    for number in range(runs + 1):
        for way in found:
            taken = way.start(image, work / "out" / way.name, work / "said", caches)
            if number:
                stages = {name: float(seconds) for seconds, name in _STAGE.findall(taken.stderr)}
                rows[way.name].append({
                    "seconds": round(taken.seconds, 3), "cpu_seconds": round(taken.cpu_seconds, 3),
                    "peak_mb": round(taken.peak_mb, 1), "others": taken.others, "stages": stages,
                })  # fmt: skip
    return rows


def summarize(rows: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Medians and ranges of each way, and its ratio to StarDist pair by pair."""
    peer = rows.get(PEER)
    summary: dict[str, dict[str, Any]] = {}
    for name, taken in rows.items():
        entry: dict[str, Any] = {
            key: _three([row[key] for row in taken]) for key in ("seconds", "cpu_seconds", "peak_mb")
        }
        if peer:
            for key in ("seconds", "peak_mb"):
                entry[f"{key}_ratio"] = _three(
                    [ours[key] / theirs[key] for ours, theirs in zip(taken, peer, strict=True)]
                )
        stages = dict.fromkeys(stage for row in taken for stage in row["stages"])
        entry["stages"] = {stage: median(row["stages"].get(stage, 0.0) for row in taken) for stage in stages}
        entry["others"] = max(row["others"] for row in taken)
        summary[name] = entry
    return summary


def _three(values: list[float]) -> list[float]:
    """Median, smallest and largest."""
    return [round(value, 3) for value in (median(values), min(values), max(values))]


def table(side: int, summary: dict[str, dict[str, Any]]) -> str:
    """The summary of a size as Markdown, then where the time goes."""
    lines = [
        f"{side} x {side}",
        "",
        "| | seconds | (range) | ratio to StarDist | (range) | processor s | peak MB |",
        "|---|--:|---|--:|---|--:|--:|",
    ]
    for name, entry in summary.items():
        seconds, ratio = entry["seconds"], entry.get("seconds_ratio")
        told = f"{ratio[0]:.2f} | {ratio[1]:.2f} to {ratio[2]:.2f}" if ratio else " | "
        lines.append(
            f"| {name} | {seconds[0]:.2f} | {seconds[1]:.2f} to {seconds[2]:.2f} | {told} | {entry['cpu_seconds'][0]:.2f} | {entry['peak_mb'][0]:.0f} |"
        )
    for name, entry in summary.items():
        if entry["stages"]:
            said = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in entry["stages"].items())
            lines += ["", f"{name}, seconds: {said}"]
    return "\n".join([*lines, ""])


def default_peer() -> Path | None:
    """StarDist's model folder, where there is one."""
    images = default_images()
    folder = None if images is None else images.parent / "peer" / "stardist-fluo"
    return folder if folder is not None and folder.is_dir() else None


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    out.add_argument(
        "--sizes",
        type=lambda text: [int(part) for part in text.split(",")],
        default=[512, 1000],
        help="sides in pixels (default: 512,1000)",
    )
    out.add_argument("--runs", type=int, default=5, help="runs of each that count (default: %(default)s)")
    out.add_argument("--model", help="starpoly's model (default: its default)")
    out.add_argument(
        "--peer",
        type=Path,
        default=default_peer(),
        help="StarDist's model folder (default: ../shared/peer/stardist-fluo)",
    )
    out.add_argument("--only", type=lambda text: text.split(";"), help="some of the ways, divided by semicolons")
    out.add_argument("--json", type=Path, metavar="FILE", help="write everything as JSON")
    add_mosaic_arguments(out)
    return out


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; 1 if the goal was missed, or could not be looked at."""
    args = parser().parse_args(arguments)
    found = [way for way in ways(args.model, args.peer) if not args.only or way.name in args.only]
    bank = bank_of(args)
    facts: dict[str, Any] = {"machine": machine(), "images": bank.origin, "runs": args.runs, "sizes": {}}
    reached = True
    with tempfile.TemporaryDirectory(prefix="starpoly-startup-") as name:
        work = Path(name)
        for side in args.sizes:
            image = work / f"image_{side}.tif"
            write_tiff(image, Mosaic(side, seed=args.seed, bank=bank)[:, :])
            rows = compare(found, image, args.runs, work)
            summary = summarize(rows)
            facts["sizes"][str(side)] = {"summary": summary, "runs": rows}
            sys.stdout.write(table(side, summary) + "\n")
            sys.stdout.flush()
            ratio = summary.get("own", {}).get("seconds_ratio")
            reached = reached and ratio is not None and ratio[0] <= GOAL
    sys.stdout.write(
        f"{'PASS' if reached else 'FAIL'}  own at most {GOAL} of StarDist's time, from process start to written labels\n"
    )
    if args.json is not None:
        args.json.write_text(json.dumps(facts, indent=1).replace(f"{_SCRIPTS}{os.sep}", "") + "\n", encoding="utf-8")
    return int(not reached)


if __name__ == "__main__":
    sys.exit(main())
