"""Codecs of a zarr: which are run at all, and how much each may unpack.

An image from outside must not choose what code is run: some codecs unpickle, some belong to packages that happen to be
installed. Those that are allowed unpack no more than a chunk holds.
"""

from __future__ import annotations

import asyncio
import bz2
import lzma
import math
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import ImageError

_CHECKSUMS = ("adler32", "crc32", "crc32c", "fletcher32", "jenkins_lookup3")
_COMPRESSORS = ("blosc", "bz2", "gzip", "lz4", "lzma", "zlib", "zstd")
_FILTERS = ("astype", "bitround", "delta", "fixedscaleoffset", "packbits", "quantize", "shuffle")
_OF_NUMCODECS = frozenset((*_CHECKSUMS, *_COMPRESSORS, *_FILTERS))

ALLOWED_V2 = _OF_NUMCODECS
ALLOWED_V3 = frozenset(("blosc", "bytes", "crc32c", "endian", "gzip", "sharding_indexed", "transpose", "zstd")) | {
    f"numcodecs.{name}" for name in _OF_NUMCODECS
}

_MOST_CHUNKS_IN_A_SHARD = 1 << 20
"""Entries of the index of a shard, 16 bytes each, which is held whole."""

_LZMA_BYTES = 128 << 20
"""Memory of a decoder of LZMA; the highest preset needs half of it."""


def check_codecs(metadata: object, name: object) -> None:
    """Look at the codecs in the metadata of an array or group, consolidated metadata included.

    Parameters
    ----------
    metadata : JSON
        The content of ``zarr.json``, ``.zarray`` or ``.zmetadata``.
    name : object
        For messages.

    Raises
    ------
    ImageError
        If a codec is none of those that are allowed, or a shard holds too many chunks.
    """
    for document in _documents(metadata):
        if "codecs" in document:
            _check_shards(document["codecs"], _chunk_shape(document), name)
            _check_names(_names_v3(document["codecs"]), ALLOWED_V3, name)
        compressor, filters = document.get("compressor"), document.get("filters")
        listed = [compressor, *(filters if isinstance(filters, list) else [filters])]
        _check_names(
            (codec.get("id") if isinstance(codec, Mapping) else codec for codec in listed if codec), ALLOWED_V2, name
        )


def _documents(metadata: object) -> Iterator[Mapping[str, Any]]:
    """The metadata, and those of the arrays within that it repeats."""
    if not isinstance(metadata, Mapping):
        return
    yield metadata
    consolidated = metadata.get("consolidated_metadata", metadata)
    inner = consolidated.get("metadata") if isinstance(consolidated, Mapping) else None
    for document in inner.values() if isinstance(inner, Mapping) else ():
        yield from _documents(document)


def _names_v3(codecs: object) -> Iterator[object]:
    for codec in codecs if isinstance(codecs, list) else [codecs]:
        yield codec.get("name") if isinstance(codec, Mapping) else codec
        configuration = codec.get("configuration") if isinstance(codec, Mapping) else None
        for inner in ("codecs", "index_codecs"):
            if isinstance(configuration, Mapping) and inner in configuration:
                yield from _names_v3(configuration[inner])


def _check_names(names: Iterator[object], allowed: frozenset[str], name: object) -> None:
    for codec in names:
        if codec not in allowed:
            raise ImageError(
                f"{name}: expected codecs of {', '.join(sorted(allowed))}, got {str(codec)[:40]!r}; save it with one of these"
            )


def _chunk_shape(document: Mapping[str, Any]) -> object:
    grid = document.get("chunk_grid")
    configuration = grid.get("configuration") if isinstance(grid, Mapping) else None
    return configuration.get("chunk_shape") if isinstance(configuration, Mapping) else None


def _check_shards(codecs: object, outer: object, name: object) -> None:
    for codec in codecs if isinstance(codecs, list) else [codecs]:
        configuration = codec.get("configuration") if isinstance(codec, Mapping) else None
        inner = configuration.get("chunk_shape") if isinstance(configuration, Mapping) else None
        if not (isinstance(inner, list) and isinstance(outer, list) and len(inner) == len(outer)):
            continue
        if not all(isinstance(length, int) and length > 0 for length in (*inner, *outer)):
            raise ImageError(f"{name}: expected chunks of at least one pixel, got {outer} with {inner} within")
        n_chunks = math.prod(-(-whole // part) for whole, part in zip(outer, inner, strict=True))
        if n_chunks > _MOST_CHUNKS_IN_A_SHARD:
            raise ImageError(
                f"{name}: expected at most {_MOST_CHUNKS_IN_A_SHARD} chunks in a shard, got {n_chunks}; save larger chunks"
            )
        if isinstance(configuration, Mapping):
            _check_shards(configuration.get("codecs"), inner, name)


def bound_decoding(array: Any) -> Any:
    """The array, whose chunks from now on unpack no more than they hold.

    Parameters
    ----------
    array : zarr.Array
        Just opened.
    """
    from zarr.codecs._v2 import V2Codec

    metadata, inner = array.metadata, array.async_array
    if metadata.zarr_format == 2:
        limit = math.prod(metadata.chunks) * widest_element(array)
        compressor: Any = None if metadata.compressor is None else _Bounded(metadata.compressor, limit)
        codecs: list[Any] = [V2Codec(filters=metadata.filters, compressor=compressor)]
    else:
        codecs = _bounded(metadata.codecs)
    object.__setattr__(inner, "codec_pipeline", type(inner.codec_pipeline).from_codecs(codecs))
    return array


def widest_element(array: Any) -> int:
    """Bytes of an element before or after any filter."""
    import numpy as np

    found = [array.dtype.itemsize]
    for codec in getattr(array.metadata, "filters", None) or ():
        for name in ("dtype", "astype", "encode_dtype", "decode_dtype"):
            if (dtype := getattr(codec, name, None)) is not None:
                found.append(np.dtype(dtype).itemsize)
    return max(found)


def _bounded(codecs: Any) -> list[Any]:
    """Codecs of version 3, those that unpack within bounds."""
    from zarr.abc.codec import BytesBytesCodec
    from zarr.codecs import ShardingCodec

    result = []
    for codec in codecs:
        if isinstance(codec, ShardingCodec):
            codec = ShardingCodec(
                chunk_shape=codec.chunk_shape,
                codecs=_bounded(codec.codecs),
                index_codecs=codec.index_codecs,
                index_location=codec.index_location,
            )
        elif isinstance(codec, BytesBytesCodec) and _kind(codec) in _DECODERS:
            codec = _bounded_v3(codec)
        result.append(codec)
    return result


def _kind(codec: Any) -> str:
    """The name of a codec, ``zstd`` for ``ZstdCodec`` and ``numcodecs.zstd``."""
    stated = getattr(codec, "codec_id", None) or getattr(codec, "codec_name", None) or type(codec).__name__
    return str(stated).removeprefix("numcodecs.").removesuffix("Codec").lower()


def _bounded_v3(codec: Any) -> Any:
    from zarr.abc.codec import BytesBytesCodec

    @dataclass(frozen=True)
    class BoundedCodec(BytesBytesCodec):
        """A codec that unpacks no more than the chunk holds."""

        is_fixed_size = False

        def compute_encoded_size(self, input_byte_length: int, chunk_spec: Any) -> int:
            return int(codec.compute_encoded_size(input_byte_length, chunk_spec))

        async def _decode_single(self, chunk_data: Any, chunk_spec: Any) -> Any:
            limit = math.prod(chunk_spec.shape) * chunk_spec.dtype.to_native_dtype().itemsize
            stored = chunk_data.to_bytes()
            plain = await asyncio.to_thread(_DECODERS[_kind(codec)], stored, _with_room(limit), codec)
            if plain is None:
                return await codec._decode_single(chunk_data, chunk_spec)
            return chunk_spec.prototype.buffer.from_bytes(plain)

    return BoundedCodec()


class _Bounded:
    """A codec of version 2 that unpacks no more than ``limit`` bytes."""

    def __init__(self, codec: Any, limit: int) -> None:
        self._codec, self._limit = codec, limit
        self.codec_id = codec.codec_id

    def decode(self, stored: Any, out: Any = None) -> Any:
        """Unpack a chunk."""
        decode = _DECODERS.get(self.codec_id)
        plain = None if decode is None else decode(bytes(stored), _with_room(self._limit), self._codec)
        return self._codec.decode(stored) if plain is None else plain


def _with_room(limit: int) -> int:
    """What codecs before may have added: checksums, and data that does not shrink."""
    return limit + limit // 64 + 1024


def _too_large(n_bytes: int | None, limit: int) -> ImageError:
    got = "more" if n_bytes is None else f"{n_bytes}"
    return ImageError(f"expected at most {limit} bytes in a chunk, got {got}")


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
            raise ImageError("expected a whole chunk, got one that is cut off")
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
        import imagecodecs

        return bytes(imagecodecs.zstd_decode(stored, out=limit))
    if n_bytes > limit:
        raise _too_large(n_bytes, limit)
    return None


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


_DECODERS: dict[str, Callable[[bytes, int, Any], bytes | None]] = {
    "zlib": _unpack_zlib,
    "gzip": _unpack_zlib,
    "bz2": _unpack_bz2,
    "lzma": _unpack_lzma,
    "zstd": _unpack_zstd,
    "lz4": _check_lz4,
    "blosc": _check_blosc,
}
"""By name; each gives the plain bytes, or None where the codec itself may unpack them."""
