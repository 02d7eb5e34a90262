"""Synthetic slides of any size made of real nuclei, with their true labels.

A slide is a grid of square pieces, each cut from an image of a labelled set, flipped and turned by a hash of the seed and
its place. Regions are put together when they are asked for, so a slide of any size takes no memory, and every slide is
the upper left corner of every larger one of the same seed. Pieces are cut so that a slide of 10 240 x 10 240 pixels has
about 35 000 nuclei. Without images at hand, blobs are drawn instead.

    python benchmarks/mosaic.py SLIDE.tif --side 10240 [--kind grey|rgb|sparse] [--labels TRUTH.tif] [--seed N] [--zarr]

Images come from --images, or $STARPOLY_SHARED/data, or ../shared/data: a folder with manifest.csv, images/ and labels/.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Nuclei per pixel of a slide.
DENSITY = 35_000 / 10_240**2
#: Side of a piece in pixels; no multiple of it is a tile's or block's side, so pieces and tiles end at different places.
PIECE = 240
#: Pieces along a side of the squares that hold nuclei in sparse slides.
SQUARE = 21
#: Ids of a piece's nuclei are its number in the slide times this, and a number from 1.
IDS_PER_PIECE = 1000
TILE = 512

_CANDIDATES, _PIECES = 3000, 480
_GREY_LEVELS = (12.0, 220.0)  # where the percentiles 1 and 99.8 of every image are put: exposures differ
_TINT = (0.8, 0.9, 1.0)


@dataclass(frozen=True)
class Bank:
    """Pieces to make slides of.

    ``images`` (n, PIECE, PIECE[, 3]) uint8 and ``labels`` (n, PIECE, PIECE) int32, ids from 1; ``origin`` says in words
    what they are.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int32]
    origin: str


class Mosaic:
    """A slide, or its true labels, of which only the regions that are asked for exist.

    Parameters
    ----------
    side : int or (int, int)
        Height and width in pixels.
    kind : {"grey", "rgb", "labels", "sparse"}
        (Y, X) uint8, (Y, X, 3) uint8, or (Y, X) int32; "sparse" is grey with a quarter of the pieces, in squares of
        :data:`SQUARE`, and empty glass between them.
    seed : int
    bank : Bank, optional
        By default that of :func:`load_bank`.
    """

    def __init__(
        self, side: int | tuple[int, int], kind: str = "grey", *, seed: int = 0, bank: Bank | None = None
    ) -> None:
        if kind not in ("grey", "rgb", "labels", "sparse"):
            raise ValueError(f"expected grey, rgb, labels or sparse, got {kind!r}")
        self.bank = load_bank() if bank is None else bank
        self.kind, self.seed = kind, seed
        height, width = (side, side) if isinstance(side, int) else side
        self.shape = (height, width, 3) if kind == "rgb" else (height, width)
        self.ndim = len(self.shape)
        self._pieces = (
            self.bank.labels if kind == "labels" else _as_kind(self.bank.images, "grey" if kind == "sparse" else kind)
        )
        self.dtype = self._pieces.dtype

    def __getitem__(self, key: Any) -> NDArray:
        """``mosaic[y0:y1, x0:x1]``, with a third index for the channels of RGB."""
        keys = key if isinstance(key, tuple) else (key,)
        keys = keys + (slice(None),) * (2 - len(keys))
        (y0, y1, sy), (x0, x1, sx) = (part.indices(length) for part, length in zip(keys[:2], self.shape, strict=False))
        out = np.empty((max(y1 - y0, 0), max(x1 - x0, 0), *self.shape[2:]), self.dtype)
        for row in range(y0 // PIECE, -(-y1 // PIECE)):
            for column in range(x0 // PIECE, -(-x1 // PIECE)):
                top, left = row * PIECE, column * PIECE
                rows = slice(max(y0, top), min(y1, top + PIECE))
                columns = slice(max(x0, left), min(x1, left + PIECE))
                piece = self._piece(row, column)[
                    rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
                ]
                out[rows.start - y0 : rows.stop - y0, columns.start - x0 : columns.stop - x0] = piece
        out = out[::sy, ::sx]
        return out[(slice(None), slice(None), *keys[2:])] if len(keys) > 2 else out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray:
        whole = self[:, :]
        return whole if dtype is None else whole.astype(dtype)

    def place(self, row: int, column: int) -> tuple[int, int]:
        """Which piece lies at a row and column of the grid, and which of the eight ways."""
        n = len(self._pieces)
        value = _hash(self.seed, row, column)
        return value % n, value // n % 8

    def nuclei(self) -> NDArray[np.int64]:
        """Every true nucleus of the slide: id, y0, x0, y1, x1 (half-open), area, and 1 if no piece's border cuts it.

        Those that the slide's own far borders cut count as they are there.
        """
        rows, columns = (-(-length // PIECE) for length in self.shape[:2])
        parts = [self._nuclei_of(row, column) for row in range(rows) for column in range(columns)]
        return np.concatenate(parts) if parts else np.empty((0, 7), np.int64)

    def _piece(self, row: int, column: int) -> NDArray:
        if self.kind == "sparse" and (row // SQUARE % 2 or column // SQUARE % 2):
            return np.full((PIECE, PIECE), round(_GREY_LEVELS[0]), self.dtype)
        index, way = self.place(row, column)
        piece = _laid(self._pieces[index], way)
        return np.where(piece > 0, piece + self._first_id(row, column), 0) if self.kind == "labels" else piece

    def _first_id(self, row: int, column: int) -> int:
        # by diagonals, so that a slide that is the corner of another has its ids
        diagonal = row + column
        return (diagonal * (diagonal + 1) // 2 + row) * IDS_PER_PIECE

    def _nuclei_of(self, row: int, column: int) -> NDArray[np.int64]:
        top, left = row * PIECE, column * PIECE
        table = _boxes(self.bank, *self.place(row, column)).copy()
        table[:, 0] += self._first_id(row, column)
        table[:, [1, 3]] += top
        table[:, [2, 4]] += left
        height, width = self.shape[:2]
        inside = (table[:, 1] < height) & (table[:, 2] < width)
        cut = (table[:, 3] > height) | (table[:, 4] > width)
        table[cut, 6] = 0
        table[:, 3], table[:, 4] = np.minimum(table[:, 3], height), np.minimum(table[:, 4], width)
        return table[inside]


def _laid(piece: NDArray, way: int) -> NDArray:
    """One of the eight ways to lay a square."""
    return np.rot90(piece[:, ::-1] if way >= 4 else piece, way % 4)


def _hash(*numbers: int) -> int:
    """The same whole number for the same numbers, on every machine."""
    return zlib.crc32(",".join(map(str, numbers)).encode()) >> 3


def _as_kind(images: NDArray[np.uint8], kind: str) -> NDArray[np.uint8]:
    if kind == "grey":
        return images if images.ndim == 3 else np.round(images @ np.array([0.2125, 0.7154, 0.0721])).astype(np.uint8)
    if images.ndim == 4:
        return images
    tints = [np.round(np.arange(256) * tint).astype(np.uint8) for tint in _TINT]
    return np.stack([tint[images] for tint in tints], axis=-1)


@lru_cache(maxsize=4096)
def _boxes_of(key: tuple[int, int, int]) -> NDArray[np.int64]:
    bank, index, way = _banks[key[0]], key[1], key[2]
    from scipy.ndimage import find_objects

    labels = _laid(bank.labels[index], way)
    rows = []
    for number, box in enumerate(find_objects(labels), start=1):
        if box is not None:
            (y0, y1), (x0, x1) = ((part.start, part.stop) for part in box)
            whole = y0 > 0 and x0 > 0 and y1 < PIECE and x1 < PIECE
            rows.append((number, y0, x0, y1, x1, np.count_nonzero(labels[box] == number), whole))
    return np.array(rows, np.int64).reshape(-1, 7)


_banks: dict[int, Bank] = {}


def _boxes(bank: Bank, index: int, way: int) -> NDArray[np.int64]:
    _banks[id(bank)] = bank
    return _boxes_of((id(bank), index, way))


@lru_cache(maxsize=2)
def load_bank(folder: str | Path | None = None, *, modality: str = "fluorescence", split: str = "val") -> Bank:
    """Pieces of the images of a labelled set, or drawn ones where there is none.

    Parameters
    ----------
    folder : path, optional
        With ``manifest.csv`` (columns name, modality, split), ``images/NAME.png`` and ``labels/NAME.tif``.
    modality, split : str
        Which images of the manifest.
    """
    folder = default_images() if folder is None else Path(folder)
    if folder is None:
        return _drawn_bank()
    images, masks = [], []
    for image, labels in _labelled_images(folder, modality, split):
        if min(labels.shape) >= PIECE:
            images.append(image)
            masks.append(labels)
    if not images:
        raise SystemExit(
            f"mosaic: expected images of {modality}, {split} of at least {PIECE} pixels in {folder}, got none"
        )
    pieces, labels = _cut_pieces(images, masks)
    return Bank(pieces, labels, f"{len(pieces)} pieces of {len(images)} real images ({modality}, {split})")


def default_images() -> Path | None:
    """The folder of real images, where there is one."""
    shared = Path(os.environ.get("STARPOLY_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    return shared / "data" if (shared / "data" / "manifest.csv").is_file() else None


def _labelled_images(folder: Path, modality: str, split: str) -> Iterator[tuple[NDArray, NDArray]]:
    import tifffile

    from starpoly.io.readers.images import read_image

    with open(folder / "manifest.csv", newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["modality"] == modality and row["split"] == split]
    for row in sorted(rows, key=lambda row: row["name"]):
        yield (
            read_image(folder / "images" / f"{row['name']}.png"),
            tifffile.imread(folder / "labels" / f"{row['name']}.tif"),
        )


def _cut_pieces(images: list[NDArray], masks: list[NDArray]) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Random pieces whose nuclei are as dense on average as :data:`DENSITY` asks."""
    rng = np.random.default_rng(0)
    corners: list[tuple[int, int, int]] = []
    counts: list[int] = []
    for _ in range(_CANDIDATES):
        index = int(rng.integers(len(images)))
        y, x = (int(rng.integers(length - PIECE + 1)) for length in masks[index].shape)
        counts.append(len(np.unique(masks[index][y : y + PIECE, x : x + PIECE])) - 1)
        corners.append((index, y, x))
    chosen = rng.choice(len(counts), _PIECES, p=_tilted(np.array(counts, float), DENSITY * PIECE**2))
    pieces = []
    for index, y, x in (corners[number] for number in chosen):
        part = (slice(y, y + PIECE), slice(x, x + PIECE))
        ids = np.unique(masks[index][part], return_inverse=True)[1].reshape(PIECE, PIECE)
        ids = ids if (masks[index][part] == 0).any() else ids + 1
        pieces.append((_stretched(images[index])[part], ids.astype(np.int32)))
    return np.stack([image for image, _ in pieces]), np.stack([labels for _, labels in pieces])


def _tilted(counts: NDArray[np.float64], mean: float) -> NDArray[np.float64]:
    """Weights that favour high or low counts just so much that their mean is the wanted one."""
    mean = float(np.clip(mean, np.quantile(counts, 0.1), np.quantile(counts, 0.9)))
    low, high = -1.0, 1.0
    for _ in range(60):
        tilt = (low + high) / 2
        weights = np.exp(tilt * (counts - counts.mean()))
        weights /= weights.sum()
        low, high = (tilt, high) if weights @ counts < mean else (low, tilt)
    return weights


def _stretched(image: NDArray) -> NDArray[np.uint8]:
    """An 8-bit image whose exposure is like the others'; colours are left as they are."""
    if image.ndim == 3 and image.dtype == np.uint8 and image.shape[2] == 3:
        return image
    image = image if image.ndim == 2 else image[..., 0]
    low, high = np.percentile(image, (1, 99.8))
    dark, bright = _GREY_LEVELS
    return np.clip(np.round((image - low) / max(high - low, 1e-6) * (bright - dark) + dark), 0, 255).astype(np.uint8)


def _drawn_bank() -> Bank:
    """Blobs with soft edges and noise, and their labels."""
    images, labels = zip(*(_drawn_piece(seed) for seed in range(_PIECES // 4)), strict=True)
    return Bank(np.stack(images), np.stack(labels), f"{len(images)} drawn pieces (no real images at hand)")


def _drawn_piece(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    rng = np.random.default_rng(seed)
    grid_y, grid_x = np.mgrid[:PIECE, :PIECE]
    image, labels = np.full((PIECE, PIECE), 12.0), np.zeros((PIECE, PIECE), np.int32)
    n = 0
    for _ in range(int(rng.poisson(DENSITY * PIECE**2 * 1.15))):
        (y, x), a, angle = rng.uniform(0, PIECE, 2), rng.uniform(6, 15), rng.uniform(0, np.pi)
        b = a * rng.uniform(0.6, 1)
        u = (grid_x - x) * np.cos(angle) + (grid_y - y) * np.sin(angle)
        v = (grid_y - y) * np.cos(angle) - (grid_x - x) * np.sin(angle)
        radius = np.sqrt((u / a) ** 2 + (v / b) ** 2)
        inside = (radius <= 1) & (labels == 0)
        if np.count_nonzero(inside) < 0.9 * np.count_nonzero(radius <= 1) or not inside.any():
            continue
        n += 1
        labels[inside] = n
        image += rng.uniform(80, 190) / (1 + np.exp((radius - 1) * 6)) * (labels * (radius <= 1.4) == n)
    return np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8), labels


def write_tiff(path: Path, image: Any) -> None:
    """Write a slide or its labels as tiled, zlib-compressed TIFF, a row of tiles at a time."""
    import tifffile

    temporary = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tifffile.TiffWriter(
        temporary, bigtiff=np.prod(image.shape, dtype=float) * image.dtype.itemsize > 2**31
    ) as file:
        file.write(
            _tiles(image),
            shape=image.shape,
            dtype=image.dtype,
            tile=(TILE, TILE),
            compression="zlib",
            compressionargs={"level": 1},
            photometric="rgb" if image.ndim == 3 else "minisblack",
            metadata=None,
        )
    temporary.rename(path)


def _tiles(image: Any) -> Iterator[NDArray]:
    height, width = image.shape[:2]
    for y in range(0, height, TILE):
        rows = np.asarray(image[y : min(y + TILE, height), 0:width])
        for x in range(0, width, TILE):
            tile = rows[:, x : x + TILE]
            beyond = [(0, TILE - length) for length in tile.shape[:2]]
            yield np.pad(tile, beyond + [(0, 0)] * (tile.ndim - 2)) if any(map(max, beyond)) else tile


def write_zarr(path: Path, image: Any) -> None:
    """Write a slide as an OME-Zarr 0.5 image of one level, a row of chunks at a time."""
    import zarr

    axes = ["y", "x", "c"][: image.ndim]
    group = zarr.open_group(path, mode="w", zarr_format=3)
    array = group.create_array(
        "0", shape=image.shape, dtype=image.dtype, chunks=(TILE, TILE, 3)[: image.ndim], dimension_names=axes
    )
    for y in range(0, image.shape[0], TILE):
        array[y : y + TILE] = image[y : min(y + TILE, image.shape[0]), 0 : image.shape[1]]
    scale = [{"type": "scale", "scale": [1.0] * image.ndim}]
    kinds = [{"name": axis, "type": "channel" if axis == "c" else "space"} for axis in axes]
    multiscale = {"name": path.name, "axes": kinds, "datasets": [{"path": "0", "coordinateTransformations": scale}]}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale]}


def written_slide(folder: Path, side: int, kind: str, seed: int, *, bank: Bank | None = None) -> Path:
    """The TIFF of a slide in ``folder``, written if it is not there yet; what it is made of is part of its name."""
    mosaic = Mosaic(side, kind, seed=seed, bank=bank)
    made_of = zlib.crc32(mosaic.bank.images.tobytes() + mosaic.bank.labels.tobytes())
    path = folder / f"slide_{kind}_{side}_{seed}_{made_of:08x}.tif"
    if not path.exists():
        write_tiff(path, mosaic)
    return path


def add_mosaic_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that choose what slides are made of."""
    parser.add_argument(
        "--images", type=Path, metavar="DIR", help="labelled set (default: ../shared/data, else blobs are drawn)"
    )
    parser.add_argument("--modality", default="fluorescence", help="images of the set to use (default: %(default)s)")
    parser.add_argument("--split", default="val", help="split of the set to use (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)


def bank_of(options: argparse.Namespace) -> Bank:
    """The bank that :func:`add_mosaic_arguments` describes."""
    return load_bank(options.images, modality=options.modality, split=options.split)


def main(arguments: list[str] | None = None) -> int:
    """Write one slide."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path, metavar="SLIDE", help="file to write; a folder with --zarr")
    parser.add_argument("--side", type=int, default=10240, help="height and width in pixels (default: %(default)s)")
    parser.add_argument("--kind", choices=("grey", "rgb", "sparse"), default="grey")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="also write the true labels as TIFF")
    parser.add_argument("--zarr", action="store_true", help="write OME-Zarr instead of TIFF")
    add_mosaic_arguments(parser)
    options = parser.parse_args(arguments)
    bank = bank_of(options)
    mosaic = Mosaic(options.side, options.kind, seed=options.seed, bank=bank)
    (write_zarr if options.zarr else write_tiff)(options.output, mosaic)
    truth = Mosaic(options.side, "labels", seed=options.seed, bank=bank)
    if options.labels is not None:
        write_tiff(options.labels, truth)
    nuclei = truth.nuclei()
    print(json.dumps({"slide": str(options.output), "shape": mosaic.shape, "made of": bank.origin,
                      "nuclei and parts": len(nuclei), "whole": int(nuclei[:, 6].sum())}))  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
