"""Every dtype, depth and layout that is read goes through the default command, the container's and Python's."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from starpoly.cli.main import main
from starpoly.io import read_image, read_labels
from starpoly.model import StarPoly2D
from starpoly.model_zoo import find_model
from starpoly.network import quiet
from starpoly.network.storage.folder import load_spec

from support.inputs import INPUTS, SHAPE, grey, stack
from support.painted import BrightModel

pytestmark = pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
CONTAINER = ("--tolerant", "--names", "challenge")
#: Channels that no model takes: the default command asks which.
UNKNOWN_CHANNELS = ("two", "four", "five", "painted", "channels first named", "npy channels first")


def of_dtype(dtype: str) -> NDArray:
    image = grey().astype(np.float64)
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return image > 100
    return (image - 128 if kind.kind == "i" else image / 255 if kind.kind == "f" else image).astype(kind)


def _npy(image: NDArray) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        np.save(folder / "image.npy", image)
        return folder / "image.npy"

    return write


def _tif(image: NDArray, **options: object) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        tifffile.imwrite(folder / "image.tif", image, **{"photometric": "minisblack"} | options)  # type: ignore[arg-type]
        return folder / "image.tif"

    return write


def _zarr(image: NDArray) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        import zarr

        array = zarr.create_array(str(folder / "image.zarr"), shape=image.shape, chunks=(40, 40), dtype=image.dtype)
        array[...] = image
        return folder / "image.zarr"

    return write


def _png(image: NDArray, bits: int) -> Callable[[Path], Path]:
    """A PNG with fewer bits than Pillow writes of grey: a palette of that many."""

    def write(folder: Path) -> Path:
        picture = Image.fromarray(image).quantize(2**bits)
        picture.save(folder / "image.png", bits=bits)
        return folder / "image.png"

    return write


def _jpeg_grey(folder: Path) -> Path:
    held = io.BytesIO()
    Image.fromarray(grey()).save(held, "JPEG")
    (folder / "image.jpg").write_bytes(held.getvalue())
    return folder / "image.jpg"


DTYPES = ["bool", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8", ">u2", ">i4", ">f4", ">f8"]
CASES: dict[str, Callable[[Path], Path]] = {
    **INPUTS,
    **{f"npy {dtype}": _npy(of_dtype(dtype)) for dtype in DTYPES},
    **{f"tif {dtype}": _tif(of_dtype(dtype), byteorder=">" if dtype[0] == ">" else "<") for dtype in DTYPES},
    **{f"zarr {dtype}": _zarr(of_dtype(dtype)) for dtype in DTYPES if dtype[0] != ">"},
    **{f"white {dtype}": _tif(of_dtype(dtype), photometric="miniswhite") for dtype in ("i2", "f4", "u4")},
    **{
        f"rgb {dtype}": _tif(np.stack([of_dtype(dtype)] * 2 + [of_dtype(dtype)[::-1]], -1), photometric="rgb")
        for dtype in ("u2", "i4", "f2", "f8")
    },
    **{f"png of {bits} bits": _png(grey(), bits) for bits in (1, 2, 4)},
    "jpeg grey": _jpeg_grey,
    "planes of half floats": _tif(np.stack([of_dtype("f2"), of_dtype("f2")]), metadata={"axes": "ZYX"}),
    "tiff of 16-bit palette": _tif(
        grey(dtype=np.uint16) * 100,
        photometric="palette",
        colormap=np.repeat(np.arange(2**16, dtype=np.uint16)[None], 3, axis=0),
    ),
}


@pytest.fixture(autouse=True)
def models(monkeypatch, tmp_path):
    """The shipped models by name, each with its channels, painted."""

    def load(folder, **options):
        return BrightModel(load_spec(folder).network.n_channels)

    monkeypatch.setattr(StarPoly2D, "from_pretrained", staticmethod(load))
    monkeypatch.setattr(quiet, "quiet_import", lambda: None)
    monkeypatch.chdir(tmp_path)


def run(path: Path, *flags: str) -> tuple[int, dict]:
    status = main(["predict", str(path), "-o", "out", "--json", "s.json", "--quiet", *flags])
    return status, json.loads(Path("s.json").read_text())["images"][0]


def is_unknown(name: str) -> bool:
    return any(part in name for part in UNKNOWN_CHANNELS) or name == "zarr channels"


@pytest.mark.parametrize("name", CASES)
def test_three_doors(name, tmp_path):
    path = CASES[name](tmp_path)
    status, row = run(path, *CONTAINER)
    assert (status, row["status"]) == (0, "done"), row
    assert tifffile.imread(row["labels"]).shape[-2:] == SHAPE
    status, row = run(path, "--overlay", "--table")
    if row["status"] == "error":
        assert is_unknown(name), row["error"]
        assert "--channels" in row["error"]
        return
    assert (status, row["status"]) == (0, "done"), row
    if row.get("planes"):
        return
    labels, _ = BrightModel(load_spec(find_model(row["model"])).network.n_channels).predict_instances(read_image(path))
    assert labels.shape == read_labels(row["labels"]).shape == SHAPE


def test_the_table_has_what_is_read():
    assert stack(3).shape == (*SHAPE, 3)
    assert {np.dtype(dtype).kind for dtype in DTYPES} == set("buif")
