"""A tiny MIRAX slide, as far as OpenSlide looks at it: one level, of which the scanner recorded a part."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
from PIL import Image

TILE = 32
_ID = "0123456789ABCDEF0123456789ABCDEF"
_VERSION = b"01.02"
_SETTINGS = """[GENERAL]
SLIDE_ID = {id}
IMAGENUMBER_X = {n_columns}
IMAGENUMBER_Y = {n_rows}
OBJECTIVE_MAGNIFICATION = 20
CameraImageDivisionsPerSide = 1
[HIERARCHICAL]
HIER_COUNT = 1
NONHIER_COUNT = 0
INDEXFILE = Index.dat
HIER_0_NAME = Slide zoom level
HIER_0_COUNT = 1
HIER_0_VAL_0_SECTION = LAYER_0_LEVEL_0_SECTION
[LAYER_0_LEVEL_0_SECTION]
OVERLAP_X = 0
OVERLAP_Y = 0
MICROMETER_PER_PIXEL_X = {size_um}
MICROMETER_PER_PIXEL_Y = {size_um}
IMAGE_FORMAT = PNG
IMAGE_FILL_COLOR_BGR = 0
DIGITIZER_WIDTH = {tile}
DIGITIZER_HEIGHT = {tile}
IMAGE_CONCAT_FACTOR = 0
[DATAFILE]
FILE_COUNT = 1
FILE_0 = Data0000.dat
"""


def write_mirax(
    path: Path, recorded: np.ndarray, first: tuple[int, int], n_tiles: tuple[int, int], size_um: float
) -> None:
    """A slide of ``n_tiles`` (rows, columns), in which the RGB image ``recorded`` begins at tile ``first``."""
    folder = path.with_suffix("")
    folder.mkdir()
    Image.fromarray(recorded).save(path, "JPEG")  # scanners put the slide's label there
    data, entries = [_VERSION + _ID.encode()], []
    for y in range(0, recorded.shape[0], TILE):
        for x in range(0, recorded.shape[1], TILE):
            stream = io.BytesIO()
            Image.fromarray(recorded[y : y + TILE, x : x + TILE]).save(stream, "PNG")
            place = (first[0] + y // TILE) * n_tiles[1] + first[1] + x // TILE
            entries.append((place, sum(map(len, data)), len(stream.getvalue()), 0))
            data.append(stream.getvalue())
    (folder / "Data0000.dat").write_bytes(b"".join(data))
    (folder / "Index.dat").write_bytes(_index(entries))
    settings = {"id": _ID, "n_rows": n_tiles[0], "n_columns": n_tiles[1], "tile": TILE, "size_um": size_um}
    (folder / "Slidedat.ini").write_text(_SETTINGS.format(**settings), encoding="ascii")


def _index(entries: list[tuple[int, int, int, int]]) -> bytes:
    """Places of the roots, of the level's list, of its page, then the page: tile's number, offset, length, file."""
    head = _VERSION + _ID.encode()
    start = len(head) + 8
    numbers = [start, start + 4, start + 8, start + 8, 0, start + 16, len(entries), 0]
    numbers += [number for entry in entries for number in entry]
    return head + struct.pack(f"<{len(numbers)}i", *numbers)
