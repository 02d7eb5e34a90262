"""Channels by the names that files state, and unnamed planes that the user calls channels."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import tifffile
import zarr

from starpoly.errors import ImageError, StarpolyWarning
from starpoly.images.channels import as_channels, list_channels, the_nuclei, wrong_channels
from starpoly.io.readers.channel_names import pick_channels
from starpoly.io.readers.channels import match_channels
from starpoly.io.readers.images import open_source, read_header
from starpoly.io.readers.view import SourceView

PLANES = np.random.default_rng(5).integers(0, 60_000, (3, 30, 40), dtype=np.uint16)
NAMES = ("GFP", "DAPI", "mCherry")


def ome(path):
    tifffile.imwrite(path, PLANES, metadata={"axes": "CYX", "Channel": {"Name": list(NAMES)}})


def imagej(path):
    tifffile.imwrite(path, PLANES, imagej=True, metadata={"axes": "CYX", "Labels": list(NAMES)})


def qptiff(path):
    with tifffile.TiffWriter(path) as writer:
        for plane, name in zip(PLANES, NAMES, strict=True):
            text = (
                '<?xml version="1.0" encoding="utf-16"?>\r\n<PerkinElmer-QPI-ImageDescription>'
                f"<ImageType>FullResolution</ImageType><Name>{name}</Name></PerkinElmer-QPI-ImageDescription>"
            )
            writer.write(plane, metadata=None, description=text, tile=(16, 16), software="PerkinElmer-QPI")


def ome_zarr(path):
    group = zarr.open_group(path, mode="w")
    array = group.create_array("0", shape=PLANES.shape, chunks=(1, 16, 16), dtype=PLANES.dtype)
    array[:] = PLANES
    axes = [{"name": "c", "type": "channel"}, {"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    group.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [{"axes": axes, "datasets": [{"path": "0"}]}],
        "omero": {"channels": [{"label": name} for name in NAMES]},
    }


WRITERS = {"a.ome.tif": ome, "a.tif": imagej, "a.qptiff": qptiff, "a.ome.zarr": ome_zarr}


@pytest.fixture(params=WRITERS)
def path(request, tmp_path):
    path = tmp_path / request.param
    WRITERS[request.param](path)
    return path


def test_names_are_those_of_the_file(path):
    with open_source(path) as source:
        assert source.channel_names == NAMES
        assert pickle.loads(pickle.dumps(source)).channel_names == NAMES
    assert read_header(path).channel_names == NAMES


@pytest.mark.parametrize(("wanted", "indices"), [(["dapi"], [1]), ([2, "GFP"], [2, 0]), (["mcherry", 1], [2, 1])])
def test_channels_by_name_and_index(path, wanted, indices):
    with open_source(path, channels=wanted) as source:
        np.testing.assert_array_equal(source[:, :], PLANES[indices].transpose(1, 2, 0))
        assert source.channel_names == tuple(NAMES[index] for index in indices)


@pytest.mark.parametrize("wanted", ["TRITC", "GF", "", 3, -1])
def test_a_channel_that_is_not_there_lists_those_that_are(path, wanted):
    with pytest.raises(ImageError, match=r"0 GFP, 1 DAPI, 2 mCherry"):
        open_source(path, channels=[wanted])


def test_a_word_of_a_name_is_enough_where_it_is_of_one_channel():
    names = ("c:1/2 - DAPI", "EGFP-488", "GFP 488")
    assert pick_channels(["dapi", "egfp", "gfp"], names, 3, "a") == (0, 1, 2)
    with pytest.raises(ImageError, match="got 2 of that name"):
        pick_channels(["488"], names, 3, "a")
    with pytest.raises(ImageError, match="got 2 of that name"):
        pick_channels(["dapi"], ("DAPI", "dapi"), 2, "a")


def test_names_need_channels_with_names(tmp_path):
    np.save(tmp_path / "a.npy", PLANES.transpose(1, 2, 0))
    with pytest.raises(ImageError, match=r"no names, got 'DAPI'; it has channels 0, 1, 2"):
        open_source(tmp_path / "a.npy", channels=["DAPI"])


def unnamed_tiff(path, array):
    tifffile.imwrite(path, array)


def unnamed_zarr(path, array):
    zarr.save_array(path, array)


@pytest.mark.filterwarnings("ignore:.*is taken for channels")
@pytest.mark.parametrize("axis", [0, 2])
@pytest.mark.parametrize("save", [unnamed_tiff, np.save, unnamed_zarr])
def test_unnamed_planes_are_channels_where_the_user_says_so(tmp_path, save, axis):
    stack = np.random.default_rng(6).integers(0, 255, (12, 20, 24), dtype=np.uint8)
    path = tmp_path / {unnamed_tiff: "a.tif", np.save: "a.npy", unnamed_zarr: "a.zarr"}[save]
    save(path, np.moveaxis(stack, 0, axis))
    with open_source(path, channels=[7]) as source, pickle.loads(pickle.dumps(source)) as again:
        np.testing.assert_array_equal(source[:, :, 0], stack[7])
        np.testing.assert_array_equal(again[:, :, 0], stack[7])
    with pytest.raises(ImageError, match=r"from 0 to 11"):
        open_source(path, channels=[12])


def test_a_stack_that_the_file_names_stays_one(tmp_path):
    tifffile.imwrite(tmp_path / "z.tif", np.repeat(PLANES, 4, axis=0), imagej=True, metadata={"axes": "ZYX"})
    with pytest.raises(ImageError, match="stack"):
        open_source(tmp_path / "z.tif", channels=[0])


def test_wrong_channels_name_the_flag_and_the_nuclear_stain(path):
    with open_source(path, channels=[0, 1]) as source, pytest.raises(ImageError) as error:
        match_channels(source, 1)
    assert "got 2 (0 GFP, 1 DAPI): choose with --channels 1" in str(error.value)


def test_the_only_stain_of_nuclei_is_taken_where_none_is_chosen(path):
    with open_source(path) as source:
        with pytest.warns(
            StarpolyWarning, match="0 GFP, 1 DAPI, 2 mCherry.: DAPI is used, a stain of nuclei by its name"
        ):
            chosen = match_channels(source, 1, by_name=True)
        np.testing.assert_array_equal(chosen[:, :, 0], PLANES[1])
        assert chosen.channel_names == ("DAPI",)
        with pytest.raises(ImageError, match="choose with --channels"):
            match_channels(source, 2, by_name=True)
    assert the_nuclei(("DAPI", "Hoechst 33342")) is None


def test_wrong_channels_of_arrays():
    assert "got 2 (channels 0, 1): choose with --channels 0" in wrong_channels((5, 5, 2), 1)
    with pytest.raises(ImageError, match=r"image\[\.\.\., \[0\]\]"):
        as_channels(PLANES[:2].transpose(1, 2, 0), 1)
    assert "choose with --channels 1 " in wrong_channels((5, 5, 2), 3, ("GFP", "Hoechst"))
    assert "choose with --channels 0,1 " in wrong_channels((5, 5, 5), 2)
    assert "use another model" in wrong_channels((5, 5, 1), 2)
    assert "name its axes, as in axes='ZYX'; if its channels come first, axes='CYX'" in wrong_channels((3, 256, 256), 1)
    assert "is a stack, name its axes, as in axes='ZYX'" in wrong_channels((60, 256, 256), 1)


def test_lists_are_short():
    assert list_channels(40) == "channels 0 to 39"
    assert list_channels(1) == "channel 0"
    assert len(list_channels(300, [f"marker {index}" for index in range(300)])) < 1000


def test_names_follow_a_view(path):
    with open_source(path) as source, SourceView(source, channels=["DAPI"]) as view:
        assert view.channel_names == ("DAPI",)


@pytest.mark.parametrize("n_channels", [3, 4])
def test_colours_by_name(n_channels):
    assert pick_channels(["Blue", "red"], (), n_channels, "a.png") == (2, 0)
    with pytest.raises(ImageError, match="as its channels have no names"):
        pick_channels(["cyan"], (), n_channels, "a.png")


def test_other_channels_without_names_are_no_colours():
    for n_channels in (1, 2, 5):
        with pytest.raises(ImageError, match="as its channels have no names"):
            pick_channels(["green"], (), n_channels, "a.tif")
    with pytest.raises(ImageError, match="none of that name"):
        pick_channels(["blue"], ("GFP", "RFP", "DAPI"), 3, "a.tif")
