"""Arrays of other libraries at the door: the same values as numpy's, or an error that says what to pass."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from starpoly.errors import ImageError, ImageTypeError, StarpolyWarning
from starpoly.io.readers import array_like
from starpoly.io.readers.array_like import as_array, without_mask
from starpoly.io.readers.given import as_image
from starpoly.io.readers.images import open_source
from starpoly.io.readers.source import Source

PLANE = np.random.default_rng(0).integers(0, 4000, (30, 41)).astype(np.uint16)
COLOUR = np.random.default_rng(1).integers(0, 255, (30, 41, 3)).astype(np.uint8)


class Tensor:
    """Like torch's: on a graph and a device, with a dtype of its own."""

    def __init__(self, values, attached=True, on_device=True):
        self._values, self._attached, self._on_device = values, attached, on_device
        self.shape, self.dtype = values.shape, "torch.float32"

    def detach(self):
        return Tensor(self._values, False, self._on_device)

    def cpu(self):
        return Tensor(self._values, self._attached, False)

    def __getitem__(self, key):
        return Tensor(self._values[key])

    def __array__(self, dtype=None, copy=None):
        if self._attached or self._on_device:
            raise RuntimeError("can't call numpy() on it")
        return self._values


class Labelled:
    """Like xarray's: computed on request; no slicing by position alone."""

    def __init__(self, values):
        self._values, self.shape, self.dtype, self.dims = values, values.shape, values.dtype, ("y", "x")

    def compute(self):
        return self

    def __array__(self, dtype=None, copy=None):
        return self._values


class OnDevice:
    """Like cupy's: numpy may not convert it."""

    __cuda_array_interface__ = None

    def __init__(self, values):
        self._values, self.shape, self.dtype = values, values.shape, values.dtype

    def get(self):
        return self._values

    def __getitem__(self, key):
        raise TypeError("implicit conversion")

    def __array__(self, dtype=None, copy=None):
        raise TypeError("implicit conversion")


def dask_array(values):
    return pytest.importorskip("dask.array").from_array(values, chunks=16)


def zarr_array(values):
    array = pytest.importorskip("zarr").create_array(store={}, shape=values.shape, dtype=values.dtype)
    array[:] = values
    return array


def h5py_array(values):
    file = pytest.importorskip("h5py").File("memory.h5", "w", driver="core", backing_store=False)
    return file.create_dataset("image", data=values)


def jax_array(values):
    return pytest.importorskip("jax.numpy").asarray(values)


LIBRARIES = [dask_array, zarr_array, h5py_array, jax_array, Tensor, Labelled, OnDevice, np.asfortranarray]


@pytest.mark.parametrize("values", [PLANE, COLOUR], ids=["YX", "YXC"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_values_are_numpys(library, values):
    array = as_array(library(values))
    assert type(array) is np.ndarray
    assert array.dtype == values.dtype
    np.testing.assert_array_equal(array, values)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("shape", "expected"),
    [((1, 30, 41), (30, 41)), ((1, 1, 30, 41), (30, 41)), ((1, 30, 41, 3), (30, 41, 3)), ((1, 41, 3), (1, 41, 3))],
)
def test_leading_axes_of_one_are_dropped(library, shape, expected):
    values = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    np.testing.assert_array_equal(as_array(library(values)), values.reshape(expected))


def test_an_image_of_one_row_with_the_channels_of_the_model():
    assert as_array(np.zeros((1, 50, 20)), n_channels=20).shape == (1, 50, 20)
    assert as_array(np.zeros((1, 50, 20)), n_channels=3).shape == (50, 20)
    assert as_array(np.zeros((1, 50, 16)), n_channels=3).shape == (1, 50, 16)


@pytest.mark.parametrize("library", [dask_array, zarr_array, h5py_array])
@pytest.mark.parametrize("shape", [(30, 41), (30, 41, 3), (1, 30, 41)])
def test_large_lazy_arrays_are_read_by_region(monkeypatch, library, shape):
    monkeypatch.setattr(array_like, "LARGEST_HELD", 100)
    values = np.random.default_rng(2).integers(0, 255, shape).astype(np.uint8)
    source = as_image(library(values))
    assert isinstance(source, Source)
    whole = values.reshape(30, 41, -1)
    np.testing.assert_array_equal(source[3:20, 7:9], whole[3:20, 7:9])
    np.testing.assert_array_equal(np.asarray(source), whole)


@pytest.mark.parametrize(
    ("dtype", "floats"),
    [(np.uint8, "f4"), (np.int16, "f4"), (bool, "f4"), (np.uint32, "f8"), (np.float16, "f2"), (np.float64, "f8")],
)
def test_masked_values_are_nan(dtype, floats):
    values = np.arange(12).reshape(3, 4).astype(dtype)
    mask = np.zeros((3, 4), bool)
    mask[1] = True
    plain = without_mask(np.ma.masked_array(values, mask))
    assert plain.dtype == floats
    assert np.isnan(plain[1]).all()
    np.testing.assert_array_equal(plain[[0, 2]], values[[0, 2]])


def test_without_a_masked_value_nothing_is_converted():
    assert as_array(np.ma.masked_array(PLANE)).dtype == PLANE.dtype


def test_lazy_masked_arrays():
    da = pytest.importorskip("dask.array")
    masked = da.ma.masked_greater(da.from_array(PLANE, chunks=10), 3000)
    np.testing.assert_array_equal(np.isnan(as_array(masked)), PLANE > 3000)


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ([[1, 2], [3, 4]], "numpy.asarray"),
        (((1, 2), (3, 4)), "numpy.asarray"),
        ([PLANE, PLANE], "one by one"),
        (["a.png"], "one by one"),
        ((Path("a.png"), Path("b.png")), "one by one"),
        (SimpleNamespace(keys=lambda: ["0"], to_numpy=lambda: PLANE), r"pass its to_numpy\(\)"),
        ({"image": PLANE}, "one of its arrays"),
        (SimpleNamespace(keys=lambda: ["0"]), "one of its arrays"),
        (None, "convert"),
        (7, "convert"),
        (b"a.png", "convert"),
        (SimpleNamespace(shape=lambda: (3, 4), dtype="f"), "convert"),
        ((x for x in PLANE), "convert"),
    ],
)
@pytest.mark.parametrize("door", [as_image, open_source])
def test_anything_else_is_an_error_that_says_what_to_pass(door, given, remedy):
    with pytest.raises(ImageTypeError, match=remedy) as caught:
        door(given)
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, ImageError)
    assert "expected an array (Y, X) or (Y, X, C)" in str(caught.value)
    assert "path" in str(caught.value)


def test_pillow_images_are_refused():
    image = pytest.importorskip("PIL.Image").fromarray(COLOUR)
    with pytest.raises(ImageTypeError, match=r"pass numpy\.asarray of it$"):
        as_image(image)
    with pytest.raises(ImageTypeError, match=r"numpy\.asarray of its convert\('RGB'\), or the path of its file$"):
        as_image(image.quantize(9))


def test_an_unknown_shape_is_an_error():
    da = pytest.importorskip("dask.array")
    x = da.from_array(PLANE, chunks=10)
    with pytest.raises(ImageError, match="compute_chunk_sizes"):
        as_array(x[x[:, 0] > 10])


def test_an_array_that_cannot_be_converted_is_an_error():
    broken = SimpleNamespace(shape=(3, 4), dtype="bfloat16", __array__=None)
    with pytest.raises(ImageError, match="numpy can hold"):
        as_array(broken, squeeze=False)


def test_masked_numbers_that_floats_do_not_tell_apart_are_told():
    large = np.ma.masked_array(PLANE.astype(np.int64) + 2**60, PLANE.max() == PLANE)
    with pytest.warns(StarpolyWarning, match=r"64-bit intensities beyond 2\*\*53"):
        as_array(large)


@pytest.mark.parametrize("mode", ["P", "CMYK", "LAB"])
def test_pictures_whose_values_are_no_intensities_are_converted_first(mode):
    from PIL import Image

    with pytest.raises(ImageTypeError, match=r"convert\('RGB'\)"):
        as_array(Image.new(mode, (8, 8)))
