"""What measuring objects costs, beside ``skimage.measure.regionprops_table``.

    python benchmarks/measurements.py [--side 10000] [--objects 100000] [--peer-side 2000] [--json FILE]

Ellipses of several sizes lie on a grid; the image has 16 bits. starpoly measures the whole image, both programs measure its corner
of ``--peer-side`` pixels, since scikit-image needs minutes for all of it (``--peer-side 10000``). Printed: seconds, peak memory
above labels, image and table, for the whole and for a quarter of it, and the ratio of both programs on the same corner: with
convex hull and Feret diameter, and without them. Exit status 1 if values differ, the ratio is below 5, or memory grows by more
than 100 MB from the quarter to the whole.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from process import memory_of

LEAST_RATIO = 5
MOST_GROWTH = 100.0
"""MB of memory that may come with four times the pixels and objects."""
PLAIN = {
    "area": "area", "perimeter": "perimeter", "eccentricity": "eccentricity", "axis_major_length": "major_axis",
    "axis_minor_length": "minor_axis", "orientation": "orientation_rad", "intensity_mean": "mean_0",
    "intensity_std": "std_0", "intensity_min": "min_0", "intensity_max": "max_0", "intensity_median": "median_0",
}  # fmt: skip
HULL = {"solidity": "solidity", "feret_diameter_max": "feret_max"}


def ellipses(side: int, n: int) -> NDArray[np.int32]:
    """A label image of about ``n`` ellipses."""
    step = side / max(1, round(n**0.5))
    radii = np.random.default_rng(0).uniform(0.25, 0.48, (round(n**0.5), round(n**0.5))) * step
    labels = np.zeros((side, side), np.int32)
    for (row, column), radius in np.ndenumerate(radii):
        y, x = (row + 0.5) * step, (column + 0.5) * step
        y0, x0, y1, x1 = (int(v) for v in (y - radius, x - radius, y + radius + 1, x + radius + 1))
        inside = np.hypot(np.arange(y0, y1)[:, None] - y, 1.3 * (np.arange(x0, x1) - x)) <= radius
        labels[y0:y1, x0:x1][inside] = 1 + row * radii.shape[1] + column
    return labels


def timed(work: Any) -> tuple[Any, float]:
    """What a function returns, and the seconds it takes."""
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def measured(labels: NDArray, image: NDArray) -> dict[str, float]:
    """Objects, seconds and MB of peak memory above labels, image and table of measuring everything."""
    from starpoly.labels import measure_objects

    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = memory_of()["VmHWM"]
    table, seconds = timed(lambda: measure_objects(labels, image, measure="all"))
    table_mb = sum(np.asarray(column).nbytes for column in table.values()) / 1e6
    peak = memory_of()["VmHWM"] - before - table_mb
    return {"objects": len(table["label"]), "seconds": seconds, "memory_mb": peak, "table_mb": table_mb}


def compare(labels: NDArray, image: NDArray, names: dict[str, str]) -> dict[str, Any]:
    """Both programs on one image."""
    from skimage.measure import regionprops_table

    from starpoly.labels import measure_objects

    own, seconds = timed(lambda: measure_objects(labels, image))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer, peer_seconds = timed(lambda: regionprops_table(labels, image, properties=tuple(names)))
    differ = [name for name, column in names.items() if not agree(name, own[column], peer[name])]
    n = len(own["label"])
    return {"objects": n, "seconds": seconds, "peer": peer_seconds, "ratio": peer_seconds / seconds, "differ": differ}


def agree(name: str, own: NDArray, peer: NDArray) -> bool:
    """Whether two columns are equal; an axis has no direction."""
    if name == "orientation":
        return np.allclose(np.cos(2 * (own - peer)), 1, atol=1e-6)
    return np.allclose(own, peer, rtol=1e-6, atol=1e-6)


def main(argv: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=10_000)
    parser.add_argument("--objects", type=int, default=100_000)
    parser.add_argument("--peer-side", type=int, default=2000)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(argv)
    from starpoly.labels import measure_objects

    labels = ellipses(args.side, args.objects)
    image = np.random.default_rng(1).integers(0, 60_000, labels.shape).astype(np.uint16)
    measure_objects(labels[:50, :50], image[:50, :50], measure="all")  # compiles
    half = slice(args.side // 2)
    quarter, whole = measured(labels[half, half], image[half, half]), measured(labels, image)
    corner = (slice(args.peer_side), slice(args.peer_side))
    part = np.unique(labels[corner], return_inverse=True)[1].reshape(labels[corner].shape)
    result = {
        "side": args.side,
        **whole,
        "quarter": quarter,
        "with_hull": compare(part, image[corner], PLAIN | HULL),
        "without_hull": compare(part, image[corner], PLAIN),
    }
    print(
        f"{whole['objects']} objects in {args.side} x {args.side} px: {whole['seconds']:.1f} s, {whole['memory_mb']:.0f} MB above "
        f"labels, image and table ({whole['table_mb']:.0f} MB); a quarter of it: {quarter['memory_mb']:.0f} MB"
    )
    for name in ("with_hull", "without_hull"):
        found = result[name]
        print(
            f"{name}, {found['objects']} objects: starpoly {found['seconds']:.2f} s (everything), scikit-image "
            f"{found['peer']:.2f} s, ratio {found['ratio']:.1f}, columns that differ: {found['differ'] or 'none'}"
        )
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")
    cases = (result["with_hull"], result["without_hull"])
    grows = whole["memory_mb"] - quarter["memory_mb"] > MOST_GROWTH
    return int(grows or any(case["differ"] or case["ratio"] < LEAST_RATIO for case in cases))


if __name__ == "__main__":
    sys.exit(main())
