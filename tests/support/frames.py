"""A time series of any length: what segmenting it holds in memory.

A script: ``python frames.py N [SIDE]`` writes a series of N frames with moving squares, segments it with a painted network
and every output, links objects through time, and prints JSON: seconds and peak memory in MB, before the first frame and at
the end, and bytes of what was written. Used by ``test_stack_memory.py``.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import tifffile
from numpy.typing import NDArray

from starpoly.prediction import SlideOutputs, segment_slide

from support.painted import BrightModel

KINDS = {
    "table": "a_table.csv",
    "geojson": "a.geojson",
    "rois": "a_rois.zip",
    "zarr": "a.ome.zarr",
    "overlay": "a.png",
    "labels": "a_label.tiff",
}


def frames(n: int, side: int) -> Iterator[NDArray]:
    """Squares on a dark ground, each of which moves by a pixel a frame."""
    rng = np.random.default_rng(0)
    places = rng.integers(8, side - 16, (side * side // 16_000, 2))
    for _ in range(n):
        frame = rng.integers(10, 20, (side, side), dtype=np.uint8)
        for y, x in places:
            frame[y : y + 6, x : x + 6] = 200
        places = np.clip(places + rng.integers(-1, 2, places.shape), 0, side - 7)
        yield frame


def peak() -> float:
    """Largest memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main(n: int, side: int = 256) -> int:
    """Print what it took."""
    warnings.simplefilter("ignore")
    with TemporaryDirectory() as name:
        folder = Path(name)
        tifffile.imwrite(
            folder / "a.ome.tif",
            frames(n, side),
            shape=(n, side, side),
            dtype=np.uint8,
            compression="zlib",
            photometric="minisblack",
            metadata={"axes": "TYX"},
        )
        outputs = SlideOutputs(**{kind: folder / file for kind, file in KINDS.items()})
        model = BrightModel()
        segment_slide(model, next(frames(1, side)), SlideOutputs(**{**outputs.paths, "labels": folder / "warm.tiff"}))
        before, start = peak(), time.perf_counter()
        result = segment_slide(model, folder / "a.ome.tif", outputs, link="t")
        taken = time.perf_counter() - start
        written = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        found = {
            "frames": n,
            "objects": result.n_objects,
            "seconds": round(taken, 1),
            "before_mb": round(before),
            "peak_mb": round(peak()),
            "pixels_mb": round(n * side * side / 1e6),
            "written_mb": round(written / 1e6),
        }
        sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
