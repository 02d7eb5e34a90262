"""Planes of files and arrays: every order of axes, every layout, one plane at a time."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
import tifffile
import zarr

from starpoly.errors import ImageError, StarpolyWarning
from starpoly.io import open_source, open_stack, read_image, read_labels, scene_names
from starpoly.io.readers.axes import plane_axes
from starpoly.io.readers.images import read_header

RNG = np.random.default_rng(5)
LENGTHS = {"T": 3, "Z": 2, "C": 4, "Y": 40, "X": 52}
ORDERS = [
    "".join(order) + "YX" for n in range(1, 4) for order in itertools.permutations("TZC", n) if set(order) != {"C"}
]


def pixels(axes, dtype=np.uint16):
    return RNG.integers(0, 60_000 if dtype == np.uint16 else 255, [LENGTHS.get(axis, 3) for axis in axes]).astype(dtype)


def expected(stored, axes, index):
    """The plane at an index along the axes beside Y, X and C, as YXC; slowly."""
    at = dict(zip([axis for axis in axes if axis in "TZ"], index, strict=True))
    plane = stored[tuple(at.get(axis, slice(None)) for axis in axes)]
    left = [axis for axis in axes if axis not in "TZ"]
    channel = next((axis for axis in left if axis in "CS"), None)
    order = [left.index(axis) for axis in ("Y", "X", channel) if axis]
    plane = plane.transpose(order)
    return plane if plane.ndim == 3 else plane[..., None]


def check(stack, stored, axes):
    assert stack.axes == "".join(axis for axis in axes if axis in "TZ")
    assert stack.lengths == tuple(LENGTHS[axis] for axis in stack.axes)
    for index in np.ndindex(*stack.lengths):
        plane = stack.open_plane(index)
        whole = expected(stored, axes, index)
        assert (plane.shape, plane.dtype) == (whole.shape, whole.dtype)
        np.testing.assert_array_equal(plane[5:33, 7:45], whole[5:33, 7:45])
        np.testing.assert_array_equal(plane[:, :], whole)
        again = pickle.loads(pickle.dumps(plane))
        np.testing.assert_array_equal(again[:, :], whole)
        again.close()
        plane.close()


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (16, 32), "compression": "zlib"}], ids=str)
@pytest.mark.parametrize("axes", ORDERS)
def test_ome_tiff_in_any_order(tmp_path, axes, options):
    stored = pixels(axes)
    tifffile.imwrite(tmp_path / "a.ome.tif", stored, metadata={"axes": axes}, photometric="minisblack", **options)
    with open_stack(tmp_path / "a.ome.tif") as stack:
        check(stack, stored, axes)


@pytest.mark.parametrize("axes", ["TYX", "ZYX", "TZYX", "TZCYX", "ZCYX", "TCYX", "TZYXS"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_hyperstacks_of_imagej(tmp_path, axes, compression):
    stored = pixels(axes, np.uint8)
    tifffile.imwrite(
        tmp_path / "a.tif",
        stored,
        imagej=True,
        compression=compression,
        metadata={"axes": axes, "spacing": 2.5, "unit": "um", "finterval": 30},
        resolution=(2, 4),
    )
    with open_stack(tmp_path / "a.tif") as stack:
        check(stack, stored, axes)
        assert (stack.z_step, stack.t_step) == (2.5, 30)
        assert stack.pixel_size == pytest.approx((0.25, 0.5))
        assert stack.open_plane((0,) * len(stack.axes)).pixel_size == stack.pixel_size


@pytest.mark.parametrize("axes", ORDERS)
@pytest.mark.parametrize("kind", ["zarr", "array"])
def test_zarr_and_arrays_in_any_order(tmp_path, kind, axes):
    stored = pixels(axes)
    if kind == "zarr":
        chunks = [16 if axis in "YX" else 1 for axis in axes]
        names = [axis.lower() for axis in axes]
        array = zarr.create_array(
            str(tmp_path / "a.zarr"), shape=stored.shape, chunks=chunks, dtype=stored.dtype, dimension_names=names
        )
        array[...] = stored
        with open_stack(tmp_path / "a.zarr") as stack:
            check(stack, stored, axes)
    else:
        with open_stack(stored, axes=axes.lower()) as stack:
            check(stack, stored, axes)


@pytest.mark.parametrize(
    ("names", "axes"),
    [
        (("time", "z", "channel", "y", "x"), "TZCYX"),
        (("Frame", "Slice", "CH", "Y", "X"), "TZCYX"),
        (("depth", "y", "x", "band"), "ZYXC"),
    ],
)
def test_names_of_axes_that_are_written_out(tmp_path, names, axes):
    stored = pixels(axes)
    array = zarr.create_array(str(tmp_path / "a.zarr"), shape=stored.shape, dtype=stored.dtype, dimension_names=names)
    array[...] = stored
    with open_stack(tmp_path / "a.zarr") as stack:
        check(stack, stored, axes)


def test_an_array_on_disk_is_read_plane_by_plane(tmp_path):
    stored = pixels("TZCYX")
    array = zarr.create_array(
        str(tmp_path / "a.zarr"), shape=stored.shape, chunks=(1, 1, 1, 40, 52), dtype=stored.dtype
    )
    array[...] = stored
    with open_stack(array, axes="TZCYX") as stack:
        check(stack, stored, "TZCYX")


@pytest.mark.parametrize(("axes", "names"), [("ZYX", "ZYX"), ("ZYXS", "ZYXS"), ("TZYX", "TZYX")])
def test_npy(tmp_path, axes, names):
    stored = pixels(axes)
    stored = np.concatenate([stored] * 3, axis=len(axes) - len(axes.rstrip("YXS")) and axes.index("Z"))
    np.save(tmp_path / "a.npy", stored)
    if axes == "TZYX":
        with pytest.warns(StarpolyWarning, match="first two are taken for time and z"):
            stack = open_stack(tmp_path / "a.npy")
    else:
        stack = open_stack(tmp_path / "a.npy")
    assert stack.axes == axes.rstrip("YXS")
    for index in np.ndindex(*stack.lengths):
        np.testing.assert_array_equal(stack.open_plane(index)[:, :], expected(stored, axes, index))


@pytest.mark.parametrize("n", [2, 3, 4, 9])
def test_pages_without_names_are_planes_or_channels(tmp_path, n):
    stored = RNG.integers(0, 255, (n, 40, 52), dtype=np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for page in stored:
            file.write(page, contiguous=False, metadata=None, photometric="minisblack", compression="zlib")
    with open_stack(tmp_path / "a.tif") as stack:
        assert (stack.axes, stack.lengths, stack.unnamed) == ("Z", (n,), True)
        for number, page in enumerate(stored):
            np.testing.assert_array_equal(stack.open_plane((number,))[:, :, 0], page)
        with stack.open_as_channels() as source:
            np.testing.assert_array_equal(source[:, :], np.moveaxis(stored, 0, 2))
            again = pickle.loads(pickle.dumps(source))
            np.testing.assert_array_equal(again[3:9, 4:9], np.moveaxis(stored, 0, 2)[3:9, 4:9])


def test_named_planes_are_no_channels(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", pixels("ZYX"), imagej=True, metadata={"axes": "ZYX"})
    with open_stack(tmp_path / "a.tif") as stack, pytest.raises(ImageError, match="without names"):
        stack.open_as_channels()


@pytest.mark.parametrize("shape", [(40, 52), (40, 52, 3), (2, 40, 52)])
def test_what_is_no_stack(tmp_path, shape):
    np.save(tmp_path / "a.npy", np.zeros(shape))
    with open_stack(tmp_path / "a.npy") as stack:
        assert (stack.axes, stack.lengths) == ("", ())
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((40, 52, 3), np.uint8), photometric="rgb")
    with open_stack(tmp_path / "a.tif") as stack:
        assert stack.axes == ""
        assert stack.open_plane(()).shape == (40, 52, 3)


@pytest.mark.parametrize(
    ("shape", "axes", "pages", "found"),
    [
        ((30, 40, 5), "QYX", True, ""),  # channels last, as tifffile writes an array of them
        ((3, 40, 50), "QYX", True, "Z"),
        ((3, 40, 50), "QYX", False, ""),
        ((5, 40, 50), "QYX", False, "Z"),
        ((5, 40, 50, 3), "QYXS", True, "Z"),
        ((5, 6, 40, 50), "QZYX", True, "TZ"),
        ((5, 6, 40, 50), "TQYX", True, "TZ"),
        ((1, 1, 40, 50), "TZYX", True, ""),
    ],
)
def test_meaning_of_axes(shape, axes, pages, found):
    assert plane_axes(shape, axes, "a.tif", pages=pages).names == found


def test_more_axes_than_time_and_z_are_refused():
    with pytest.raises(ImageError, match="got a stack with axes QQZYX"):
        plane_axes((5, 6, 7, 40, 50), "QQZYX", "a.tif")


def test_scenes_of_an_ome_tiff_differ_in_size(tmp_path):
    first, second = RNG.integers(0, 255, (3, 40, 52), dtype=np.uint8), RNG.integers(0, 255, (31, 20), dtype=np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as file:
        file.write(
            first,
            metadata={"axes": "ZYX", "Name": "left", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5},
            photometric="minisblack",
        )
        file.write(
            second, metadata={"axes": "YX", "Name": "right", "PhysicalSizeX": 2, "PhysicalSizeY": 2, "PhysicalSizeZ": 3}
        )
    assert scene_names(tmp_path / "a.ome.tif") == ("left", "right")
    with open_stack(tmp_path / "a.ome.tif", scene=1) as stack:
        assert (stack.axes, stack.pixel_size, stack.z_step) == ("", (2, 2), 3)
        np.testing.assert_array_equal(stack.open_plane(())[:, :, 0], second)
    with open_stack(tmp_path / "a.ome.tif") as stack:
        assert (stack.axes, stack.pixel_size) == ("Z", (0.5, 0.5))
    with pytest.raises(ImageError, match="from 0 to 1, got 2; the scenes are 0 left, 1 right"):
        open_stack(tmp_path / "a.ome.tif", scene=2)


def test_scenes_of_a_zarr(tmp_path):
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w")
    group.attrs["ome"] = {"version": "0.5", "bioformats2raw.layout": 3}
    for name, side in (("0", 40), ("1", 50)):
        inner = group.create_group(name)
        inner.create_array("0", shape=(2, side, 40), dtype=np.uint8, chunks=(1, 32, 32))
        axes = [
            {"name": "t", "type": "time", "unit": "minute"},
            {"name": "y", "type": "space"},
            {"name": "x", "type": "space"},
        ]
        dataset = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [2.0, 1.0, 1.0]}]}
        inner.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [dataset]}]}
    assert scene_names(tmp_path / "a.zarr") == ("0", "1")
    with open_stack(tmp_path / "a.zarr", scene=1) as stack:
        assert (stack.axes, stack.lengths, stack.t_step) == ("T", (2,), 120)
        assert stack.open_plane((1,)).shape == (50, 40, 1)


def test_levels_of_a_pyramid_with_planes(tmp_path):
    stored = pixels("ZYX")
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as file:
        options = {"tile": (16, 16), "photometric": "minisblack"}
        file.write(stored, subifds=1, metadata={"axes": "ZYX"}, **options)
        file.write(stored[:, ::2, ::2], subfiletype=1, **options)
    with open_stack(tmp_path / "a.ome.tif") as stack:
        plane = stack.open_plane((1,), level=1)
        assert plane.levels == ((40, 52), (20, 26))
        np.testing.assert_array_equal(plane[:, :, 0], stored[1, ::2, ::2])


def test_other_letters_and_missing_ones_are_refused(tmp_path):
    with pytest.raises(ImageError, match="expected the axes of an array"):
        open_stack(np.zeros((5, 6, 7)))
    with pytest.raises(ImageError, match="each once"):
        open_stack(np.zeros((5, 6, 7)), axes="QYX")
    np.save(tmp_path / "a.npy", np.zeros((5, 6)))
    with pytest.raises(ImageError, match="name its axes itself"):
        open_stack(tmp_path / "a.npy", axes="YX")


def test_a_file_that_ends_before_its_pages_do_is_no_smaller_image(tmp_path):
    path = tmp_path / "cut.ome.tif"
    tifffile.imwrite(path, pixels("ZYX"), metadata={"axes": "ZYX"})  # description and second page lie behind the pixels
    path.write_bytes(path.read_bytes()[:6000])
    with pytest.raises(ImageError, match="truncated"):
        open_stack(path)
    with pytest.raises(ImageError, match="truncated"):
        open_source(path)


@pytest.mark.parametrize("described", [{"metadata": None}, {}], ids=["plain", "as tifffile describes it"])
@pytest.mark.parametrize("kind", [1, 4], ids=["reduced", "mask"])
def test_a_reduced_first_page_is_not_the_image(tmp_path, recwarn, described, kind):
    stored = pixels("YX")
    for name, first in (("a.tif", [stored[::4, ::4]]), ("b.tif", [stored[::4, ::4], stored[::2, ::2]])):
        with tifffile.TiffWriter(tmp_path / name) as file:
            for page in first:
                if kind == 4:
                    file.write(page > 99, subfiletype=kind, photometric="mask", **described)
                else:
                    file.write(page, subfiletype=kind, photometric="minisblack", **described)
            file.write(stored, photometric="minisblack", **described)
        np.testing.assert_array_equal(np.squeeze(read_image(tmp_path / name)), stored)
        np.testing.assert_array_equal(read_labels(tmp_path / name), stored)
        assert read_header(tmp_path / name).shape == stored.shape
        with open_source(tmp_path / name) as source, open_stack(tmp_path / name) as stack:
            np.testing.assert_array_equal(source[:, :, 0], stored)
            np.testing.assert_array_equal(stack.open_plane(())[:, :, 0], stored)
    assert not [found for found in recwarn if issubclass(found.category, StarpolyWarning)]


@pytest.mark.parametrize("axes", ["zyx", "tzYX", "Zyx"])
def test_axes_in_small_letters(tmp_path, axes):
    stored = pixels(axes.upper())
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="minisblack", metadata={"axes": axes})
    with open_stack(tmp_path / "a.tif") as stack:
        assert stack.axes + "YX" == axes.upper()
        last = tuple(length - 1 for length in stack.lengths)
        plane = stack.open_plane(last)
        assert plane.levels == (stored.shape[-2:],)
        np.testing.assert_array_equal(plane[:, :, 0], stored[last])


def test_axes_of_a_zarr_in_capitals_have_their_scale(tmp_path):
    import zarr

    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w")
    group.create_array("0", shape=(2, 30, 40), dtype="uint8", chunks=(1, 30, 40))
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "ZYX"]
    changes = [{"type": "scale", "scale": [2.0, 0.5, 0.25]}, {"type": "translation", "translation": [0, 3.0, 4.0]}]
    datasets = [{"path": "0", "coordinateTransformations": changes}]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    with open_stack(tmp_path / "a.zarr") as stack:
        assert (stack.axes, stack.z_step, stack.pixel_size) == ("Z", 2.0, (0.5, 0.25))
        assert stack.open_plane((1,)).position == (3.0, 4.0)
