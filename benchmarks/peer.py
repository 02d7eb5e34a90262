"""StarDist's `predict_instances_big` on a slide, in a process of its own, as its documentation says to use it.

    python benchmarks/peer.py SLIDE.tif OUT --model MODELDIR [--block 2048] [--min-overlap 128] [--context 128] [--lean]

The image is read into memory and given with a normaliser of its percentiles; labels come back as an array and are written
as a tiled, compressed TIFF, outlines as OUT/outlines.npz. With --lean the image is read and the labels are written through
zarr, which keeps both out of memory. OUT/summary.json says how long each stage took, and the peak memory after it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Stages:
    """Seconds per stage, and the peak memory of the process at the end of each, in MB."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.peak_mb: dict[str, float] = {}
        self._start = time.perf_counter()

    def done(self, stage: str) -> None:
        from process import memory_of

        now = time.perf_counter()
        self.seconds[stage] = now - self._start
        self.peak_mb[stage] = memory_of().get("VmHWM", 0.0)
        self._start = now


def stardist_model(folder: Path) -> Any:
    """A StarDist model folder."""
    from stardist.models import StarDist2D

    return StarDist2D(None, name=folder.name, basedir=str(folder.resolve().parent))


def percentile_normalizer(image: Any) -> Any:
    """StarDist's normaliser of blocks, by the percentiles 1 and 99.8 of the whole image."""
    from csbdeep.data import Normalizer
    from csbdeep.utils import normalize_mi_ma

    low, high = np.percentile(image, (1, 99.8))

    class Percentiles(Normalizer):  # type: ignore[misc]
        def before(self, x: NDArray, axes: str) -> NDArray:
            return normalize_mi_ma(x, low, high, dtype=np.float32)

        def after(self, mean: NDArray, scale: NDArray, axes: str) -> Any:
            raise NotImplementedError

        @property
        def do_after(self) -> bool:
            return False

    return Percentiles()


def seams(
    model: Any, shape: tuple[int, int], block: int, min_overlap: int, context: int
) -> tuple[list[int], list[int]]:
    """Rows and columns at which the objects of one block end and those of the next begin."""
    from stardist.big import BlockND

    grid = model._axes_div_by("YX")
    sizes = [tuple(-(-value // step) * step for step in grid) for value in (block, min_overlap, context)]
    blocks = BlockND.cover(shape, "YX", *sizes, grid)
    # an object belongs to the first block in whose written part it ends
    ends = [sorted({part.slice_write.stop for nd in blocks for part in [nd.blocks_for_axes(axis)[0]] if not part.at_end})
            for axis in "YX"]  # fmt: skip
    return ends[0], ends[1]


def main() -> int:
    """Predict one slide."""
    stages = Stages()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("slide", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--block", type=int, default=2048)
    parser.add_argument("--min-overlap", type=int, default=128)
    parser.add_argument("--context", type=int, default=128)
    parser.add_argument("--lean", action="store_true")
    args = parser.parse_args()
    import stardist.models  # noqa: F401
    import tifffile

    stages.done("imports")
    model = stardist_model(args.model)
    stages.done("model")
    args.output.mkdir(parents=True, exist_ok=True)
    if args.lean:
        import zarr

        image = zarr.open(tifffile.imread(args.slide, aszarr=True), mode="r")
        normalizer = percentile_normalizer(np.concatenate([image[y] for y in range(0, image.shape[0], 64)]))
        labels_out = zarr.create_array(
            store=str(args.output / "labels.zarr"), shape=image.shape, chunks=(512, 512), dtype=np.int32, overwrite=True
        )
    else:
        image = tifffile.imread(args.slide)
        normalizer, labels_out = percentile_normalizer(image), None
    stages.done("reading")
    labels, details = model.predict_instances_big(
        image, axes="YX", block_size=args.block, min_overlap=args.min_overlap, context=args.context,
        labels_out=labels_out, normalizer=normalizer, show_progress=False,
    )  # fmt: skip
    stages.done("detection")
    if not args.lean:
        from mosaic import write_tiff

        write_tiff(args.output / "labels.tif", labels)
    np.savez(args.output / "outlines.npz", coord=details["coord"].astype(np.float32), prob=details["prob"])
    stages.done("writing")
    summary = {"objects": len(details["prob"]), "seconds": stages.seconds, "peak_mb": stages.peak_mb}
    (args.output / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
