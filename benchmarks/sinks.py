"""What writing results costs: peak memory and time of each sink, for polygons without a network.

    python benchmarks/sinks.py [--sides 5000,10000,20000] [--sinks table,geojson,rois,overlay,zarr,labels,all] [--json FILE]

Polygons of 32 rays lie at random, 35 000 per 100 megapixels, and are known from the beginning. Each case runs in a process
of its own. Printed: peak resident memory, how much of it came after the polygons were made, and seconds per megapixel.
Exit status 1 where all sinks together take 80 MB more at the largest side than at half of it, or seconds per megapixel
differ by more than a third.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from process import memory_of

SINKS = ("measure", "table", "geojson", "rois", "overlay", "zarr", "labels", "all")
NAMES = {
    "table": "t.csv", "geojson": "o.geojson", "rois": "r.zip", "overlay": "o.png", "zarr": "l.ome.zarr", "labels": "l.tiff",
}  # fmt: skip
DENSITY = 35_000 / 1e8  # objects per pixel
MOST_GROWTH_MB, MOST_SPREAD = 80, 4 / 3
_N_RAYS = 32


def polygons(side: int) -> Any:
    """Stars of all sizes that nuclei have."""
    from starpoly.polygons import StarPolygons

    rng = np.random.default_rng(side)
    n = round(side * side * DENSITY)
    points = rng.integers(0, side, (n, 2)).astype(np.float32)
    distances = rng.uniform(5, 18, (n, 1)).astype(np.float32) * rng.uniform(0.8, 1.2, (n, _N_RAYS)).astype(np.float32)
    return StarPolygons(points, distances, rng.uniform(0.4, 1, n))


def ready(polygons: Any) -> Any:
    """A model that has found its polygons."""
    from starpoly.config import ModelSpec, NetworkConfig
    from starpoly.detection.detector import Detector
    from starpoly.detection.pipeline import Detection

    class Ready(Detector):
        def check_options(self, options: Any) -> None:
            pass

        def detect(self, *_: Any, receiver: Any = None, **__: Any) -> Detection:
            if receiver is not None:
                receiver.add(polygons, math.inf, math.inf)
            return Detection(polygons, len(polygons), 1)

    return Ready(ModelSpec("ready", NetworkConfig(n_channels=3), max_distance=60.0), None)  # type: ignore[arg-type]


def image(side: int) -> np.ndarray:
    """A colour image that takes no memory."""
    row = (200 + np.arange(side * 3) % 32).astype(np.uint8).reshape(1, side, 3)
    return np.broadcast_to(row, (side, side, 3))


def write(sink: str, side: int, folder: Path) -> dict[str, float]:
    """Write to one sink, or all, in this process."""
    write_results("all", polygons(600), 600, folder / "small")  # imports and compiles what every case needs
    found = polygons(side)
    before = memory_of()
    seconds = write_results(sink, found, side, folder)
    return {"objects": len(found), "before": before["VmRSS"], "peak": memory_of()["VmHWM"], "seconds": seconds}


def write_results(sink: str, found: Any, side: int, folder: Path) -> float:
    """Seconds that it takes."""
    from starpoly.prediction.formats import SlideOutputs
    from starpoly.prediction.slide import segment_slide

    wanted = NAMES if sink == "all" else {sink: NAMES[sink]} if sink in NAMES else {}
    start = time.perf_counter()
    segment_slide(ready(found), image(side), SlideOutputs(**{kind: folder / name for kind, name in wanted.items()}))
    return time.perf_counter() - start


def run(sink: str, side: int) -> dict[str, float]:
    """The same in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--one", sink, str(side), folder]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> int:
    """Run all cases; 1 if memory grows or time is not flat."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", default="5000,10000,20000", help="in pixels")
    parser.add_argument("--sinks", default=",".join(SINKS))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        sys.stdout.write(json.dumps(write(args.one[0], int(args.one[1]), Path(args.one[2]))))
        return 0
    sides = [int(side) for side in args.sides.split(",")]
    sys.stdout.write(f"{'sink':8} {'side':>6} {'objects':>8} {'peak MB':>8} {'more MB':>8} {'s/MP':>8}\n")
    figures: dict[str, dict[int, dict[str, float]]] = {}
    for sink in args.sinks.split(","):
        for side in sides:
            case = figures.setdefault(sink, {})[side] = run(sink, side)
            more, rate = case["peak"] - case["before"], case["seconds"] / (side * side / 1e6)
            sys.stdout.write(f"{sink:8} {side:6} {case['objects']:8.0f} {case['peak']:8.0f} {more:8.0f} {rate:8.4f}\n")
            sys.stdout.flush()
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return int(any([_grows(cases, sides) for sink, cases in figures.items() if sink == "all"]))


def _grows(cases: dict[int, dict[str, float]], sides: list[int]) -> bool:
    peaks = [cases[side]["peak"] for side in sides if side >= max(sides) / 2]
    rates = [case["seconds"] / side**2 for side, case in cases.items()]
    growth, spread = max(peaks) - peaks[0], max(rates) / min(rates)
    said = f"all sinks: {growth:.0f} MB more at {max(sides)} than at half of it, seconds per megapixel within a factor of {spread:.2f}"
    sys.stdout.write(f"{said}\n")
    return growth >= MOST_GROWTH_MB or spread > MOST_SPREAD


if __name__ == "__main__":
    sys.exit(main())
