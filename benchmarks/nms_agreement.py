"""Hold starpoly's suppression against StarDist's on the same candidates, from real masks.

Candidates are what a good network would answer for a label image: the ray distances and the normalised distance to
the boundary, both with multiplicative noise, at every grid point above the probability threshold. Both programs get
them in the same order. Printed are the objects that each keeps, how many of them are the same (identical centre), the
times, and why the others differ: StarDist cuts vertices to whole pixels, and so the corners of intersections, which
moves the overlap of a pair of polygons, of small ones much, and may move it over the threshold.

    python benchmarks/nms_agreement.py [--labels DIR] [--limit N] [--mosaic SIZE] [--json FILE]

Label images come from --labels, or $STARPOLY_SHARED/data/labels, or ../shared/data/labels; without any, ellipses are
drawn. With --mosaic the images are laid side by side into one of SIZE x SIZE pixels. Threads of StarDist are set with
OMP_NUM_THREADS; starpoly uses one.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from starpoly.geometry.boundary import boundary_probability
from starpoly.geometry.distances import ray_distances
from starpoly.geometry.overlap import intersection_areas, polygon_areas
from starpoly.polygons import StarPolygons
from starpoly.suppression.greedy import suppress


@dataclass
class Comparison:
    """Sums over images; ``pairs``, ``consequences`` and ``rest`` as in :func:`explain`."""

    images: int = 0
    candidates: int = 0
    starpoly_kept: int = 0
    stardist_kept: int = 0
    same: int = 0
    starpoly_seconds: float = 0.0
    stardist_seconds: float = 0.0
    pairs: list[tuple[float, float]] = field(default_factory=list)
    consequences: int = 0
    rest: int = 0

    @property
    def agreement(self) -> float:
        """Objects kept by both, as a part of those kept by either."""
        either = self.starpoly_kept + self.stardist_kept - self.same
        return self.same / either if either else 1.0


def drawn_ellipses(size: int, seed: int) -> NDArray[np.int32]:
    """A label image of ellipses with half-axes of 5 to 16 pixels, some of which touch."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((size, size), np.int32)
    for label in range(1, size * size // 200):
        y, x = rng.uniform(0, size, 2)
        reach = int(np.ceil(a := rng.uniform(5, 16)))
        b, angle = a * rng.uniform(0.5, 1), rng.uniform(0, np.pi)
        rows = slice(max(int(y) - reach, 0), int(y) + reach + 1)
        columns = slice(max(int(x) - reach, 0), int(x) + reach + 1)
        window = labels[rows, columns]
        dy, dx = np.ogrid[rows.start : rows.start + window.shape[0], columns.start : columns.start + window.shape[1]]
        u = (dx - x) * np.cos(angle) + (dy - y) * np.sin(angle)
        v = (dy - y) * np.cos(angle) - (dx - x) * np.sin(angle)
        inside = (u / a) ** 2 + (v / b) ** 2 <= 1
        # they touch, as nuclei do, but leave no slivers of one another
        if np.count_nonzero(window[inside]) < 0.1 * np.count_nonzero(inside):
            window[inside & (window == 0)] = label
    return labels


def candidates_of(
    labels: NDArray,
    *,
    n_rays: int = 32,
    grid: int = 2,
    noise: float = 0.05,
    prob_threshold: float = 0.5,
    seed: int = 0,
) -> StarPolygons:
    """Noisy true answers at the grid points of a label image, in score order."""
    rng = np.random.default_rng(seed)
    probability = boundary_probability(labels)[::grid, ::grid]
    probability = np.clip(probability * (1 + noise * rng.standard_normal(probability.shape)), 0, 1)
    rows, columns = np.nonzero(probability > prob_threshold)
    distances = ray_distances(labels, n_rays, (grid, grid))[rows, columns]
    distances = np.maximum(distances * (1 + noise * rng.standard_normal(distances.shape)), 0)
    polygons = StarPolygons(np.stack([rows, columns], axis=1) * grid, distances, probability[rows, columns])
    return polygons.take(polygons.score_order())


def stardist_kept(candidates: StarPolygons, nms_threshold: float) -> NDArray[np.intp]:
    """Indices of the candidates, which stand in score order, that StarDist keeps."""
    from stardist.nms import non_maximum_suppression_inds

    return np.flatnonzero(
        non_maximum_suppression_inds(
            candidates.distances, candidates.points, candidates.probabilities, thresh=nms_threshold, verbose=0
        )
    )


def starpoly_kept(candidates: StarPolygons, nms_threshold: float) -> NDArray[np.intp]:
    """Indices of the candidates, which stand in score order, that starpoly keeps."""
    kept = suppress(candidates, nms_threshold)
    place = {point: index for index, point in enumerate(map(tuple, candidates.points.tolist()))}
    return np.array([place[point] for point in map(tuple, kept.points.tolist())], np.intp)


def overlaps(candidates: StarPolygons, index: int, others: list[int]) -> NDArray[np.float64]:
    """Overlap of one candidate with some others."""
    areas = polygon_areas(candidates)
    shared = intersection_areas(candidates.take(np.array([index])), candidates.take(np.array(others, np.intp)))
    return shared / np.minimum(areas[index], areas[others])


def explain(
    candidates: StarPolygons, ours: set[int], theirs: set[int], nms_threshold: float
) -> tuple[list[tuple[float, float]], int, int]:
    """Why the two sets differ: pairs that StarDist decides differently, consequences of those, and the rest.

    A candidate that one side keeps was suppressed by a better one on the other side. Where both sides keep that
    better one, the pair was decided differently, and StarDist given nothing but that pair decides it so again; listed
    are how far the true overlap is from the threshold and the area of the smaller polygon. Where the sides do not
    both keep it, the difference follows from an earlier one, which overlaps the candidate.
    """
    areas = polygon_areas(candidates)
    pairs, consequences, rest = [], 0, 0
    differing = sorted(ours ^ theirs)
    for index in differing:
        better = [other for other in sorted(ours & theirs) if other < index]
        earlier = [other for other in differing if other < index]
        exact = overlaps(candidates, index, better)
        decided_differently = [
            (abs(float(exact[k]) - nms_threshold), float(min(areas[index], areas[better[k]])))
            for k in np.flatnonzero(exact > 0)
            if (exact[k] > nms_threshold) == (index in theirs)
            and (len(stardist_kept(candidates.take(np.array([better[k], index])), nms_threshold)) == 1)
            == (index in ours)
        ]
        if decided_differently:
            pairs.append(min(decided_differently))
        elif overlaps(candidates, index, earlier).max(initial=0) > 0:
            consequences += 1
        else:
            rest += 1
    return pairs, consequences, rest


def timed(function: Callable[[], NDArray[np.intp]]) -> tuple[NDArray[np.intp], float]:
    """A function's value and the seconds that it took."""
    start = time.perf_counter()
    value = function()
    return value, time.perf_counter() - start


def compare(images: Iterator[NDArray], *, nms_threshold: float = 0.4, **how: float) -> Comparison:
    """Suppress the candidates of each label image with both programs."""
    total = Comparison()
    starpoly_kept(candidates_of(drawn_ellipses(64, 0), **how), nms_threshold)  # type: ignore[arg-type]
    for seed, labels in enumerate(images):
        candidates = candidates_of(labels, seed=seed, **how)  # type: ignore[arg-type]
        # bound in this round of the loop, and called in it
        _, seconds = timed(lambda c=candidates: suppress(c, nms_threshold))  # type: ignore[misc]
        ours = set(starpoly_kept(candidates, nms_threshold).tolist())
        kept, stardist_seconds = timed(lambda c=candidates: stardist_kept(c, nms_threshold))  # type: ignore[misc]
        theirs = set(kept.tolist())
        pairs, consequences, rest = explain(candidates, ours, theirs, nms_threshold)
        total.images += 1
        total.candidates += len(candidates)
        total.starpoly_kept += len(ours)
        total.stardist_kept += len(theirs)
        total.same += len(ours & theirs)
        total.starpoly_seconds += seconds
        total.stardist_seconds += stardist_seconds
        total.pairs += pairs
        total.consequences += consequences
        total.rest += rest
    return total


def label_images(folder: Path | None, limit: int | None) -> Iterator[NDArray]:
    """Label images of a folder, or drawn ones."""
    if folder is None:
        yield from (drawn_ellipses(512, seed) for seed in range(limit or 8))
        return
    import tifffile

    for path in sorted(folder.glob("*.tif"))[:limit]:
        yield tifffile.imread(path)


def mosaic(images: Iterator[NDArray], size: int) -> NDArray[np.int32]:
    """Label images side by side in rows, over and over, in one of ``size`` x ``size`` pixels; ids stay distinct."""
    out = np.zeros((size, size), np.int32)
    tiles = list(images)
    y = turn = largest = 0
    while y < size:
        x, height = 0, 1
        while x < size:
            tile = tiles[turn % len(tiles)][: size - y, : size - x].astype(np.int32)
            out[y : y + tile.shape[0], x : x + tile.shape[1]] = np.where(tile > 0, tile + largest, 0)
            largest, turn = largest + int(tile.max(initial=0)), turn + 1
            x, height = x + tile.shape[1], max(height, tile.shape[0])
        y += height
    return out


def default_labels() -> Path | None:
    """The folder of real masks, where there is one."""
    shared = Path(os.environ.get("STARPOLY_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    folder = shared / "data" / "labels"
    return folder if folder.is_dir() else None


def table(result: Comparison) -> str:
    """The result as lines of text."""
    gaps, areas = np.array(result.pairs or [(0.0, 0.0)]).T
    lines = [
        ("label images", f"{result.images}"),
        ("candidates", f"{result.candidates}"),
        ("kept by starpoly", f"{result.starpoly_kept}"),
        ("kept by StarDist", f"{result.stardist_kept}"),
        ("kept by both", f"{result.same}"),
        ("agreement", f"{100 * result.agreement:.3f} %"),
        ("differ by whole pixels", f"{len(result.pairs)}"),
        ("  overlap off the threshold, median", f"{np.median(gaps):.3f}"),
        ("  overlap off the threshold, largest", f"{gaps.max():.3f}"),
        ("  area of the smaller one, median", f"{np.median(areas):.1f}"),
        ("differ as a consequence", f"{result.consequences}"),
        ("differ otherwise", f"{result.rest}"),
        ("starpoly", f"{result.starpoly_seconds:.3f} s"),
        ("StarDist", f"{result.stardist_seconds:.3f} s"),
        ("ratio", f"{result.stardist_seconds / max(result.starpoly_seconds, 1e-9):.1f}"),
    ]
    return "\n".join(f"{name:<36}{value:>12}" for name, value in lines)


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--labels", type=Path, default=default_labels(), help="folder of label images (*.tif)")
    parser.add_argument("--drawn", action="store_true", help="draw ellipses instead of reading label images")
    parser.add_argument("--limit", type=int, help="number of label images")
    parser.add_argument("--mosaic", type=int, metavar="SIZE", help="one image of SIZE x SIZE pixels made of all")
    parser.add_argument("--grid", type=int, default=2, help="a candidate at every GRID-th pixel (default 2)")
    parser.add_argument("--n-rays", type=int, default=32)
    parser.add_argument("--noise", type=float, default=0.05, help="of distances and probabilities (default 0.05)")
    parser.add_argument("--prob-threshold", type=float, default=0.5)
    parser.add_argument("--nms-threshold", type=float, default=0.4)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the result to FILE")
    options = parser.parse_args(arguments)
    try:
        import stardist  # noqa: F401
    except ImportError:
        print("nms_agreement: needs StarDist; pip install '.[peer]'", file=sys.stderr)
        return 2
    images = label_images(None if options.drawn else options.labels, options.limit)
    if options.mosaic:
        images = iter([mosaic(images, options.mosaic)])
    result = compare(
        images,
        nms_threshold=options.nms_threshold,
        grid=options.grid,
        n_rays=options.n_rays,
        noise=options.noise,
        prob_threshold=options.prob_threshold,
    )
    print(table(result))
    if options.json:
        options.json.write_text(json.dumps({**asdict(result), "agreement": result.agreement}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
