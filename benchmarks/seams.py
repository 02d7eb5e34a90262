"""Objects cut, lost or doubled at the seams of tiles or blocks, counted in a finished result.

    python benchmarks/seams.py stardist|starpoly SLIDE.tif LABELS OUTLINES --model MODEL [--windows N] [--json FILE]

Three counts, each at the seams and, to see what is no seam's doing, at lines half-way between them:

- *looked at again*: windows with the line through their middle are segmented anew by the same tool, in one piece and with
  the slide's normalisation. Objects at the line should be the same in both answers: of those of the window, how many are
  changed (best IoU with the slide's objects from 0.5 to 0.9) or lost (below 0.5), and how many are in the slide's answer
  alone (extra: a second half, a double).
- *doubled*: pairs of outlines that share more than half of the smaller one, of which one lies across the line. Suppression
  leaves none.
- *true nuclei* (with --truth, for slides of `mosaic.py`): nuclei across a line, whole in the slide, that are found, with an
  IoU of at least 0.5, and those in pieces: two or more objects lie mostly in it and cover a tenth of it each.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

SIDE = 1024  # of a window
SEGMENT = 512  # of a seam that a window answers for
BAND = 8  # an object this near to a line is at it
_ALIGN = 16  # windows start at the network's stride
_SAME, _FOUND = 0.9, 0.5


class Tool(Protocol):
    """A program that segments."""

    def lines(self) -> tuple[list[int], list[int]]:
        """Rows and columns of its seams."""
        ...

    def segment(self, window: NDArray) -> NDArray:
        """Labels of a part of the slide, in one piece."""
        ...


class StarDist:
    """StarDist, block by block."""

    def __init__(self, slide: NDArray, model: Path, block: int, min_overlap: int, context: int) -> None:
        from peer import percentile_normalizer, stardist_model

        self._model, self._normalizer = stardist_model(model), percentile_normalizer(slide)
        self._shape, self._sizes = (slide.shape[0], slide.shape[1]), (block, min_overlap, context)

    def lines(self) -> tuple[list[int], list[int]]:
        from peer import seams

        return seams(self._model, self._shape, *self._sizes)

    def segment(self, window: NDArray) -> NDArray:
        return self._model.predict_instances(window, normalizer=self._normalizer, verbose=False)[0]


class StarPoly:
    """starpoly, tile by tile."""

    def __init__(self, slide: NDArray, model: str, scale: int, tile_size: int | None) -> None:
        from starpoly import StarPoly2D
        from starpoly.images.normalization import fit_normalizer
        from starpoly.model_zoo import find_model
        from starpoly.network.predictor import Predictor

        self._predictor = Predictor.load(find_model(model))
        self._model = StarPoly2D(self._predictor.spec, self._predictor)
        self._normalizer = fit_normalizer(slide, self._model.spec.normalization)
        self._shape, self._scale, self._tile_size = slide.shape[:2], scale, tile_size

    def lines(self) -> tuple[list[int], list[int]]:
        from starpoly.detection.pipeline import plan_for

        shape = (self._scale * self._shape[0], self._scale * self._shape[1])
        cores = [tile.core for tile in plan_for(self._predictor, shape, self._tile_size)]
        rows = sorted({core.y0 // self._scale for core in cores} - {0})
        return rows, sorted({core.x0 // self._scale for core in cores} - {0})

    def segment(self, window: NDArray) -> NDArray:
        labels, _ = self._model.predict_instances(
            window, normalizer=self._normalizer, scale=self._scale, tile_size=self._scale * (SIDE + 64)
        )
        return labels


@dataclass(frozen=True)
class Segment:
    """A piece of a line: between pixels ``at - 1`` and ``at`` along ``axis``, from ``start`` to ``stop`` along the other."""

    axis: int
    at: int
    start: int
    stop: int


def segments(lines: tuple[list[int], list[int]], shape: tuple[int, int]) -> list[Segment]:
    """All lines in pieces."""
    return [
        Segment(axis, at, start, min(start + SEGMENT, shape[1 - axis]))
        for axis in (0, 1)
        for at in lines[axis]
        for start in range(0, shape[1 - axis], SEGMENT)
    ]


def half_way(lines: list[int], length: int) -> list[int]:
    """Lines half-way between the others and the ends."""
    ends = [0, *lines, length]
    return [(a + b) // 2 for a, b in pairwise(ends) if b - a > 8 * BAND]


def look_again(tool: Tool, slide: NDArray, labels: Any, pieces: list[Segment]) -> dict[str, int]:
    """Objects at pieces of lines, in the slide's answer and in windows around the pieces."""
    total = dict.fromkeys(("objects", "changed", "lost", "extra"), 0)
    for piece in pieces:
        rows, columns = _window(piece, slide.shape)
        whole = np.asarray(labels[rows, columns]).astype(np.int64)
        alone = tool.segment(slide[rows, columns]).astype(np.int64)
        best, at_line = _best(alone, whole, piece, (rows.start, columns.start))
        total["objects"] += len(at_line)
        total["changed"] += int(((best >= _FOUND) & (best < _SAME)).sum())
        total["lost"] += int((best < _FOUND).sum())
        best, at_line = _best(whole, alone, piece, (rows.start, columns.start))
        total["extra"] += int((best < _FOUND).sum())
    return total


def _window(piece: Segment, shape: tuple[int, ...]) -> tuple[slice, slice]:
    centre = [0, 0]
    centre[piece.axis], centre[1 - piece.axis] = piece.at, (piece.start + piece.stop) // 2
    slices = []
    for middle, length in zip(centre, shape, strict=False):
        start = max(0, min(middle - SIDE // 2, length - SIDE)) // _ALIGN * _ALIGN
        slices.append(slice(start, min(start + SIDE, length)))
    return slices[0], slices[1]


def _best(first: NDArray, second: NDArray, piece: Segment, origin: tuple[int, int]) -> tuple[NDArray, NDArray]:
    """For the objects of ``first`` at a piece of a line their best IoU with one of ``second``; and their ids."""
    from scipy.ndimage import find_objects

    from starpoly.evaluation.label_overlaps import overlaps

    ids, compact = np.unique(first, return_inverse=True)
    compact = compact.reshape(first.shape) + (0 if ids[0] == 0 else 1)
    boxes = find_objects(compact)
    at_line = []
    for index, (rows, columns) in enumerate(boxes):
        spans = [(part.start + begin, part.stop + begin) for part, begin in zip((rows, columns), origin, strict=True)]
        (low, high), (left, right) = spans[piece.axis], spans[1 - piece.axis]
        # one that lies over two pieces is counted where its middle is
        if low <= piece.at + BAND and high >= piece.at - BAND and piece.start <= (left + right) // 2 < piece.stop:
            at_line.append(index)
    table = overlaps(compact, second)
    best = np.zeros(table.n_true)
    np.maximum.at(best, table.true_index, table.scores("iou"))
    return best[at_line], np.array(at_line, np.int64)


def boxes_of(rings: list[NDArray]) -> NDArray[np.float64]:
    """y0, x0, y1, x1 of rings (k, 2) of (y, x)."""
    return np.array([[*ring.min(axis=0), *ring.max(axis=0)] for ring in rings]).reshape(-1, 4)


def doubled(rings: list[NDArray], boxes: NDArray, lines: tuple[list[int], list[int]]) -> dict[str, int]:
    """Pairs of outlines that share more than half of the smaller one, one of them across a line."""
    across = np.flatnonzero(_across(boxes, lines))
    order = np.argsort(boxes[:, 0], kind="stable")
    tops = boxes[order, 0]
    tallest = float((boxes[:, 2] - boxes[:, 0]).max(initial=0))
    pairs = set()
    for index in across:
        y0, x0, y1, x1 = boxes[index]
        near = order[np.searchsorted(tops, y0 - tallest) : np.searchsorted(tops, y1)]
        meets = (boxes[near, 2] > y0) & (boxes[near, 1] < x1) & (boxes[near, 3] > x0) & (near != index)
        pairs |= {(min(index, other), max(index, other)) for other in near[meets]}
    n = sum(_shared_part(rings[a], rings[b]) > 0.5 for a, b in pairs)
    return {"objects": len(across), "pairs": n}


def _across(boxes: NDArray, lines: tuple[list[int], list[int]]) -> NDArray[np.bool_]:
    """Which boxes y0, x0, y1, x1 reach over a line or near to one."""
    across = np.zeros(len(boxes), bool)
    for axis in (0, 1):
        ends = np.array([-np.inf, *lines[axis], np.inf])
        # the first line that is not before the box begins
        following = ends[np.searchsorted(ends, boxes[:, axis] - BAND)]
        across |= following <= boxes[:, axis + 2] + BAND
    return across


def _shared_part(a: NDArray, b: NDArray) -> float:
    """The intersection's part of the smaller polygon, by pixels of a quarter."""
    from skimage.draw import polygon2mask

    low = np.floor(np.minimum(a.min(axis=0), b.min(axis=0)))
    size = np.ceil(4 * (np.maximum(a.max(axis=0), b.max(axis=0)) - low)).astype(int) + 1
    first, second = (polygon2mask(tuple(size), 4 * (ring - low)) for ring in (a, b))
    return float(np.count_nonzero(first & second) / max(1, min(np.count_nonzero(first), np.count_nonzero(second))))


def true_nuclei(nuclei: NDArray, truth: NDArray, labels: NDArray, lines: tuple[list[int], list[int]]) -> dict[str, int]:
    """Whole true nuclei at lines: how many, how many found, how many in pieces."""
    from starpoly.evaluation.label_overlaps import overlaps

    table = overlaps(truth, labels)
    best, pieces = np.zeros(table.n_true), np.zeros(table.n_true, np.int64)
    np.maximum.at(best, table.true_index, table.scores("iou"))
    np.add.at(pieces, table.true_index, (table.scores("iop") > 0.5) & (table.scores("iot") > 0.1))
    chosen = nuclei[(nuclei[:, 6] == 1) & _across(nuclei[:, 1:5], lines)]
    where = np.searchsorted(table.true_labels, chosen[:, 0].astype(np.uint64))
    return {
        "nuclei": len(chosen),
        "found": int((best[where] >= _FOUND).sum()),
        "in_pieces": int((pieces[where] > 1).sum()),
    }


def read_rings(path: Path) -> list[NDArray]:
    """Outlines (k, 2) of (y, x), from GeoJSON or from StarDist's coordinates."""
    if path.suffix == ".npz":
        with np.load(path) as file:
            return list(file["coord"].transpose(0, 2, 1).astype(np.float64))
    return [np.array(ring)[:-1, ::-1] - 0.5 for ring in _geojson_rings(path)]


def _geojson_rings(path: Path) -> Iterator[list]:
    with open(path, encoding="utf-8") as file:
        for line in file:  # a Feature a line
            if line.startswith('{"type":"Feature",'):
                yield json.loads(line.rstrip().rstrip(","))["geometry"]["coordinates"][0]


def read_labels(path: Path) -> NDArray:
    """A label image, from TIFF or zarr."""
    if path.suffix == ".zarr":
        import zarr

        return np.asarray(zarr.open_array(path, mode="r"))
    import tifffile

    return tifffile.imread(path, key=0)


def count(
    tool: Tool, slide: NDArray, labels: NDArray, rings: list[NDArray], truth: Any, *, windows: int, seed: int = 0
) -> dict:
    """All counts at seams and half-way between them; ``truth`` is a Mosaic of labels or None."""
    shape = (slide.shape[0], slide.shape[1])
    rows, columns = tool.lines()
    between = (half_way(rows, shape[0]), half_way(columns, shape[1]))
    result: dict[str, Any] = {"rows": rows, "columns": columns}
    boxes = boxes_of(rings)
    true = None if truth is None else (truth.nuclei(), truth[:, :])
    for name, lines in (("seams", (rows, columns)), ("between", between)):
        pieces = segments(lines, shape)
        chosen = np.random.default_rng(seed).permutation(len(pieces))[:windows]
        result[name] = {
            "length_px": sum(piece.stop - piece.start for piece in pieces),
            "windows": len(chosen),
            "looked_at_again": look_again(tool, slide, labels, [pieces[index] for index in chosen]),
            "doubled": doubled(rings, boxes, lines),
            "true_nuclei": None if true is None else true_nuclei(*true, labels, lines),
        }
    return result


def main() -> int:
    """Count for one result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tool", choices=("stardist", "starpoly"))
    parser.add_argument("slide", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("outlines", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument(
        "--windows", type=int, default=60, help="how many windows to look at again (default: %(default)s)"
    )
    parser.add_argument("--truth", action="store_true", help="the slide is one of mosaic.py's: use its true nuclei")
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--tile-size", type=int)
    parser.add_argument("--block", type=int, default=2048)
    parser.add_argument("--min-overlap", type=int, default=128)
    parser.add_argument("--context", type=int, default=128)
    parser.add_argument("--json", type=Path)
    from mosaic import Mosaic, add_mosaic_arguments, bank_of

    add_mosaic_arguments(parser)
    args = parser.parse_args()
    import tifffile

    slide = tifffile.imread(args.slide)
    tool: Tool
    if args.tool == "stardist":
        tool = StarDist(slide, Path(args.model), args.block, args.min_overlap, args.context)
    else:
        tool = StarPoly(slide, args.model, args.scale, args.tile_size)
    truth = Mosaic(slide.shape[:2], "labels", seed=args.seed, bank=bank_of(args)) if args.truth else None
    result = count(
        tool, slide, read_labels(args.labels), read_rings(args.outlines), truth, windows=args.windows, seed=args.seed
    )
    text = json.dumps(result, indent=2) + "\n"
    if args.json is None:
        print(text, end="")
    else:
        args.json.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
