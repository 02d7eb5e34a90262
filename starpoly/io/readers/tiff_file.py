"""Open TIFF files with distrust: chains of pages that end, tiles that fit."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from .stream_size import check_stream
from .tiff_chain import check_chain, check_chain_of

_log, _silent = logging.getLogger("tifffile"), logging.NullHandler()


def open_tiff(path: Path) -> Any:
    """Open a file with tifffile once its chains of pages are known to end; a context manager.

    An OME-TIFF may name other files; they are not followed: an image from outside must not choose what is read.

    Raises
    ------
    ImageError
        If a chain of pages does not end.
    """
    check_chain(path)
    return _opened(path)


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
    """
    key = page.keyframe
    decode = key.decode
    if getattr(decode, "checks_streams", False):
        return decode
    strip = min(key.rowsperstrip, key.imagelength), key.imagewidth
    rows, columns = (key.tilelength, key.tilewidth) if key.is_tiled else strip
    samples = key.samplesperpixel if key.planarconfig == 1 else 1

    def decode_checked(data: bytes | None, index: int, /, **options: Any) -> Any:
        if data is not None:
            check_stream(data, int(key.compression), rows, columns, samples)
        return decode(data, index, **options)

    decode_checked.checks_streams = True  # type: ignore[attr-defined]
    key.__dict__["decode"] = decode_checked  # where tifffile's cached property keeps it
    return decode_checked
