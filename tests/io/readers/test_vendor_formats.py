"""Files of microscopes: every plane of every scene, names, calibration, damage. The files are made by ``support``."""

from __future__ import annotations

import os
import pickle
import struct
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from starpoly.errors import ImageError
from starpoly.io.readers import compound_file, file_stack
from starpoly.io.readers.images import open_source, read_header, read_image
from starpoly.io.readers.registry import find_reader

from support import vendor_files

STACK = vendor_files.example()


def one(write):
    return lambda path, scenes: write(path, scenes[0])


def lif(path, scenes):
    vendor_files.write_lif(path, {f"image {n}": scene for n, scene in enumerate(scenes)}, ("GFP", "DAPI"))


def lof(path, scenes):
    vendor_files.write_lof(path, scenes[0], ("GFP", "DAPI"))


def czi(path, scenes):
    vendor_files.write_czi(path, scenes, ("GFP", "DAPI"), compression_options="zstd1:")


# name: (package, how it is written, scenes, pixel size, z step, t step)
FORMATS = {
    "a.nd2": ("nd2", lambda path, scenes: vendor_files.write_nd2(path, scenes), 2, 0.5, 2.0, 1.5),
    "packed.nd2": ("nd2", lambda path, scenes: vendor_files.write_nd2(path, scenes, compressed=True), 2, 0.5, 2.0, 1.5),
    "a.lif": ("liffile", lif, 2, 0.25, 2.0, 5.0),
    "a.lof": ("liffile", lof, 1, 0.25, 2.0, 5.0),
    "a.oif": (
        "oiffile",
        lambda path, scenes: vendor_files.write_oif(path, scenes[0], ("GFP", "DAPI")),
        1,
        0.5,
        2.0,
        3.0,
    ),
    "a.oib": (
        "oiffile",
        lambda path, scenes: vendor_files.write_oib(path, scenes[0], ("GFP", "DAPI")),
        1,
        0.5,
        2.0,
        3.0,
    ),
    "a.czi": ("pylibCZIrw", czi, 2, 0.5, 2.0, None),
}


@pytest.fixture(scope="module", params=FORMATS)
def made(request, tmp_path_factory):
    package, write, *expected = FORMATS[request.param]
    pytest.importorskip(package)
    path = tmp_path_factory.mktemp("vendor") / request.param
    write(path, [STACK, STACK + 1])
    return path, *expected


def test_every_plane_of_every_scene(made):
    path, n_scenes, *_ = made
    reader = find_reader(path)
    assert len(reader.scene_names(path)) == (n_scenes if n_scenes > 1 else 0)
    for scene in range(n_scenes):
        with reader.stack(path, scene) as stack:
            assert (stack.axes, stack.lengths, stack.channel_names) == ("TZ", (2, 3), ("GFP", "DAPI"))
            for t, z in np.ndindex(2, 3):
                with stack.open_plane((t, z)) as plane:
                    np.testing.assert_array_equal(plane[:, :], np.moveaxis(STACK[t, z] + scene, 0, -1))
                    np.testing.assert_array_equal(plane[5:9, 20:31, 1], STACK[t, z, 1, 5:9, 20:31] + scene)


def test_calibration(made):
    path, _, size, z_step, t_step = made
    with find_reader(path).stack(path) as stack:
        assert stack.pixel_size == pytest.approx((size, size))
        assert stack.z_step == pytest.approx(z_step)
        assert stack.t_step == (None if t_step is None else pytest.approx(t_step))


def test_a_plane_pickles_and_outlives_its_stack(made):
    path, n_scenes, *_ = made
    with find_reader(path).stack(path, n_scenes - 1) as stack, stack.open_plane((1, 2)) as plane:
        data = pickle.dumps(plane)
    with pickle.loads(data) as plane:
        np.testing.assert_array_equal(plane[:, :, 0], STACK[1, 2, 0] + n_scenes - 1)
        assert plane.name == str(path)


def test_reading_is_thread_safe(made):
    path, *_ = made
    with find_reader(path).stack(path) as stack, stack.open_plane((0, 1)) as plane, ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda y: plane[y : y + 1, :, 1], range(24)))
    np.testing.assert_array_equal(np.concatenate(rows), STACK[0, 1, 1])


@pytest.mark.filterwarnings("ignore:.*the first is used")
def test_as_one_image_a_stack_is_refused_and_its_header_is_that_of_a_plane(made):
    path, *_ = made
    with pytest.raises(ImageError, match="expected one image, got a stack of T 2 x Z 3; `starpoly predict` segments"):
        read_image(path)
    header = read_header(path)
    assert (header.shape, header.channel_names) == ((24, 32), ("GFP", "DAPI"))


def test_channels_by_name(made):
    path, *_ = made
    with find_reader(path).stack(path) as stack, open_source(stack.open_plane((0, 0)), channels=["dapi"]) as source:
        np.testing.assert_array_equal(source[:, :, 0], STACK[0, 0, 1])


def test_scenes_and_planes_that_are_not_there(made):
    path, n_scenes, *_ = made
    reader = find_reader(path)
    with pytest.raises(ImageError, match="expected a scene from 0"):
        reader.stack(path, n_scenes)
    with reader.stack(path) as stack, pytest.raises(ImageError, match="expected a plane within T 2 x Z 3"):
        stack.open_plane((2, 0))


@pytest.mark.parametrize("keep", [0.02, 0.3, 0.6, 0.95])
def test_a_truncated_file_is_an_error_that_names_it(made, tmp_path, keep):
    path, *_ = made
    short = tmp_path / path.name
    data = path.read_bytes()
    short.write_bytes(data[: max(20, int(len(data) * keep))])
    assert short.name in (_damage(short) or "no damage found")


def test_random_damage_is_an_error_of_ours_or_none(made, tmp_path):
    path, *_ = made
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(11)
    for number in range(12):
        damaged = bytearray(data)
        for _ in range(20):
            damaged[int(rng.integers(16, len(data)))] = int(rng.integers(256))
        broken = tmp_path / f"{number}{path.suffix}"
        broken.write_bytes(damaged)
        assert broken.name in (_damage(broken) or broken.name)


def _damage(path) -> str | None:
    """What the error says, None where all planes can be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            _read_all(path)
        except ImageError as error:
            return str(error)
    return None


def _read_all(path) -> None:
    reader = find_reader(path)
    for scene in range(max(1, min(3, len(reader.scene_names(path))))):
        with reader.stack(path, scene) as stack:
            for index in list(np.ndindex(*stack.lengths))[:8]:
                with stack.open_plane(index) as plane:
                    plane[:, :]


@pytest.mark.parametrize("name", FORMATS)
def test_without_the_package_the_message_says_what_to_install(name, tmp_path, monkeypatch):
    package, write, *_ = FORMATS[name]
    pytest.importorskip(package)
    write(tmp_path / name, [STACK, STACK])

    def missing(wanted, *_):
        raise ImportError(wanted)

    monkeypatch.setattr(file_stack, "import_module", missing)
    with pytest.raises(ImageError, match=f"pip install {package}"):
        open_source(tmp_path / name)


def test_colour_czi_is_red_green_blue(tmp_path):
    pytest.importorskip("pylibCZIrw")
    from pylibCZIrw import czi

    rgb = np.random.default_rng(2).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    with czi.create_czi(str(tmp_path / "a.czi")) as file:
        file.write(np.ascontiguousarray(rgb[..., ::-1]))
    np.testing.assert_array_equal(read_image(tmp_path / "a.czi"), rgb)


def test_levels_of_a_czi(tmp_path, monkeypatch):
    pytest.importorskip("pylibCZIrw")
    from starpoly.io.readers import czi

    monkeypatch.setattr(czi, "_BLOCK_LENGTH", 16)
    monkeypatch.setattr(czi.CziStack, "_subblocks", lambda stack, rectangle: ([2], set()))
    smooth = np.add.outer(np.arange(42), 2 * np.arange(51)).astype(np.uint16)
    vendor_files.write_czi(tmp_path / "a.czi", [smooth[None, None, None]], ("DAPI",))
    with open_source(tmp_path / "a.czi", level=1) as source:
        assert (source.shape, source.levels) == ((21, 25, 1), ((42, 51), (21, 25)))
        assert source.pixel_size == pytest.approx((1.0, 51 * 0.5 / 25))
        assert np.abs(source[:, :, 0].astype(int) - smooth[:42:2, :50:2]).max() <= 3


def test_a_lif_of_one_plane_needs_no_warning(tmp_path):
    pytest.importorskip("liffile")
    vendor_files.write_lif(tmp_path / "a.lif", {"one": STACK[:1, :1]})
    np.testing.assert_array_equal(read_image(tmp_path / "a.lif"), np.moveaxis(STACK[0, 0], 0, -1))


def test_a_lif_does_not_choose_other_files(tmp_path):
    pytest.importorskip("liffile")
    vendor_files.write_lif(tmp_path / "secret.lif", {"other": STACK})
    vendor_files.write_lif(tmp_path / "a.lif", {"one": STACK})
    data = (tmp_path / "a.lif").read_bytes()
    element = "<Data><Experiment/></Data>"
    reference = '<!--c--><Reference File="secret.lif"/>'
    # the same length, so that the lengths before it stay true
    text = data.decode("latin-1").replace(
        "".join(f"{c}\0" for c in element + '<Memory Size="0"/>'),
        "".join(f"{c}\0" for c in reference.ljust(len(element) + 18)[: len(element) + 18]),
    )
    (tmp_path / "a.lif").write_bytes(text.encode("latin-1"))
    with find_reader(tmp_path / "a.lif").stack(tmp_path / "a.lif") as stack:
        assert stack.lengths == (2, 3)
    assert find_reader(tmp_path / "a.lif").scene_names(tmp_path / "a.lif") == ()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_plane_that_is_a_pipe_is_not_waited_for(tmp_path):
    pytest.importorskip("oiffile")
    vendor_files.write_oif(tmp_path / "a.oif", STACK)
    plane = tmp_path / "a.oif.files" / "s_C002Z003T002.tif"
    plane.unlink()
    os.mkfifo(plane)
    with pytest.raises(ImageError, match="expected a regular file"):
        find_reader(tmp_path / "a.oif").stack(tmp_path / "a.oif")


def test_a_missing_plane_of_an_oif_is_named(tmp_path):
    pytest.importorskip("oiffile")
    vendor_files.write_oif(tmp_path / "a.oif", STACK)
    (tmp_path / "a.oif.files" / "s_C002Z003T002.tif").unlink()
    with find_reader(tmp_path / "a.oif").stack(tmp_path / "a.oif") as stack:
        stack.open_plane((0, 0)).close()
        with pytest.raises(ImageError, match="expected a plane at T 1, Z 2, C 1"):
            stack.open_plane((1, 2))


def test_a_compound_file_with_a_ring_is_refused(tmp_path):
    vendor_files.write_oib(tmp_path / "a.oib", STACK[:1, :1])
    data = bytearray((tmp_path / "a.oib").read_bytes())
    compound_file.check_compound_file(tmp_path / "a.oib")
    table = (struct.unpack("<I", data[76:80])[0] + 1) * 512
    data[table + 8 : table + 12] = struct.pack("<I", 1)  # sector 2 is followed by 1
    (tmp_path / "a.oib").write_bytes(data)
    with pytest.raises(ImageError, match="got a ring"):
        compound_file.check_compound_file(tmp_path / "a.oib")


def test_nd2_with_a_frame_beyond_the_file(tmp_path):
    nd2 = pytest.importorskip("nd2")
    vendor_files.write_nd2(tmp_path / "a.nd2", [STACK[:1, :1]])
    with nd2.ND2File(tmp_path / "a.nd2"):
        pass
    data = (tmp_path / "a.nd2").read_bytes()
    name = b"ImageDataSeq|0!"
    place = data.rindex(name) + len(name)
    (tmp_path / "a.nd2").write_bytes(data[:place] + struct.pack("Q", len(data) - 100) + data[place + 8 :])
    with pytest.raises(ImageError, match=r"a\.nd2: expected frame 0, got none"):
        read_image(tmp_path / "a.nd2")


@pytest.fixture
def czi_bytes(tmp_path):
    pytest.importorskip("pylibCZIrw")
    vendor_files.write_czi(tmp_path / "a.czi", [STACK[:1, :1]])
    return tmp_path / "a.czi", bytearray((tmp_path / "a.czi").read_bytes())


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (84, 1 << 40, "inside the file"),  # where the directory is
        (84, 0, "ZISRAWDIRECTORY at byte 0"),
        (92, 1 << 40, "inside the file"),  # where the metadata are
        (24, 1 << 40, "bytes for ZISRAWFILE"),
    ],
)
def test_a_czi_whose_header_leads_outside_is_refused(czi_bytes, at, value, message):
    path, data = czi_bytes
    data[at : at + 8] = struct.pack("<Q", value)
    path.write_bytes(data)
    with pytest.raises(ImageError, match=message):
        open_source(path)


@pytest.mark.parametrize(("label", "size"), [(b"X\0\0\0", 0), (b"X\0\0\0", 1 << 30), (b"Y\0\0\0", -5), (b"Q\0\0\0", 7)])
def test_a_czi_with_an_impossible_tile_is_refused(czi_bytes, label, size):
    path, data = czi_bytes
    directory = struct.unpack_from("<Q", data, 84)[0]
    place = data.index(b"X\0\0\0" if label[:1] != b"Y" else label, directory)
    data[place : place + 12] = label + struct.pack("<ii", 0, size)
    path.write_bytes(data)
    with pytest.raises(ImageError, match="expected a dimension of a tile"):
        open_source(path)


def test_more_planes_than_a_file_can_list_are_refused(czi_bytes):
    path, data = czi_bytes
    place = data.index(b"T\0\0\0", struct.unpack_from("<Q", data, 84)[0])
    data[place : place + 12] = b"T\0\0\0" + struct.pack("<ii", 1 << 27, 1)
    path.write_bytes(data)
    with pytest.raises(ImageError, match="planes in a file of its size"):
        open_source(path)
