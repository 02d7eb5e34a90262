"""TIFF as microscopes write it: LSM, STK, QPTIFF, MetaXpress. All made here, after tifffile's description of the tags."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import tifffile

from starpoly.io.readers.images import open_source, read_header, read_image

THREE = np.random.default_rng(4).integers(0, 60_000, (3, 40, 50), dtype=np.uint16)
PLANES = THREE[:2]
RGB = (THREE.transpose(1, 2, 0) >> 8).astype(np.uint8)


def lsm(path) -> None:
    n_bytes = np.dtype([field if field[0] else ("rest", field[1]) for field in tifffile.TIFF.CZ_LSMINFO]).itemsize
    info = np.zeros(1, [field if field[0] else ("rest", field[1]) for field in tifffile.TIFF.CZ_LSMINFO])
    info["MagicNumber"], info["StructureSize"] = 67127628, n_bytes
    info["DimensionX"], info["DimensionY"], info["DimensionZ"], info["DimensionTime"] = 50, 40, 1, 1
    info["DimensionChannels"], info["DataType"], info["ScanType"] = 3, 2, 0
    info["VoxelSizeX"], info["VoxelSizeY"], info["VoxelSizeZ"] = 0.25e-6, 0.5e-6, 2e-6
    marker = 0x7A5A5A5A
    info["OffsetChannelColors"] = marker
    with tifffile.TiffWriter(path, byteorder="<") as writer:
        tags = [(34412, 1, n_bytes, info.tobytes(), True)]
        options = {"photometric": "minisblack", "planarconfig": "separate", "metadata": None}
        writer.write(THREE, extratags=tags, **options)
        writer.write((THREE[:, ::4, ::4] >> 8).astype(np.uint8), subfiletype=1, **options)
    data = path.read_bytes()
    names = b"".join(struct.pack("<I", len(name) + 1) + name + b"\0" for name in (b"GFP", b"DAPI", b"Cy5"))
    colors = struct.pack("<IIIIII", 24 + 12 + len(names), 3, 3, 24, 36, 0) + bytes(12) + names
    path.write_bytes(data.replace(struct.pack("<I", marker), struct.pack("<I", len(data))) + colors)


def stk(path) -> None:
    plane = [(33628, 4, 1, 8, True), (33629, 5, 1, (0, 1), True)]
    tifffile.imwrite(path, PLANES[0], extratags=plane, metadata=None, byteorder="<")


def metaxpress(path) -> None:
    fields = {"spatial-calibration-x": 0.65, "spatial-calibration-y": 0.65}
    inner = "".join(f'<prop id="{name}" type="float" value="{value}"/>' for name, value in fields.items())
    text = f'<MetaData><PlaneInfo>{inner}<prop id="spatial-calibration-units" type="string" value="um"/></PlaneInfo></MetaData>'
    tifffile.imwrite(path, PLANES[0], description=text, software="MetaSeries", metadata=None)


def qptiff(path) -> None:
    def text(name: str, kind: str) -> str:
        return (
            '<?xml version="1.0" encoding="utf-16"?><PerkinElmer-QPI-ImageDescription>'
            f"<ImageType>{kind}</ImageType><Biomarker>{name}</Biomarker></PerkinElmer-QPI-ImageDescription>"
        )

    options = {"metadata": None, "software": "PerkinElmer-QPI", "resolutionunit": "CENTIMETER", "tile": (16, 16)}
    with tifffile.TiffWriter(path) as writer:
        for plane, name in zip(PLANES, ("GFP", "DAPI"), strict=True):
            writer.write(plane, description=text(name, "FullResolution"), resolution=(20_000, 20_000), **options)
        writer.write(
            np.zeros((10, 12, 3), np.uint8), description=text("", "Thumbnail"), photometric="rgb", metadata=None
        )
        for plane, name in zip(PLANES, ("GFP", "DAPI"), strict=True):
            small = np.ascontiguousarray(plane[::2, ::2])
            writer.write(small, description=text(name, "ReducedResolution"), resolution=(10_000, 10_000), **options)


def bif(path) -> None:
    """A label that states the resolution of the scan, then the levels."""

    def more(xml: bytes) -> dict:
        return {"photometric": "rgb", "metadata": None, "extratags": [(700, 1, len(xml), xml, True)]}

    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        writer.write(RGB[:8, :8], description="Label_Image", **more(b'<iScan Mode="BF" ScanRes="0.25"/>'))
        for number in (0, 1):
            level = np.ascontiguousarray(RGB[:: 2**number, :: 2**number])
            text = f"level={number} mag={20 >> number} quality=95"
            writer.write(level, description=text, tile=(16, 16), **more(b'<EncodeInfo Ver="2"/>'))


def test_lsm(tmp_path):
    lsm(tmp_path / "a.lsm")
    np.testing.assert_array_equal(read_image(tmp_path / "a.lsm"), THREE.transpose(1, 2, 0))  # not its thumbnail
    header = read_header(tmp_path / "a.lsm")
    assert (header.channel_names, header.pixel_size) == (("GFP", "DAPI", "Cy5"), pytest.approx((0.5, 0.25)))


def test_stk(tmp_path):
    stk(tmp_path / "a.stk")
    with tifffile.TiffFile(tmp_path / "a.stk") as tiff:
        assert tiff.is_stk
    np.testing.assert_array_equal(read_image(tmp_path / "a.stk"), PLANES[0])


def test_metaxpress(tmp_path):
    metaxpress(tmp_path / "a.tif")
    assert read_header(tmp_path / "a.tif").pixel_size == pytest.approx((0.65, 0.65))


def test_qptiff(tmp_path):
    qptiff(tmp_path / "a.qptiff")
    with open_source(tmp_path / "a.qptiff", level=1, channels=["DAPI"]) as source:
        np.testing.assert_array_equal(source[:, :, 0], PLANES[1, ::2, ::2])
        assert source.levels == ((40, 50), (20, 25))
        assert source.pixel_size == pytest.approx((1.0, 1.0))


def test_bif(tmp_path):
    bif(tmp_path / "a.bif")
    assert read_header(tmp_path / "a.bif").pixel_size == (0.25, 0.25)
    for level in (0, 1):
        with open_source(tmp_path / "a.bif", level=level) as source:
            assert source.levels == ((40, 50), (20, 25))
            np.testing.assert_array_equal(source[:, :], RGB[:: 2**level, :: 2**level])
