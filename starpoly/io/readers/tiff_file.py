"""Open TIFF files with distrust: chains of pages that end, tiles that fit."""

from __future__ import annotations

import logging
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ImageError
from .stream_size import check_stream, most_samples
from .tiff_chain import check_chain, check_chain_of

_log, _silent = logging.getLogger("tifffile"), logging.NullHandler()

_LERC_PARAMETERS = 50674
_BELIEVED_TILE_BYTES, _LARGEST_MARGIN = 1 << 25, 4
"""Bytes up to which a tile may be larger than its image, and how many times as large above that."""


def open_tiff(path: Path) -> Any:
    """Open a file with tifffile once its chains of pages are known to end; a context manager.

    An OME-TIFF may name other files; they are not followed: an image from outside must not choose what is read.

    Raises
    ------
    ImageError
        If a chain of pages does not end, or the header claims more planes than memory can list.
    """
    check_chain(path)
    tiff = _opened(path)
    try:
        len(tiff.series)  # found once, and kept
    except MemoryError as error:
        tiff.close()
        raise ImageError(
            f"{path}: expected planes that the file holds, got a header for more than can be listed; save it again"
        ) from error
    except Exception:
        return tiff  # what is wrong is told where the planes are used
    return tiff


def open_tiff_within(file: Any, name: object) -> Any:
    """As :func:`open_tiff`, of a TIFF inside another file, open as a stream."""
    check_chain_of(file, file.seek(0, os.SEEK_END), name)
    file.seek(0)
    return _opened(file)


def _opened(file: Any) -> Any:
    import tifffile

    if _silent not in _log.handlers:  # it tells the screen about every page that is damaged
        _log.addHandler(_silent)
    return tifffile.TiffFile(file, _multifile=False)


def guard_decoder(page: Any) -> Any:
    """The function that decodes tiles and strips of a page, which refuses streams larger than the tile.

    tifffile then uses it, too.

    Raises
    ------
    ImageError
        If the tiles are large and hardly touch the image.
    """
    key = page.keyframe
    decode = key.decode
    if getattr(decode, "checks_streams", False):
        return decode
    strip = min(key.rowsperstrip, key.imagelength), key.imagewidth
    rows, columns = (key.tilelength, key.tilewidth) if key.is_tiled else strip
    samples = key.samplesperpixel if key.planarconfig == 1 else 1
    if key.is_tiled:
        _check_tiles(key, samples)
    packing = _packing_of_lerc(key)

    def decode_checked(data: bytes | None, index: int, /, **options: Any) -> Any:
        if data is not None:
            check_stream(data, int(key.compression), rows, columns, samples, packing)
        return decode(data, index, **options)

    decode_checked.checks_streams = True  # type: ignore[attr-defined]
    key.__dict__["decode"] = decode_checked  # where tifffile's cached property keeps it
    return decode_checked


def _packing_of_lerc(page: Any) -> int:
    """How LERC streams are packed as a whole, see :func:`check_stream`."""
    tag = page.tags.get(_LERC_PARAMETERS)
    value = () if tag is None else tag.value
    return value[1] if isinstance(value, tuple) and len(value) > 1 and isinstance(value[1], int) else 0


def _check_tiles(page: Any, samples: int) -> None:
    """Every tile is decoded whole, several at once, so those of small images may be large but not of any size."""
    tile, image = (page.tilelength, page.tilewidth), (page.imagelength, page.imagewidth)
    if not all(isinstance(length, int) for length in tile):  # a tag may be of any type
        return
    n_bytes = math.prod(tile) * most_samples(int(page.compression), samples) * np.dtype(page.dtype).itemsize
    if n_bytes > _BELIEVED_TILE_BYTES and math.prod(tile) > _LARGEST_MARGIN * math.prod(map(min, tile, image)):
        raise ImageError(
            f"expected tiles that fit an image of {image[0]} x {image[1]} pixels, got tiles of {tile[0]} x {tile[1]}; "
            "save it in smaller tiles"
        )
