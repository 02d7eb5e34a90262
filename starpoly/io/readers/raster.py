"""PNG, JPEG and BMP files, decoded whole."""

from __future__ import annotations

import struct
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError
from ...images.channels import apply_palette, cmyk_to_rgb
from ..console import silent_libraries
from .array import DecodedSource
from .header import Header
from .large_raster import LARGEST_COPIED, decode_large, without_alpha
from .registry import first_bytes
from .source import Source
from .untrusted import check_claim

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

MAX_PIXELS = 1 << 30
"""Largest PNG, JPEG or BMP that is read; Pillow's own limit (a guard against files that unpack to enormous images)
is replaced by it, since slides of 10 000 x 10 000 are ordinary here."""

#: samples per pixel of the colour types of PNG: grey, RGB, palette (which becomes RGB), grey and RGB with alpha
_PNG_SAMPLES = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}

_open_lock = threading.Lock()


def open_image(path: Path, level: int = 0) -> Source:
    """Decode a PNG, JPEG or BMP file, which cannot be read by region."""
    return DecodedSource(path, level, read_whole)


def read_whole(path: Path, *, raw: bool = False) -> NDArray:
    """Read a PNG, JPEG or BMP file.

    Parameters
    ----------
    path : Path
        The file.
    raw : bool
        Stored numbers as they are: palette indices, alpha kept. For label images.

    Returns
    -------
    (Y, X) or (Y, X, C) array
        bool for 1-bit images, uint8 or uint16. Pixels as they are stored: an orientation in the EXIF data is not
        applied, so that labels match the pixels that other programs read.

    Raises
    ------
    ImageError
        If it is a JPEG and ``raw`` numbers are wanted. Decoders raise other errors on corrupt data.
    """
    if raw and first_bytes(path).startswith(b"\xff\xd8\xff"):
        raise ImageError(f"{path}: expected labels in a TIFF or PNG file, got a JPEG, which alters ids")
    if _is_deep_png(path):
        return _decode_deep_png(path, raw=raw)
    return _decode_with_pillow(path, raw=raw)


def read_header(path: Path) -> Header:
    """Size of a PNG, JPEG or BMP file, of which no more than the header need be whole.

    Raises
    ------
    ImageError
        If the size is none, or far beyond what the file can hold. Pillow raises other errors on a corrupt header.
    """
    png = _png_header(path)
    if png is not None:
        width, height, bits, color = png
        n_bytes = width * height * _PNG_SAMPLES.get(color, 1) * (2 if bits == 16 else 1)
    else:
        with _opened(path) as picture:
            width, height = picture.size
            n_bytes = width * height * len(picture.getbands())
    if not (width > 0 and height > 0):
        raise ImageError(f"{path}: expected an image of at least one pixel, got {height} x {width}")
    _check_size(width, height, n_bytes, path)
    return Header((height, width), n_bytes)


def _png_header(path: Path) -> tuple[int, int, int, int] | None:
    """Width, height, bits and colour type of a PNG file, None for other files."""
    with open(path, "rb") as file:
        start = file.read(26)
    if len(start) < 26 or start[:8] != b"\x89PNG\r\n\x1a\n":
        return None
    return struct.unpack(">IIBB", start[16:26])


def _is_deep_png(path: Path) -> bool:
    """16 bits and more than grey: Pillow would cut these to 8 bits."""
    header = _png_header(path)
    return header is not None and header[2] == 16 and header[3] != 0


def _decode_deep_png(path: Path, *, raw: bool) -> NDArray:
    import imagecodecs

    width, height, *_, color = _png_header(path) or (0, 0, 0)
    _check_size(width, height, 2 * _PNG_SAMPLES.get(color, 4) * width * height, path)
    with silent_libraries():  # libpng writes warnings to the screen
        image = imagecodecs.png_decode(path.read_bytes())
    return image if raw else without_alpha(image)


def _decode_with_pillow(path: Path, *, raw: bool) -> NDArray:
    with _opened(path) as picture:
        width, height = picture.size
        n_bands = 3 if picture.mode == "P" and not raw else len(picture.getbands())
        n_bytes = width * height * n_bands * (2 if picture.mode.startswith("I") else 1)
        _check_size(width, height, n_bytes, path)
        if n_bytes > LARGEST_COPIED:
            return decode_large(picture, path, raw=raw)
        if picture.mode == "P":
            return _decode_palette(picture, raw=raw)
        image = np.array(picture)
        if raw:
            return image
        if picture.mode == "CMYK":
            return cmyk_to_rgb(image)
        return without_alpha(image)


def _opened(path: Path) -> ImageFile:
    """The file opened by Pillow, without its limit: sizes are checked by those who open it, before pixels are decoded."""
    from PIL import Image

    with _open_lock:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(path, formats=("PNG", "JPEG", "BMP"))
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _decode_palette(picture, *, raw: bool) -> NDArray:  # type: ignore[no-untyped-def]
    indices = np.array(picture)
    if raw:
        return indices
    return apply_palette(indices, np.array(picture.getpalette("RGB"), np.uint8).reshape(-1, 3))


def _check_size(width: int, height: int, n_bytes: int, path: Path) -> None:
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{path}: expected at most {MAX_PIXELS} pixels in a PNG, JPEG or BMP, got {width} x {height}; "
            "save it as a tiled TIFF"
        )
    check_claim(n_bytes, path)
