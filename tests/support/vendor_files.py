"""Tiny files in the formats of microscopes, as far as the readers look at them. ``stack`` has axes TZCYX."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import tifffile

#: bytes of a chunk's name in ND2, so that pixels begin at a page of memory
_ND2_NAME = 4072


def example(n_times: int = 2, n_slices: int = 3, n_channels: int = 2, dtype: str = "uint16") -> np.ndarray:
    """A stack TZCYX of random numbers."""
    rng = np.random.default_rng(3)
    return rng.integers(0, 250, (n_times, n_slices, n_channels, 24, 32)).astype(dtype)


# --- Nikon -----------------------------------------------------------------------------------------------------------


def write_nd2(path: Path, positions, names=("GFP", "DAPI"), *, compressed: bool = False, size_um: float = 0.5) -> None:
    """ND2, version 3: loops time, position and z; ``positions`` are stacks of one shape."""
    stack = np.stack(positions, axis=1)  # TPZCYX
    n_times, n_positions, n_slices, n_channels, height, width = stack.shape
    chunks: dict[bytes, tuple[int, int]] = {}
    planes = "".join(
        f'<a{n} runtype="CLxListVariant">{_nd2_text("sDescription", name)}{_nd2_int("uiCompCount", 1)}'
        f"{_nd2_int('uiSampleIndex', n)}<pFluorescentProbe>{_nd2_text('m_sName', name)}</pFluorescentProbe></a{n}>"
        for n, name in enumerate(names)
    )
    attributes = {
        "uiWidth": width,
        "uiHeight": height,
        "uiComp": n_channels,
        "uiBpcInMemory": 8 * stack.itemsize,
        "uiBpcSignificant": 8 * stack.itemsize,
        "uiWidthBytes": width * n_channels * stack.itemsize,
        "uiSequenceCount": n_times * n_positions * n_slices,
        "eCompression": 0 if compressed else 2,
    }
    metadata = (
        f'{_nd2_float("dCalibration", size_um)}<bCalibrated runtype="bool" value="true"/>'
        f"<sPicturePlanes>{_nd2_int('uiCount', n_channels)}<sPlaneNew>{planes}</sPlaneNew></sPicturePlanes>"
    )
    points = "".join(
        f"<no_name>{_nd2_text('dPosName', f'site {n}')}{_nd2_float('dPosX', n)}</no_name>" for n in range(n_positions)
    )
    z_loop = _nd2_loop(4, f"{_nd2_int('uiCount', n_slices)}{_nd2_float('dZStep', 2.0)}")
    position_loop = _nd2_loop(2, f"<Points>{points}</Points>", z_loop)
    times = "".join(_nd2_float(name, value) for name, value in (("dStart", 0), ("dPeriod", 1500), ("dDuration", 0)))
    experiment = _nd2_loop(1, f"{_nd2_int('uiCount', n_times)}{times}", position_loop)
    with open(path, "wb") as file:
        _nd2_chunk(file, chunks, b"ND2 FILE SIGNATURE CHUNK NAME01!", b"Ver3.0".ljust(64, b"\0"), 32)
        fields = "".join(_nd2_int(name, value) for name, value in attributes.items())
        _nd2_chunk(file, chunks, b"ImageAttributesLV!", _nd2_xml("SLxImageAttributes", fields))
        _nd2_chunk(file, chunks, b"ImageMetadataSeqLV|0!", _nd2_xml("SLxPictureMetadata", metadata))
        _nd2_chunk(file, chunks, b"ImageMetadataLV!", experiment.encode())
        for number, frame in enumerate(stack.reshape(-1, n_channels, height, width)):
            data = np.ascontiguousarray(np.moveaxis(frame, 0, -1)).tobytes()
            data = struct.pack("d", 0.0) + (zlib.compress(data) if compressed else data)
            _nd2_chunk(file, chunks, f"ImageDataSeq|{number}!".encode(), data, _ND2_NAME)
        start = file.tell()
        listing = b"".join(name + struct.pack("QQ", *place) for name, place in chunks.items())
        end = b"ND2 CHUNK MAP SIGNATURE 0000001!"
        _nd2_chunk(file, {}, b"ND2 FILEMAP SIGNATURE NAME 0001!", listing + end + struct.pack("Q", start))


def _nd2_chunk(file, chunks, name: bytes, data: bytes, name_length: int | None = None) -> None:
    chunks[name] = (file.tell(), len(data))
    padded = name.ljust(name_length or len(name), b"\0")
    file.write(struct.pack("IIQ", 0x0ABECEDA, len(padded), len(data)) + padded + data)


def _nd2_xml(name: str, content: str) -> bytes:
    return f"<{name}>{content}</{name}>".encode()


def _nd2_int(name: str, value: int) -> str:
    return f'<{name} runtype="lx_uint32" value="{value}"/>'


def _nd2_float(name: str, value: float) -> str:
    return f'<{name} runtype="double" value="{value}"/>'


def _nd2_text(name: str, value: str) -> str:
    return f'<{name} runtype="CLxStringW" value="{value}"/>'


def _nd2_loop(kind: int, parameters: str, inner: str = "") -> str:
    below = f"<ppNextLevelEx><no_name>{inner}</no_name></ppNextLevelEx>" if inner else ""
    inside = f"{_nd2_int('eType', kind)}<uLoopPars>{parameters}</uLoopPars>{below}"
    return f"<SLxExperiment>{inside}</SLxExperiment>" if kind == 1 else inside


# --- Leica -----------------------------------------------------------------------------------------------------------


def write_lif(path: Path, images: dict[str, np.ndarray], names=("DAPI", "GFP")) -> None:
    """LIF, version 2, one image per stack; pixels 0.25 um, slices 2 um, 5 s between time points."""
    elements = "".join(
        _leica_image(name, stack, f"MemBlock_{n}", names) for n, (name, stack) in enumerate(images.items())
    )
    xml = (
        f'<LMSDataContainerHeader Version="2"><Element Name="{path.name}"><Data><Experiment/></Data><Memory Size="0"/>'
        f"<Children>{elements}</Children></Element></LMSDataContainerHeader>"
    )
    with open(path, "wb") as file:
        file.write(_leica_text(xml))
        for n, stack in enumerate(images.values()):
            name = f"MemBlock_{n}".encode("utf-16-le")
            data = np.ascontiguousarray(stack).tobytes()
            head = struct.pack("<BQBI", 0x2A, len(data), 0x2A, len(name) // 2) + name
            file.write(struct.pack("<II", 0x70, len(head)) + head + data)


def write_lof(path: Path, stack: np.ndarray, names=("DAPI", "GFP")) -> None:
    """LOF: one image."""
    data = np.ascontiguousarray(stack).tobytes()
    xml = f'<LMSDataContainerHeader Version="2">{_leica_image(path.stem, stack, "MemBlock_0", names)}</LMSDataContainerHeader>'
    with open(path, "wb") as file:
        file.write(_leica_text("LMS_Object_File") + struct.pack("<BIBI", 0x2A, 2, 0x2A, 0))
        file.write(struct.pack("<BQ", 0x2A, len(data)) + data + _leica_text(xml))


def _leica_text(text: str) -> bytes:
    data = text.encode("utf-16-le")
    return struct.pack("<IIBI", 0x70, len(data) + 5, 0x2A, len(data) // 2) + data


def _leica_image(name: str, stack: np.ndarray, block: str, names) -> str:
    n_times, n_slices, _, height, width = stack.shape
    t, z, c, y, x = stack.strides
    resolution = 8 * stack.itemsize
    channels = "".join(
        f'<ChannelDescription DataType="0" ChannelTag="0" Resolution="{resolution}" NameOfMeasuredQuantity="" Min="0" Max="1" '
        f'Unit="" LUTName="{lut}" IsLUTInverted="0" BytesInc="{c * n}" BitInc="0"><ChannelProperty><Key>DyeName</Key>'
        f"<Value>{dye}</Value></ChannelProperty></ChannelDescription>"
        for n, (dye, lut) in enumerate(zip(names, ("Blue", "Green", "Red"), strict=False))
    )
    dimensions = "".join(
        f'<DimensionDescription DimID="{number}" NumberOfElements="{length}" Origin="0" Length="{extent}" Unit="{unit}" '
        f'BytesInc="{step}" BitInc="0"/>'
        for number, length, extent, unit, step in (
            (1, width, 0.25e-6 * (width - 1), "m", x),
            (2, height, 0.25e-6 * (height - 1), "m", y),
            (3, n_slices, 2e-6 * (n_slices - 1), "m", z),
            (4, n_times, 5.0 * (n_times - 1), "s", t),
        )
    )
    return (
        f'<Element Name="{name}" UniqueID="{block}"><Data><Image><ImageDescription><Channels>{channels}</Channels>'
        f"<Dimensions>{dimensions}</Dimensions></ImageDescription></Image></Data>"
        f'<Memory Size="{stack.nbytes}" MemoryBlockID="{block}"/></Element>'
    )


# --- Olympus ---------------------------------------------------------------------------------------------------------


def write_oif(path: Path, stack: np.ndarray, names=("DAPI", "GFP")) -> None:
    """OIF: settings beside a folder with a TIFF per plane."""
    folder = path.with_name(f"{path.name}.files")
    folder.mkdir()
    path.write_bytes(_olympus_settings(path.stem, stack, names))
    for name, plane in _olympus_planes(stack):
        tifffile.imwrite(folder / name, plane)


def write_oib(path: Path, stack: np.ndarray, names=("DAPI", "GFP")) -> None:
    """OIB: the files of an OIF in a compound file."""
    streams = {"Stream00000": _padded(_olympus_settings(path.stem, stack, names))}
    listing = "MainFileName=Stream00000\r\nStream00000=main.oif\r\nStorage00000=main.oif.files\r\n"
    for number, (name, plane) in enumerate(_olympus_planes(stack), start=1):
        buffer = path.with_suffix(".plane.tif")
        tifffile.imwrite(buffer, plane)
        streams[f"Stream{number:05}"] = _padded(buffer.read_bytes())
        buffer.unlink()
        listing += f"Stream{number:05}=Storage00000/{name}\r\n"
    info = f"[OibSaveInfo]\r\nName=main.oif\r\nVersion=1.0\r\n{listing}"
    streams["OibInfo.txt"] = _padded(_utf16(info))
    path.write_bytes(_compound_file(streams))


def _utf16(text: str) -> bytes:
    return b"\xff\xfe" + text.encode("utf-16-le")


def _padded(data: bytes) -> bytes:
    """At least as long as a stream that lies in sectors; the end of a text is blank lines."""
    blank = b"\r\0\n\0" if data[:2] == b"\xff\xfe" else b"\0\0\0\0"
    return data + blank * ((max(0, 4096 - len(data)) + 3) // 4)


def _olympus_planes(stack: np.ndarray):
    for t, z, c in np.ndindex(*stack.shape[:3]):
        yield f"s_C{c + 1:03}Z{z + 1:03}T{t + 1:03}.tif", stack[t, z, c]


def _olympus_settings(name: str, stack: np.ndarray, names) -> bytes:
    n_times, n_slices, n_channels, height, width = stack.shape
    axes = (("X", width, 0, width * 0.5, "um"), ("Y", height, 0, height * 0.5, "um"), ("C", n_channels, 0, 0, "Ch"))
    axes += (("Z", n_slices, 0, 2000.0 * (n_slices - 1), "nm"), ("T", n_times, 0, 3000.0 * (n_times - 1), "ms"))
    axes += tuple((code, 0, 0, 0, "") for code in ("A", "L", "P"))
    text = f"[ProfileSaveInfo]\r\nName={name}\r\nVersion=1.0\r\n[Axis Parameter Common]\r\nAxisOrder=XYCZT\r\n"
    for number, (code, length, start, end, unit) in enumerate(axes):
        text += f'[Axis {number} Parameters Common]\r\nAxisCode="{code}"\r\nMaxSize={length}\r\n'
        text += f'StartPosition={start}\r\nEndPosition={end}\r\nUnitName="{unit}"\r\n'
    text += f"[Reference Image Parameter]\r\nValidBitCounts={8 * stack.itemsize}\r\nImageWidth={width}\r\n"
    text += f'ImageHeight={height}\r\nWidthConvertValue=0.5\r\nHeightConvertValue=0.5\r\nWidthUnit="um"\r\n'
    text += 'HeightUnit="um"\r\n'
    for number, channel in enumerate(names, start=1):
        text += f'[Channel {number} Parameters]\r\nDyeName="{channel}"\r\nCH Name="CHS{number}"\r\n'
    return _utf16(text)


def _compound_file(streams: dict[str, bytes]) -> bytes:
    """A compound file, version 3, with all streams in the root, each of at least 4096 bytes."""
    sector = 512
    data, starts = b"", {}
    fat: list[int] = []

    def add(content: bytes) -> int:
        nonlocal data
        start, n_sectors = len(fat), -(-len(content) // sector)
        fat.extend([*range(start + 1, start + n_sectors), 0xFFFFFFFE])
        data += content.ljust(n_sectors * sector, b"\0")
        return start

    for name, content in streams.items():
        starts[name] = add(content)
    none = 0xFFFFFFFF
    entries = [_compound_entry("Root Entry", 5, none, none, 1, 0xFFFFFFFE, 0)]
    for number, (name, content) in enumerate(streams.items(), start=1):
        following = number + 1 if number < len(streams) else none
        entries.append(_compound_entry(name, 2, none, following, none, starts[name], len(content)))
    entries += [_compound_entry("", 0, none, none, none, 0, 0)] * (-len(entries) % 4)
    minifat = add(b"\xff" * sector)
    # the root's stream of small streams is empty, but has a sector
    small = add(b"\0" * sector)
    entries[0] = _compound_entry("Root Entry", 5, none, none, 1, small, 0)
    directory = add(b"".join(entries))
    n_fat = -(-len(fat) // (sector // 4))
    while (len(fat) + n_fat) > n_fat * (sector // 4):
        n_fat += 1
    first_fat = len(fat)
    fat.extend([0xFFFFFFFD] * n_fat)
    fat.extend([none] * (n_fat * (sector // 4) - len(fat)))
    difat = [*range(first_fat, first_fat + n_fat)]
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + struct.pack(
        "<16sHHHHHHIIIIIIIIII",
        b"\0" * 16,
        0x3E,
        3,
        0xFFFE,
        9,
        6,
        0,
        0,
        0,
        n_fat,
        directory,
        0,
        4096,
        minifat,
        1,
        0xFFFFFFFE,
        0,
    )
    head += struct.pack("<109I", *difat, *[none] * (109 - len(difat)))
    return head + data + struct.pack(f"<{len(fat)}I", *fat)


def _compound_entry(name: str, kind: int, left: int, right: int, child: int, start: int, size: int) -> bytes:
    text = name.encode("utf-16-le")
    length = len(text) + 2 if name else 0
    return struct.pack(
        "<64sHBBIII16sIQQIQ", text, length, kind, 1, left, right, child, b"\0" * 16, 0, 0, 0, start, size
    )


# --- Zeiss -----------------------------------------------------------------------------------------------------------


def write_czi(path: Path, scenes, names=("DAPI", "GFP"), **options) -> None:
    """CZI by Zeiss' own writer; scenes lie beside each other, 0.5 um a pixel and 2 um a slice."""
    from pylibCZIrw import czi

    with czi.create_czi(str(path), **options) as file:
        x = -100
        for scene, stack in enumerate(scenes):
            for t, z, c in np.ndindex(*stack.shape[:3]):
                plane = np.ascontiguousarray(stack[t, z, c])
                plane = plane if plane.ndim == 3 else plane[..., None]
                file.write(plane, location=(x, 50), plane={"T": t, "Z": z, "C": c}, scene=scene)
            x += stack.shape[4] + 40
        file.write_metadata("made", channel_names=dict(enumerate(names)), scale_x=0.5e-6, scale_y=0.5e-6, scale_z=2e-6)
