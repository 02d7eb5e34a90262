"""Large PNG, JPEG and BMP files, decoded without a second copy of their pixels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import TooLargeError
from ...images.channels import apply_palette, cmyk_to_rgb
from .blocks import LARGEST_RATIO, SPARE_BYTES
from .stream_size import coefficients_of_jpeg

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

LARGEST_COPIED = 1 << 24
"""Bytes of pixels up to which Pillow decodes them; it holds two further copies for a moment."""

_BAND_BYTES = 1 << 22


def decode_large(picture: ImageFile, path: Path, *, raw: bool) -> NDArray:
    """Pixels of an open file, as :func:`starpoly.io.readers.raster.read_whole` gives them.

    Raises
    ------
    TooLargeError
        If the file can be decoded only with a copy that it is too small for.
    """
    if picture.format == "JPEG" and picture.mode in ("L", "RGB"):
        import imagecodecs

        content = path.read_bytes()
        width, height = picture.size
        _check_memory(path, width * height * len(picture.getbands()), coefficients_of_jpeg(content), (height, width))
        return imagecodecs.jpeg8_decode(content)
    if picture.format == "PNG" and "transparency" not in picture.info and not (raw and picture.mode == "P"):
        return _decode_png(picture, path, raw=raw)
    return _decode_in_bands(picture, path, raw=raw)


def _decode_png(picture: ImageFile, path: Path, *, raw: bool) -> NDArray:
    """Grey, colours and palettes, all of which libpng converts while it decodes."""
    import imagecodecs

    image = imagecodecs.png_decode(path.read_bytes())
    if picture.mode == "1":
        image >>= 7
        return image.view(bool)
    if picture.mode == "P":
        return keep_samples(image, 1) if _palette(picture).ndim == 1 else image
    return image if raw else without_alpha(image)


def _decode_in_bands(picture: ImageFile, path: Path, *, raw: bool) -> NDArray:
    """Whatever Pillow reads, copied band by band from its own memory, which is there all the time."""
    width, height = picture.size
    sample = np.array(picture.resize((1, 1)) if picture.mode != "P" else [[0]])
    table = _palette(picture) if picture.mode == "P" and not raw else None
    first = _converted(sample.astype(np.uint8) if picture.mode == "P" else sample, picture.mode, table, raw)
    image = np.empty((height, width, *first.shape[2:]), first.dtype)
    held = width * height * (1 if picture.mode in ("1", "L", "P") else 2 if picture.mode.startswith("I;16") else 4)
    _check_memory(path, image.nbytes, held, (height, width))
    for start, stop in _bands(height, max(1, _BAND_BYTES // max(1, width * 4))):
        band = np.array(picture.crop((0, start, width, stop)))
        image[start:stop] = _converted(band, picture.mode, table, raw)
    return image


def _check_memory(path: Path, n_bytes: int, held: int, shape: tuple[int, int]) -> None:
    """Refuse pixels of ``n_bytes`` that a decoder holds a second time, in ``held`` bytes, if their file is small."""
    if held + n_bytes > max(n_bytes, LARGEST_RATIO * path.stat().st_size) + SPARE_BYTES:
        raise TooLargeError(
            f"{path}: expected a file of more than {path.stat().st_size} bytes for {shape[0]} x {shape[1]} pixels of this kind, "
            "which take two copies to decode; save it as a tiled TIFF"
        )


def _converted(band: NDArray, mode: str, table: NDArray | None, raw: bool) -> NDArray:
    if table is not None:
        return table[band]
    if raw:
        return band
    return cmyk_to_rgb(band) if mode == "CMYK" else without_alpha(band)


def _palette(picture: Any) -> NDArray:
    """Colours of all indices, as grey where all are grey."""
    colors = np.array(picture.getpalette("RGB"), np.uint8).reshape(-1, 3)
    return apply_palette(np.arange(256, dtype=np.uint8)[None], colors)[0]


def _bands(length: int, step: int) -> Iterator[tuple[int, int]]:
    for start in range(0, length, step):
        yield start, min(start + step, length)


def without_alpha(image: NDArray) -> NDArray:
    """The image without a last channel of transparency."""
    if image.ndim != 3 or image.shape[2] not in (2, 4):
        return image
    n_kept = image.shape[2] - 1
    if image.nbytes > LARGEST_COPIED and image.flags.c_contiguous and image.flags.writeable:
        return keep_samples(image, n_kept)
    return image[..., :n_kept] if n_kept > 1 else image[..., 0]


def keep_samples(image: NDArray, n_kept: int) -> NDArray:
    """The first channels of ``(Y, X, C)``, packed in the memory of the image itself; (Y, X) if one is kept."""
    height, width, _ = image.shape
    flat = image.reshape(-1)
    for row in range(height):  # a row's place lies before where it was, or is its own
        kept = image[row, :, :n_kept].copy()
        flat[row * width * n_kept : (row + 1) * width * n_kept] = kept.reshape(-1)
    packed = flat[: height * width * n_kept]
    return packed.reshape((height, width, n_kept) if n_kept > 1 else (height, width))
