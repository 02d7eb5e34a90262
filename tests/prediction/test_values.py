"""Depth, offset and sign of intensities change no object: what is brighter than its surroundings stays so."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import tifffile
from hypothesis import assume, example, given
from hypothesis import strategies as st

from starpoly.config import ModelSpec, NetworkConfig, Thresholds
from starpoly.evaluation import matching
from starpoly.images.channels import apply_palette, luminance
from starpoly.images.exact_floats import exact_float
from starpoly.io import read_image, read_labels
from starpoly.io.readers.array import ArraySource
from starpoly.io.readers.projection import ProjectedSource
from starpoly.model import StarPoly2D
from starpoly.network.dense_output import DenseOutput
from starpoly.prediction import SlideOutputs, opening, segment_slide

from support.painted import N_RAYS, Bright

pytestmark = pytest.mark.filterwarnings("ignore::starpoly.errors.StarpolyWarning")
SHAPE = (70, 90)


def cones() -> np.ndarray:
    """Hills with one highest pixel each, 20 to 230 high, as int64."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    hills = [230 - n - 18 * np.hypot(y - 12 - 15 * (n // 5), x - 11 - 17 * (n % 5)) for n in range(20)]
    return np.max([*hills, np.full(SHAPE, 20)], axis=0).round().astype(np.int64)


#: Gain and offset of every dtype: as far from zero as its contrast of 210 steps survives.
SPREADS: dict[str, list[tuple[float, float]]] = {
    "uint8": [(1, 0)],
    "int8": [(1, -128)],
    "uint16": [(1, 0), (1, 65_000), (256, 0)],
    "int16": [(1, -32_000), (100, -10_000)],
    "uint32": [(1, 0), (1, 2**32 - 300), (10_000, 2**31)],
    "int32": [(1, -(2**31)), (1, 2**31 - 300), (1, 0)],
    "uint64": [(1, 2**45), (1, 0)],
    "int64": [(1, -(2**45)), (7, 10**9)],
    "float16": [(0.25, 0), (1, -1000), (1e-4, 0), (200, 0)],
    "float32": [(1, 0), (1 / 255, -0.5), (1, 1e5), (1e-30, 0), (1e30, 0)],
    "float64": [(1, 0), (1, -1e6), (1e-200, 0)],
}
CASES = [(dtype, gain, offset) for dtype, spreads in SPREADS.items() for gain, offset in spreads]


class Wide(Bright):
    """Discs that are wider than the top of a hill: one is left of each, whatever rounding does to equal scores."""

    def __call__(self, batch):
        distances = np.full((*batch.shape[:3], self.n_rays), 9.0, np.float32)
        return DenseOutput(probability=batch.max(axis=-1), distances=distances)


class HillModel(StarPoly2D):
    def __init__(self):
        network = NetworkConfig(n_channels=1, n_rays=N_RAYS, grid=(1, 1), depth=2)
        super().__init__(ModelSpec("hills", network, max_distance=10.0, thresholds=Thresholds(0.8, 0.45)), Wide())


def values(dtype: str, gain: float, offset: float) -> np.ndarray:
    exact = cones().astype(object) if np.dtype(dtype).kind in "ui" else cones().astype(np.float64)
    return (exact * gain + offset).astype(dtype)


def write(path: Path, image: np.ndarray, photometric: str) -> Path:
    if photometric == "miniswhite":
        image = -image if image.dtype.kind == "f" else ~image
        tifffile.imwrite(path, image, photometric="miniswhite", metadata=None)
    elif photometric == "rgb":
        tifffile.imwrite(path, np.repeat(image[..., None], 3, axis=2), photometric="rgb", metadata=None)
    elif photometric == "rgb tinted":
        tinted = np.stack([image, image, np.full_like(image, image.min())], axis=2)
        tifffile.imwrite(path, tinted, photometric="rgb", metadata=None)
    elif photometric == "npy":
        np.save(path.with_suffix(".npy"), image)
        return path.with_suffix(".npy")
    elif photometric == "big-endian":
        tifffile.imwrite(path, image, photometric="minisblack", byteorder=">", metadata=None)
    else:
        tifffile.imwrite(path, image, photometric="minisblack", metadata=None)
    return path


def found(image: object, scale: float) -> np.ndarray:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "l.tiff"
        segment_slide(HillModel(), image, SlideOutputs(labels=path), scale=scale)
        return read_labels(path)


def same_objects(labels: np.ndarray, expected: np.ndarray) -> bool:
    score = matching(expected, labels, 0.5)
    return score.n_true == 20 and score.precision == score.recall == 1


@given(
    case=st.sampled_from(CASES),
    photometric=st.sampled_from(["minisblack", "miniswhite", "rgb", "rgb tinted", "npy", "big-endian"]),
    scale=st.sampled_from([1.0, 0.7, 2.0]),
    streamed=st.booleans(),
)
@example(case=("uint32", 1, 2**32 - 300), photometric="minisblack", scale=2.0, streamed=False)
@example(case=("int64", 7, 10**9), photometric="rgb", scale=0.7, streamed=True)
@example(case=("uint32", 10_000, 2**31), photometric="rgb tinted", scale=0.7, streamed=True)
@example(case=("float32", 1 / 255, -0.5), photometric="miniswhite", scale=1.0, streamed=False)
@example(case=("int16", 1, -32_000), photometric="miniswhite", scale=2.0, streamed=True)
def test_no_object_depends_on_how_its_values_are_stored(case, photometric, scale, streamed):
    # luminance is a float: where it differs less than floats are exact to, there is nothing to see
    assume(photometric != "rgb tinted" or abs(case[2]) < 1e5 * case[1])
    expected = found(cones().astype(np.uint8), scale)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "LARGEST_HELD", 0 if streamed else opening.LARGEST_HELD)
        path = write(Path(folder) / "a.tif", values(*case), photometric)
        assert same_objects(found(path, scale), expected)


@pytest.mark.parametrize("scale", [1.0, 2.0])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("order", ["ramp", "inverted", "shuffled"])
def test_palettes(tmp_path, bits, order, scale):
    n = 2**bits
    ramp = np.arange(n) * (257 if bits == 8 else 1)
    place = {
        "ramp": np.arange(n),
        "inverted": np.arange(n)[::-1],
        "shuffled": np.random.default_rng(0).permutation(n),
    }[order]
    colors = np.empty(n, np.uint16)
    colors[place] = ramp  # index place[v] shows value v
    stored = place[cones() + (0 if bits == 8 else 30_000)].astype(f"uint{bits}")
    colormap = np.repeat(colors[None], 3, axis=0)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="palette", colormap=colormap, metadata=None)
    assert same_objects(found(tmp_path / "a.tif", scale), found(cones().astype(np.uint8), scale))


def test_a_palette_keeps_as_many_levels_as_it_has():
    fine = np.repeat(np.arange(1000, dtype=np.uint16)[:, None], 3, axis=1) + 20_000
    np.testing.assert_array_equal(apply_palette(np.array([[0, 999]]), fine), [[20_000, 20_999]])
    coarse = np.repeat(np.arange(256, dtype=np.uint16)[:, None] * 257, 3, axis=1)
    shown = apply_palette(np.array([[0, 128, 255]]), coarse)
    assert (shown.dtype, shown.tolist()) == (np.uint8, [[0, 128, 255]])


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "float16", "float32", "float64"])
def test_min_is_white_of_any_sign(tmp_path, dtype):
    image = (np.arange(12).reshape(3, 4) - 6).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="miniswhite", metadata=None)
    read = read_image(tmp_path / "a.tif").squeeze().astype(float)
    assert (np.diff(read.ravel()) == -1).all()


def test_projections_and_luminance_of_wide_numbers():
    planes = [np.full((4, 5, 1), 2**31 + n, np.uint32) for n in (0, 1)]
    projected = ProjectedSource([lambda plane=plane: ArraySource(plane) for plane in planes], "mean")
    assert (projected.dtype, projected[0:1, 0:1].item()) == (np.float64, 2**31 + 0.5)
    grey = luminance(np.full((2, 2, 3), 2**31 + 1, np.int64), exact=True)
    assert grey.dtype == np.float64
    np.testing.assert_allclose(grey, 2**31 + 1, atol=0.01)
    assert [exact_float(dtype) for dtype in ("bool", "f2", ">f4", "i4", "f8")] == [np.float32] * 3 + [np.float64] * 2
