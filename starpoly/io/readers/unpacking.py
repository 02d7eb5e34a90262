"""Decompression that stops at a limit: what a stream holds is not known before, and what it states is not believed."""

from __future__ import annotations

import bz2
import lzma
import struct
import zlib
from collections.abc import Callable
from typing import Any

from ...errors import ImageError

_LZMA_BYTES = 128 << 20
"""Memory of a decoder of LZMA; the highest preset needs half of it."""


def unpack(kind: str, stored: bytes, limit: int) -> bytes:
    """The content of a stream.

    Parameters
    ----------
    kind : {"zlib", "zstd"}
    stored : bytes
    limit : int
        Bytes.

    Raises
    ------
    ImageError
        If there is more, or a part is missing.
    """
    plain = DECODERS[kind](stored, limit, None)
    return _unpack_zstd_whole(stored, limit) if plain is None else plain


def _too_large(n_bytes: int | None, limit: int) -> ImageError:
    got = "more" if n_bytes is None else f"{n_bytes}"
    return ImageError(f"expected at most {limit} bytes in a packed part, got {got}")


def _unpack_parts(make: Callable[[], Any], stored: bytes, limit: int) -> bytes:
    """Unpack one stream after another, up to the limit."""
    parts: list[bytes] = []
    n_bytes = 0
    while stored.strip(b"\0"):
        stream = make()
        parts.append(stream.decompress(stored, limit + 1 - n_bytes))
        n_bytes += len(parts[-1])
        if n_bytes > limit:
            raise _too_large(None, limit)
        if not stream.eof:
            raise ImageError("expected a whole packed part, got one that is cut off")
        stored = stream.unused_data
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _unpack_zlib(stored: bytes, limit: int, codec: Any) -> bytes:
    return _unpack_parts(lambda: zlib.decompressobj(wbits=47), stored, limit)


def _unpack_bz2(stored: bytes, limit: int, codec: Any) -> bytes:
    return _unpack_parts(bz2.BZ2Decompressor, stored, limit)


def _unpack_lzma(stored: bytes, limit: int, codec: Any) -> bytes:
    settings = getattr(codec, "_codec", codec)
    kind, filters = getattr(settings, "format", lzma.FORMAT_XZ), getattr(settings, "filters", None)
    memory = None if kind == lzma.FORMAT_RAW else _LZMA_BYTES
    for each in filters or () if kind == lzma.FORMAT_RAW else ():
        if each.get("dict_size", 0) > _LZMA_BYTES:
            raise ImageError(f"expected an LZMA dictionary of at most {_LZMA_BYTES} bytes, got {each['dict_size']}")
    chosen = filters if kind == lzma.FORMAT_RAW else None
    return _unpack_parts(lambda: lzma.LZMADecompressor(kind, memory, chosen), stored, limit)


def _unpack_zstd(stored: bytes, limit: int, codec: Any) -> bytes | None:
    n_bytes = _zstd_content_size(stored)
    if n_bytes is None:
        return _unpack_zstd_whole(stored, limit)
    if n_bytes > limit:
        raise _too_large(n_bytes, limit)
    return None


def _unpack_zstd_whole(stored: bytes, limit: int) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.zstd_decode(stored, out=limit))


def _zstd_content_size(stored: bytes) -> int | None:
    """The size that the first frame states (RFC 8878), None where it states none."""
    if len(stored) < 6 or stored[:4] != b"\x28\xb5\x2f\xfd":
        return None
    descriptor = stored[4]
    single, flag = descriptor >> 5 & 1, descriptor >> 6
    width = (1 if single else 0, 2, 4, 8)[flag]
    start = 5 + (0 if single else 1) + (0, 1, 2, 4)[descriptor & 3]
    if width == 0 or len(stored) < start + width:
        return None
    return int.from_bytes(stored[start : start + width], "little") + (256 if width == 2 else 0)


def _check_lz4(stored: bytes, limit: int, codec: Any) -> None:
    (n_bytes,) = struct.unpack_from("<I", stored)
    if n_bytes > limit:
        raise _too_large(n_bytes, limit)


def _check_blosc(stored: bytes, limit: int, codec: Any) -> None:
    n_bytes, block, _ = struct.unpack_from("<III", stored, 4)
    if n_bytes > limit or block > max(n_bytes, 1 << 16):
        raise _too_large(max(n_bytes, block), limit)


DECODERS: dict[str, Callable[[bytes, int, Any], bytes | None]] = {
    "zlib": _unpack_zlib,
    "gzip": _unpack_zlib,
    "bz2": _unpack_bz2,
    "lzma": _unpack_lzma,
    "zstd": _unpack_zstd,
    "lz4": _check_lz4,
    "blosc": _check_blosc,
}
"""By name; each gives the plain bytes, or None where the codec itself may unpack them."""
