"""The results of a slide, read back by readers that are not starpoly's, and held against each other.

    python benchmarks/read_back.py [--side 10000] [--kind grey|rgb] [--results DIR] [--json FILE]

Without --results `starpoly predict SLIDE.tif -o OUT --format geojson,zarr --table --provenance` is run on a synthetic slide of
real nuclei (`mosaic.py`). Then its files are read by the standard library's `json` and `csv`, by `tifffile`, by `zarr` and by
`ome-zarr-models`, without a line of starpoly, and must agree:

- *label TIFF*: ids 1..n without gaps; every level of the pyramid is pixels of the level before.
- *OME-Zarr*: metadata that `ome-zarr-models` accepts as labels of version 0.5; every level has the pixels of the TIFF's.
- *GeoJSON*: no NaN; n Features with distinct ids; rings closed, inside the image, without zero area; the pixels of a label
  that lie in its ring; the measured areas are the numbers of pixels.
- *table*: n rows, labels 1..n, areas the numbers of pixels, centres their means.

A line of PASS or FAIL for each, exit status 1 if anything failed.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from mosaic import add_mosaic_arguments, bank_of, written_slide
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
_ROWS = 1024  # of a label image that are looked at at once
#: Pixels of a label whose centres lie in its ring: all but those on its border that rounding decides
LEAST_INSIDE = 0.999
_DECIMALS = 0.01  # of areas and centres in the table


@dataclass
class Row:
    """One line of the result."""

    check: str
    passed: bool
    detail: str


@dataclass
class Pixels:
    """What the label TIFF says of each id 1..n: number of pixels, sums of their y and x, and their box y0, x0, y1, x1."""

    shape: tuple[int, int]
    areas: NDArray[np.int64]
    sums: NDArray[np.float64]

    @property
    def n(self) -> int:
        return len(self.areas)


def check(labels: Path, zarr: Path, geojson: Path, table: Path) -> Iterator[Row]:
    """Read all files of a result and compare them."""
    pixels, rows = read_labels(labels)
    yield from rows
    yield from check_zarr(zarr, labels)
    yield from check_geojson(geojson, labels, pixels)
    yield from check_table(table, pixels)


def read_labels(path: Path) -> tuple[Pixels, list[Row]]:
    """Count the pixels of every label of a pyramidal TIFF, a band at a time."""
    levels = _tiff_levels(path)
    shape = levels[0].shape
    areas, sums = np.zeros(1, np.int64), np.zeros((2, 1))
    for y in range(0, shape[0], _ROWS):
        band = np.asarray(levels[0][y : y + _ROWS])
        rows, columns = np.nonzero(band)
        ids = band[rows, columns].astype(np.int64)
        n = max(len(areas), int(ids.max(initial=0)) + 1)
        areas, sums = np.pad(areas, (0, n - len(areas))), np.pad(sums, ((0, 0), (0, n - sums.shape[1])))
        areas += np.bincount(ids, minlength=n)
        for axis, place in enumerate((rows + y, columns)):
            sums[axis] += np.bincount(ids, weights=place, minlength=n)
    found = Pixels(shape, areas[1:], sums[:, 1:])
    gaps = int((found.areas == 0).sum())
    strided = all(
        np.array_equal(np.asarray(low[y : y + _ROWS]), np.asarray(high[2 * y : 2 * (y + _ROWS)])[::2, ::2])
        for high, low in pairwise(levels)
        for y in range(0, low.shape[0], _ROWS)
    )
    return found, [
        Row(
            "label TIFF: ids 1..n without gaps",
            gaps == 0,
            f"{found.n} labels, {levels[0].dtype}, {shape[0]} x {shape[1]}, {gaps} gaps",
        ),
        Row("label TIFF: levels are pixels of the level before", strided, f"{len(levels)} levels"),
    ]


def _tiff_levels(path: Path) -> list[Any]:
    """The levels of a pyramid by tifffile, to be read by region."""
    import tifffile
    import zarr

    group = zarr.open(tifffile.imread(path, aszarr=True), mode="r")
    if isinstance(group, zarr.Array):
        return [group]
    return [group[name] for name in sorted(group.array_keys(), key=int)]


def check_zarr(path: Path, labels: Path) -> Iterator[Row]:
    """Metadata by ome-zarr-models, pixels by zarr."""
    import zarr
    from ome_zarr_models.v05 import ImageLabel

    group = zarr.open_group(path, mode="r")
    try:
        multiscale = ImageLabel.from_zarr(group).attributes.ome.multiscales[0]
    except ValueError as error:
        yield Row("OME-Zarr: valid labels", False, " ".join(str(error).split())[:200])
        return
    axes = ", ".join(f"{axis.name} in {axis.unit or 'pixels'}" for axis in multiscale.axes)
    yield Row("OME-Zarr: valid labels", True, f"version 0.5, {len(multiscale.datasets)} levels, {axes}")
    levels = [group[dataset.path] for dataset in multiscale.datasets]
    wanted = _tiff_levels(labels)
    same = all(
        mine.shape == other.shape and np.array_equal(np.asarray(mine[y : y + _ROWS]), np.asarray(other[y : y + _ROWS]))
        for mine, other in zip(levels, wanted, strict=False)
        for y in range(0, mine.shape[0], _ROWS)
    )
    n = min(len(levels), len(wanted))
    yield Row("OME-Zarr: the TIFF's pixels", same, f"{n} levels, {levels[0].shape[0]} x {levels[0].shape[1]} the first")


def check_geojson(path: Path, labels: Path, pixels: Pixels) -> Iterator[Row]:
    """Features by json alone."""

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is not JSON")

    collection = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    features = collection["features"]
    names = [int(feature["properties"]["name"]) for feature in features]
    kinds = {
        (feature["type"], feature["geometry"]["type"], len(feature["geometry"]["coordinates"])) for feature in features
    }
    distinct = len({feature["id"] for feature in features})
    right = (
        collection["type"] == "FeatureCollection" and kinds <= {("Feature", "Polygon", 1)}
        and sorted(names) == list(range(1, pixels.n + 1)) and distinct == len(features)
    )  # fmt: skip
    yield Row(
        "GeoJSON: a Feature for each label",
        right,
        f"{len(features)} Features, {distinct} ids, {path.stat().st_size / 1e6:.1f} MB",
    )
    rings = [np.array(feature["geometry"]["coordinates"][0]) for feature in features]
    height, width = pixels.shape
    inside = sum(bool((ring >= 0).all() and (ring <= (width, height)).all()) for ring in rings)
    closed = sum(bool((ring[0] == ring[-1]).all()) for ring in rings)
    solid = sum(_area(ring) > 0 for ring in rings)
    detail = f"{closed} closed, {inside} inside the image, {solid} with an area, {np.mean([len(ring) - 1 for ring in rings] or [0]):.1f} vertices"
    yield Row("GeoJSON: rings", closed == inside == solid == len(rings), detail)
    areas = np.array([feature["properties"]["measurements"]["area"] for feature in features])
    differ = int((areas != pixels.areas[np.array(names, int) - 1]).sum())
    yield Row("GeoJSON: areas are numbers of pixels", differ == 0, f"{differ} differ")
    share = _n_inside(dict(zip(names, rings, strict=True)), labels) / max(1, int(pixels.areas.sum()))
    yield Row(
        "GeoJSON: pixels of a label lie in its ring",
        share >= LEAST_INSIDE,
        f"{100 * share:.4f} % of {int(pixels.areas.sum())} pixels",
    )


def _area(ring: NDArray) -> float:
    x, y = ring[:-1].T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def _n_inside(rings: dict[int, NDArray], labels: Path) -> int:
    """The number of labelled pixels whose centres lie in the ring of their label."""
    from matplotlib.path import Path as Outline

    image = _tiff_levels(labels)[0]
    order = sorted(rings, key=lambda label: rings[label][:, 1].min())
    inside = 0
    band, top = np.empty((0, 0), int), 0
    for label in order:
        ring = rings[label]
        (x0, y0), (x1, y1) = np.floor(ring.min(axis=0)).astype(int), np.ceil(ring.max(axis=0)).astype(int)
        if not top <= y0 <= y1 <= top + len(band):
            top = int(y0)
            band = np.asarray(image[top : max(int(y1), top + _ROWS)])
        rows, columns = np.nonzero(band[y0 - top : y1 - top, x0:x1] == label)
        # rings have their origin at the image's corner
        points = np.stack([columns + x0 + 0.5, rows + y0 + 0.5], axis=1)
        # a little wider than drawn: on the border rounding decides
        hits = Outline(ring).contains_points(points, radius=0.01) | Outline(ring).contains_points(points, radius=-0.01)
        inside += int(hits.sum())
    return inside


def check_table(path: Path, pixels: Pixels) -> Iterator[Row]:
    """Rows by csv alone."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: int(row["label"]))
    names = [int(row["label"]) for row in rows] == list(range(1, pixels.n + 1))
    yield Row(
        "table: a row for each label", names, f"{len(rows)} rows, columns {', '.join(rows[0]) if rows else 'none'}"
    )
    if not names:
        return
    areas = np.array([float(row["area"]) for row in rows])
    centres = np.array([[float(row["y"]), float(row["x"])] for row in rows]).reshape(-1, 2).T
    shift = float(np.abs(centres - pixels.sums / np.maximum(pixels.areas, 1)).max(initial=0))
    differ = int((areas != pixels.areas).sum())
    detail = f"{differ} areas differ, centres by at most {shift:.4f} px"
    yield Row("table: areas and centres are those of the pixels", differ == 0 and shift <= _DECIMALS, detail)


def predict(slide: Path, folder: Path, extra: list[str]) -> float:
    """Run the command; the seconds that it took."""
    words = [
        sys.executable,
        "-m",
        "starpoly",
        "predict",
        slide,
        "-o",
        folder,
        "--format",
        "geojson,zarr",
        "--table",
        "--provenance",
        *extra,
    ]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    start = time.perf_counter()
    subprocess.run([str(word) for word in words], check=True, env={**os.environ, "PYTHONPATH": path})
    return time.perf_counter() - start


def main(arguments: list[str] | None = None) -> int:
    """Predict if need be, read back; 0 if all agrees."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--side", type=int, default=10_000, help="of the slide in pixels (default: %(default)s)")
    parser.add_argument("--kind", choices=("grey", "rgb"), default="grey")
    parser.add_argument(
        "--results", type=Path, metavar="DIR", help="read what is there; NAME_label.tiff and its siblings"
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "starpoly-read-back",
        help="folder (default: %(default)s)",
    )
    parser.add_argument(
        "--extra", type=str.split, default=[], metavar="'OPTION ...'", help="further options for starpoly predict"
    )
    parser.add_argument("--json", type=Path, help="also write the lines to this file")
    add_mosaic_arguments(parser)
    args = parser.parse_args(arguments)
    folder = args.results
    if folder is None:
        args.work.mkdir(parents=True, exist_ok=True)
        slide = written_slide(args.work, args.side, args.kind, args.seed, bank=bank_of(args))
        folder = args.work / f"results_{slide.stem}"
        print(f"{slide.name}: {predict(slide, folder, args.extra):.0f} s", flush=True)
    found = sorted(folder.glob("*_label.tiff"))
    if len(found) != 1:
        raise SystemExit(f"read_back: expected one *_label.tiff in {folder}, got {len(found)}")
    name = found[0].name.removesuffix("_label.tiff")
    rows = []
    for row in check(found[0], folder / f"{name}.ome.zarr", folder / f"{name}.geojson", folder / f"{name}_table.csv"):
        rows.append(row)
        print(f"{'PASS' if row.passed else 'FAIL'}  {row.check}: {row.detail}", flush=True)
    if args.json is not None:
        args.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    return int(not all(row.passed for row in rows))


if __name__ == "__main__":
    sys.exit(main())
