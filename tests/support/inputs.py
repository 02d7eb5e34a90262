"""One small micrograph with bright squares as a file of every kind that starpoly reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

SHAPE = (97, 118)


def grey(seed: int = 0, dtype: type = np.uint8) -> NDArray:
    """Squares of several sizes on a noisy background, some over the border; a few touch."""
    rng = np.random.default_rng(seed)
    image = rng.normal(20, 3, SHAPE)
    for _ in range(9):
        y, x, side = rng.integers(-2, SHAPE[0] - 3), rng.integers(-2, SHAPE[1] - 3), rng.integers(4, 13)
        image[max(y, 0) : y + side, max(x, 0) : x + side] = rng.uniform(120, 220)
    return image.clip(0, 255).astype(dtype)


def stack(n: int, dtype: type = np.uint8) -> NDArray:
    """``n`` channels (Y, X, C), each with squares of its own."""
    return np.stack([grey(seed, dtype) for seed in range(n)], axis=-1)


def with_last(image: NDArray, value: int) -> NDArray:
    """A constant channel behind the others, as alpha is."""
    return np.concatenate([image, np.full((*SHAPE, 1), value, image.dtype)], axis=-1)


def _tiff(image: NDArray, **options: object) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / "image.tif"
        # a resolution of 2 pixels per micrometre
        defaults = {"photometric": "minisblack", "resolution": (20_000, 20_000), "resolutionunit": "CENTIMETER"}
        tifffile.imwrite(path, image, **defaults | options)  # type: ignore[arg-type]
        return path

    return write


def _picture(image: NDArray, suffix: str = ".png", mode: str | None = None) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / f"image{suffix}"
        picture = Image.fromarray(image)
        (picture if mode is None else picture.convert(mode)).save(path)
        return path

    return write


def _npy(image: NDArray) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        np.save(folder / "image.npy", image)
        return folder / "image.npy"

    return write


def _zarr(image: NDArray, names: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        import zarr

        path = folder / "image.zarr"
        chunks = tuple(min(40, length) for length in image.shape)
        array = zarr.create_array(
            str(path), shape=image.shape, chunks=chunks, dtype=image.dtype, dimension_names=tuple(names)
        )
        array[...] = image
        return path

    return write


def _with_nan() -> NDArray:
    image = grey(dtype=np.float32) / 255
    image[40:45, 50:60], image[3, 4], image[5, 6] = np.nan, np.inf, -np.inf
    return image


def _pyramid(folder: Path) -> Path:
    path = folder / "image.tif"
    image = grey()
    with tifffile.TiffWriter(path) as file:
        file.write(image, tile=(32, 32), subifds=1, photometric="minisblack")
        file.write(image[::2, ::2], tile=(32, 32), subfiletype=1, photometric="minisblack")
    return path


CONTIG = {"planarconfig": "contig"}
ZLIB = {"compression": "zlib"}

#: How to write each kind of image into a folder, by name.
INPUTS: dict[str, Callable[[Path], Path]] = {
    "tiff": _tiff(grey()),
    "tiff strips": _tiff(grey(), rowsperstrip=7, **ZLIB),
    "tiff tiles": _tiff(grey(), tile=(32, 48), **ZLIB),
    "tiff pyramid": _pyramid,
    "uint16": _tiff(grey(dtype=np.uint16) * 200, tile=(32, 48)),
    "int32": _tiff(grey(dtype=np.int32) - 100),
    "bool": _tiff(grey() > 100),
    "float nan": _tiff(_with_nan(), rowsperstrip=10, **ZLIB),
    "float64 nan": _npy(_with_nan().astype(np.float64)),
    "constant": _tiff(np.full(SHAPE, 7, np.uint8)),
    "white": _tiff(255 - grey(), photometric="miniswhite"),
    "white pages": _tiff(255 - np.moveaxis(stack(3), -1, 0), photometric="miniswhite", planarconfig="separate"),
    "two channels": _tiff(stack(2), **CONTIG),
    "three channels": _tiff(stack(3), **CONTIG),
    "four channels": _tiff(stack(4), **CONTIG),
    "five channels": _tiff(stack(5), **CONTIG),
    "five channels tiles": _tiff(stack(5, np.uint16), tile=(32, 32), **CONTIG, **ZLIB),
    "five channels first": _tiff(np.moveaxis(stack(5), -1, 0), metadata={"axes": "CYX"}),
    "channels first": _tiff(np.moveaxis(stack(3), -1, 0)),
    "channels first named": _tiff(np.moveaxis(stack(2), -1, 0), metadata={"axes": "CYX"}, ome=True),
    "rgb": _tiff(stack(3), photometric="rgb"),
    "rgb planar": _tiff(np.moveaxis(stack(3), -1, 0), photometric="rgb", planarconfig="separate"),
    "rgb grey": _tiff(np.repeat(grey()[..., None], 3, axis=2), photometric="rgb"),
    "rgb one channel": _tiff(np.stack([grey(), 0 * grey(), 0 * grey() + 3], axis=-1), photometric="rgb"),
    "rgba": _tiff(with_last(stack(3), 255), photometric="rgb", extrasamples=["unassalpha"]),
    "alpha unsaid": _tiff(with_last(stack(3), 255), **CONTIG),
    "grey alpha unsaid": _tiff(with_last(stack(1), 255), **CONTIG),
    "rgba tiles": _tiff(with_last(stack(3), 9), photometric="rgb", extrasamples=["unassalpha"], tile=(32, 32), **ZLIB),
    "png": _picture(grey()),
    "png 16 bit": _picture(grey(dtype=np.uint16) * 200),
    "png 1 bit": _picture(grey() > 100),
    "png rgb": _picture(stack(3)),
    "png rgba": _picture(with_last(stack(3), 255)),
    "png rgba painted": _picture(stack(4)),
    "png la": _picture(with_last(stack(1), 200)),
    "png palette": _picture(stack(3), mode="P"),
    "jpeg": _picture(stack(3), ".jpg"),
    "bmp": _picture(grey(), ".bmp"),
    "npy": _npy(grey(dtype=np.uint16)),
    "npy channels": _npy(stack(3)),
    "npy channels first": _npy(np.moveaxis(stack(2), -1, 0).copy()),
    "npy five": _npy(stack(5)),
    "zarr": _zarr(grey(), "yx"),
    "zarr channels": _zarr(stack(5), "yxc"),
    "zarr channels first": _zarr(np.moveaxis(stack(3), -1, 0), "cyx"),
}
