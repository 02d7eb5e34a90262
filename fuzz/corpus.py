"""Small sound files of every kind, made here: what is mutated."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numcodecs
import numpy as np
import tifffile
import zarr
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from starpoly.config import TrainingConfig

from support import plates, vendor_files

Files = dict[str, bytes]
"""Content by path within the seed; one file, or a folder of them."""

_RNG = np.random.default_rng(18)
GREY = _RNG.integers(0, 256, (48, 40), dtype=np.uint8)
DEEP = _RNG.integers(0, 65536, (48, 40), dtype=np.uint16)
RGB = _RNG.integers(0, 256, (48, 40, 3), dtype=np.uint8)
LABELS = np.repeat(np.repeat(np.arange(30, dtype=np.uint16).reshape(6, 5), 8, 0), 8, 1)
STACK = _RNG.integers(0, 65536, (3, 48, 40), dtype=np.uint16)


@dataclass(frozen=True)
class Seed:
    """A sound input.

    Attributes
    ----------
    kind : str
        Names the target that reads it, see :data:`fuzz.targets.TARGETS`.
    name : str
        Of the file or folder that is given to the target.
    files : dict of str to bytes
        By path from the folder in which they lie.
    """

    kind: str
    name: str
    files: Files


def make_corpus() -> list[Seed]:
    """All seeds, in the same order and with the same bytes each time."""
    seeds = []
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number, (kind, name, write) in enumerate(_WRITERS):
            inside = Path(folder, str(number))
            inside.mkdir()
            try:
                write(inside / name)
            except ImportError:  # a library of an extra
                continue
            seeds.append(Seed(kind, name, _content(inside)))
    return seeds


def _content(folder: Path) -> Files:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


Writer = Callable[[Path], object]


def _tiff(array: np.ndarray, **options: object) -> Writer:
    return lambda path: tifffile.imwrite(path, array, **options)


def _pyramid(path: Path) -> None:
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(RGB, subifds=1, tile=(16, 16), compression="zlib", photometric="rgb")
        writer.write(RGB[::2, ::2], subfiletype=1, tile=(16, 16), compression="zlib", photometric="rgb")


def _pages(path: Path) -> None:
    with tifffile.TiffWriter(path) as writer:
        for page in STACK:
            writer.write(page, contiguous=False, metadata=None, compression="zlib")


def _picture(image: Image.Image, **options: object) -> Writer:
    return lambda path: image.save(path, **options)


def _npy(array: np.ndarray) -> Writer:
    return lambda path: np.save(path, array)


def _zarr(array: np.ndarray, **options: object) -> Writer:
    def write(path: Path) -> None:
        zarr.create_array(store=path, shape=array.shape, dtype=array.dtype, **options)[...] = array

    return write


def _ome_zarr(path: Path) -> None:
    group = zarr.open_group(path, mode="w", zarr_format=3)
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"]
    datasets = []
    for level in range(2):
        array = GREY[:: 1 << level, :: 1 << level]
        group.create_array(str(level), shape=array.shape, chunks=(16, 16), dtype=array.dtype)[...] = array
        scale = {"type": "scale", "scale": [0.5 * (1 << level)] * 2}
        datasets.append({"path": str(level), "coordinateTransformations": [scale]})
    multiscale = {"version": "0.5", "axes": axes, "datasets": datasets}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale]}


def _text(text: str) -> Writer:
    return lambda path: path.write_text(text, encoding="utf-8")


def _json(content: object) -> Writer:
    return _text(json.dumps(content, indent=1))


def _vendor(write: Callable[..., object], *arguments: object, **options: object) -> Writer:
    return lambda path: write(path, *arguments, **options)


def _imagexpress(path: Path) -> None:
    plates.write_imagexpress(path.parent, path.name.split("_")[0], wells=("A01",), sites=1)


def _stardist(path: Path) -> None:
    import h5py

    path.mkdir()
    config = {
        "n_dim": 2, "axes": "YXC", "n_channel_in": 1, "n_rays": 8, "grid": [2, 2], "unet_n_depth": 2,
        "unet_kernel_size": [3, 3], "unet_n_filter_base": 8, "n_classes": None, "net_conv_after_unet": 16,
    }  # fmt: skip
    (path / "config.json").write_text(json.dumps(config))
    (path / "thresholds.json").write_text('{"prob": 0.5, "nms": 0.4}')
    with h5py.File(path / "weights_best.h5", "w") as file:
        file["kernel"] = np.zeros((3, 3, 1, 4), np.float32)


def _model(path: Path) -> None:
    import h5py

    from starpoly.config import ModelSpec, NetworkConfig

    path.mkdir()
    with h5py.File(path / "weights.h5", "w") as file:
        file.attrs["format"] = 1
        for name in ("down_1.kernel", "head.kernel"):
            file[name] = np.ones((3, 3, 1, 4), np.float32)
    from starpoly.network.storage.folder import _write_spec
    from starpoly.network.storage.safe_files import sha256_of

    network = NetworkConfig(n_rays=8, base_filters=8)
    _write_spec(
        path / "model.json", ModelSpec(name="m", network=network, max_distance=50.0), sha256_of(path / "weights.h5")
    )


def _checkpoint(path: Path) -> None:
    """As a training writes it, with few variables."""
    path.mkdir()
    settings = {"network": {"depth": 1}, "training": TrainingConfig(epochs=2).to_dict(), "images": ["a"]}
    progress = {"epoch": 1, "step": 0, "best_loss": 0.5, "best_epoch": 1, "seconds": 3.0, "history": [{"loss": 0.5}]}
    state = json.dumps({"settings": settings, "progress": progress, "made_with": {"keras": "3"}})
    np.savez(path / "checkpoint.npz", state=np.array(state), variable_0=np.zeros((3, 4), np.float32), sum_0=np.zeros(2))


def _journal(path: Path) -> None:
    from starpoly.detection.journal import TileJournal
    from starpoly.detection.tile_result import TileResult
    from starpoly.polygons import StarPolygons

    from .targets import JOURNAL_KIND, JOURNAL_RUN

    points = np.array([[5.0, 6.0], [20.0, 30.0]], np.float32)
    polygons = StarPolygons(points, np.full((2, 8), 4.0, np.float32), np.array([0.9, 0.8], np.float32))
    journal = TileJournal(path, JOURNAL_RUN, **JOURNAL_KIND)
    journal.store(0, TileResult(polygons, polygons.take(np.array([0])), 3, np.eye(9, dtype=bool)))


def _cache(path: Path) -> None:
    from starpoly.network.engines import graph_cache
    from starpoly.network.engines.frozen_graph import FrozenGraph, FrozenNetwork, NetworkGeometry
    from starpoly.network.footprint import Footprint

    from .targets import CACHE_KEY

    graph = FrozenGraph(b"\x0a\x07graph" * 9, "input:0", {"prob": "prob:0", "dist": "dist:0"}, "2.21.0")
    network = FrozenNetwork(graph, NetworkGeometry(*[Footprint.of_radius(20, 8, 2)] * 2), "0" * 64)
    before = os.environ.get("STARPOLY_CACHE")
    os.environ["STARPOLY_CACHE"] = str(path)
    try:
        graph_cache.keep(CACHE_KEY, network)
    finally:
        os.environ.pop("STARPOLY_CACHE") if before is None else os.environ.update(STARPOLY_CACHE=before)


def _results(path: Path) -> None:
    path.mkdir()
    tifffile.imwrite(path / "a_label.tiff", LABELS, compression="zlib")
    (path / "a_table.csv").write_text(_OBJECTS)
    Image.fromarray(RGB).save(path / "a_overlay.png")
    record = {
        "input": {"file": "a.tif", "level": 0, "roi": [0, 0, 48, 40], "shape": [48, 40, 1]},
        "model": {"name": "m"}, "settings": {"prob_threshold": 0.5}, "seconds": {"network": 1.0}, "warnings": ["w"],
    }  # fmt: skip
    (path / "a_provenance.json").write_text(json.dumps(record))


_OBJECTS = "label,y,x,score,area,diameter,diameter_um\n" + "".join(
    f"{n},{n}.5,{n}.25,0.9,64,9.03,4.5\n" for n in range(1, 30)
)
_SETTINGS = """[network]
n_rays = 16
base_filters = 16
grid = [2, 2]
[training]
epochs = 3
batch_size = 4
patch_size = [64, 64]
learning_rate = 3e-4
[normalization]
low = 1.0
high = 99.8
"""
_STARS = vendor_files.example(1, 2, 2)

_SOUND_COMPRESSIONS = (
    "zlib",
    "lzw",
    "packbits",
    "lzma",
    "zstd",
    "png",
    "jpeg",
    "jpeg2000",
    "webp",
    "jpegxl",
    "jpegxr",
    "lerc",
)

_ZLIB = numcodecs.Zlib(1)
_FILTERS = [numcodecs.Delta("u2"), numcodecs.AsType("u4", "u2"), numcodecs.Shuffle(4)]

_WRITERS: list[tuple[str, str, Writer]] = [
    ("image", "plain.tif", _tiff(DEEP)),
    *(
        ("image", f"{name}.tif", _tiff(RGB if name in ("webp", "jpeg") else GREY, tile=(16, 16), compression=name))
        for name in _SOUND_COMPRESSIONS
    ),
    (
        "image",
        "packed lerc.tif",
        _tiff(GREY, tile=(16, 16), compression="lerc", compressionargs={"compression": "deflate"}),
    ),
    ("image", "layers.tif", _tiff(STACK, tile=(16, 16), compression="jpegxl", photometric="minisblack")),
    ("image", "predicted.tif", _tiff(DEEP, compression="lzw", predictor=True, rowsperstrip=8)),
    ("image", "float.tif", _tiff(GREY.astype(np.float32), compression="zlib", predictor=True, bigtiff=True)),
    ("image", "imagej.tif", _tiff(STACK, imagej=True, metadata={"axes": "ZYX", "unit": "um"}, resolution=(2, 2))),
    ("image", "hyperstack.ome.tif", _tiff(STACK[None], ome=True, metadata={"axes": "TCYX", "PhysicalSizeX": 0.5})),
    ("image", "pyramid.ome.tif", _pyramid),
    ("image", "pages.tif", _pages),
    (
        "image",
        "palette.tif",
        _tiff(GREY, photometric="palette", colormap=np.arange(768, dtype=np.uint16).reshape(3, 256)),
    ),
    ("image", "bits.tif", _tiff(GREY > 99, compression="packbits")),
    ("image", "grey.png", _picture(Image.fromarray(GREY))),
    ("image", "palette.png", _picture(Image.fromarray(RGB).quantize(20))),
    ("image", "bits.png", _picture(Image.fromarray(GREY > 99))),
    ("image", "deep.png", lambda path: path.write_bytes(imagecodecs.png_encode(RGB.astype(np.uint16) * 257))),
    ("image", "rgb.jpg", _picture(Image.fromarray(RGB), quality=70)),
    ("image", "progressive.jpg", _picture(Image.fromarray(RGB), progressive=True)),
    ("image", "rgb.bmp", _picture(Image.fromarray(RGB))),
    ("image", "grey.npy", _npy(GREY)),
    ("image", "stack.npy", _npy(STACK)),
    ("image", "v2.zarr", _zarr(DEEP, chunks=(16, 16), zarr_format=2)),
    ("image", "filters.zarr", _zarr(DEEP, chunks=(16, 16), zarr_format=2, filters=_FILTERS, compressors=_ZLIB)),
    ("image", "v3.zarr", _zarr(DEEP, chunks=(16, 16), zarr_format=3)),
    ("image", "shards.zarr", _zarr(DEEP, chunks=(16, 16), shards=(32, 32), zarr_format=3)),
    ("image", "volume.zarr", _zarr(STACK, chunks=(1, 48, 40), zarr_format=3, dimension_names=["z", "y", "x"])),
    ("image", "image.ome.zarr", _ome_zarr),
    ("plate", "plate.zarr", _vendor(plates.write_plate_zarr, ("A/1",), 1)),
    ("image", "experiment.nd2", _vendor(vendor_files.write_nd2, [_STARS])),
    ("image", "packed.nd2", _vendor(vendor_files.write_nd2, [_STARS], compressed=True)),
    ("image", "project.lif", _vendor(vendor_files.write_lif, {"a": _STARS, "b": _STARS})),
    ("image", "single.lof", _vendor(vendor_files.write_lof, _STARS)),
    ("image", "planes.oif", _vendor(vendor_files.write_oif, _STARS)),
    ("image", "planes.oib", _vendor(vendor_files.write_oib, _STARS)),
    ("image", "scan.czi", _vendor(vendor_files.write_czi, [_STARS])),
    ("image", "packed.czi", _vendor(vendor_files.write_czi, [_STARS], compression_options="zstd1:ExplicitLevel=3")),
    ("image", "Plate7_A01_s1_w1.TIF", _imagexpress),
    ("labels", "labels.tif", _tiff(LABELS, compression="zlib")),
    ("labels", "labels.png", _picture(Image.fromarray(LABELS))),
    ("labels", "indices.png", _picture(Image.fromarray(RGB).quantize(20))),
    ("labels", "labels.npy", _npy(LABELS.astype(np.float64))),
    ("labels", "labels.zarr", _zarr(LABELS, chunks=(48, 40), zarr_format=2)),
    ("objects", "a_table.csv", _text(_OBJECTS)),
    ("groups", "groups.csv", _text("name,group\na.tif,fluo\nb.tif,tissue\n")),
    ("classes", "a.csv", _text("label,class\n1,2\n2,1\n3,0\n")),
    ("losses", "log.csv", _text("epoch,loss,val_loss,learning_rate\n1,0.9,0.8,0.001\n2,0.7,0.75,0.001\n")),
    ("settings", "settings.toml", _text(_SETTINGS)),
    ("model", "model", _model),
    ("checkpoint", "checkpoint", _checkpoint),
    ("model", "stardist", _stardist),
    ("journal", "a.progress", _journal),
    ("cache", "cache", _cache),
    ("results", "out", _results),
    (
        "attributes",
        "x.zarr",
        lambda path: (
            path.mkdir(),
            _json({"attributes": {"ome": {"plate": {"wells": [{"path": "A/1"}]}}}})(path / "zarr.json"),
        ),
    ),
]
"""Target, name and writer of each seed."""
