"""Codecs of a zarr: which are run at all, and how much each may unpack.

An image from outside must not choose what code is run: some codecs unpickle, some belong to packages that happen to be
installed. Those that are allowed unpack no more than a chunk holds.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import ImageError
from .unpacking import DECODERS

_CHECKSUMS = ("adler32", "crc32", "crc32c", "fletcher32", "jenkins_lookup3")
_COMPRESSORS = ("blosc", "bz2", "gzip", "lz4", "lzma", "zlib", "zstd")
_FILTERS = ("astype", "bitround", "delta", "fixedscaleoffset", "packbits", "quantize", "shuffle")
_OF_NUMCODECS = frozenset((*_CHECKSUMS, *_COMPRESSORS, *_FILTERS))

ALLOWED_V2 = _OF_NUMCODECS
_ALLOWED_FILTERS = frozenset((*_CHECKSUMS, *_FILTERS))
"""Codecs of version 2 before the compressor. One that packs, too, would unpack without a bound."""
ALLOWED_V3 = frozenset(("blosc", "bytes", "crc32c", "endian", "gzip", "sharding_indexed", "transpose", "zstd")) | {
    f"numcodecs.{name}" for name in _OF_NUMCODECS
}

_MOST_CODECS = 32
_DTYPES = ("dtype", "astype", "encode_dtype", "decode_dtype")
_WIDEST_NUMBER = 16
"""Bytes of a complex number: filters may not turn numbers into text of any length."""

_MOST_CHUNKS_IN_A_SHARD = 1 << 20
"""Entries of the index of a shard, 16 bytes each, which is held whole."""


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
        If a codec is none of those that are allowed, turns numbers into anything else, or a shard holds too many chunks.
    """
    for document in _documents(metadata):
        if "codecs" in document:
            _check_shards(document["codecs"], _chunk_shape(document), name)
            codecs = list(_codecs_v3(document["codecs"]))
            _check_names((_member(codec, "name") for codec in codecs), ALLOWED_V3, name)
            _check_filters([_member(codec, "configuration") for codec in codecs], name)
            _check_bit_packing([_member(codec, "name") for codec in codecs], name)
        compressor, filters = document.get("compressor"), document.get("filters") or []
        filters = filters if isinstance(filters, list) else [filters]
        kinds = [_member(codec, "id") for codec in filters]
        _check_names(iter([_member(compressor, "id")] if compressor else []), ALLOWED_V2, name)
        _check_names(iter(kinds), _ALLOWED_FILTERS, name)
        _check_filters(filters, name)
        _check_bit_packing(kinds, name)
        _check_widths(filters, name)


def _documents(metadata: object) -> Iterator[Mapping[str, Any]]:
    """The metadata, and those of the arrays within that it repeats: under one name in version 2, another in version 3."""
    if not isinstance(metadata, Mapping):
        return
    yield metadata
    for consolidated in (metadata, metadata.get("consolidated_metadata")):
        inner = consolidated.get("metadata") if isinstance(consolidated, Mapping) else None
        for key, document in inner.items() if isinstance(inner, Mapping) else ():
            if not is_of_people(key):
                yield from _documents(document)


def is_of_people(key: str) -> bool:
    """Whether an object of metadata holds attributes alone, in which "filters" may be those of a microscope."""
    return key.rpartition("/")[2] == ".zattrs"


def _member(codec: object, key: str) -> object:
    return codec.get(key) if isinstance(codec, Mapping) else codec


def _codecs_v3(codecs: object) -> Iterator[object]:
    """Codecs of version 3, those within shards included."""
    for codec in codecs if isinstance(codecs, list) else [codecs]:
        yield codec
        configuration = codec.get("configuration") if isinstance(codec, Mapping) else None
        for inner in ("codecs", "index_codecs"):
            if isinstance(configuration, Mapping) and inner in configuration:
                yield from _codecs_v3(configuration[inner])


def _check_filters(settings: list[object], name: object) -> None:
    """Filters calculate with numbers: what they decode to takes a few bytes."""
    if len(settings) > _MOST_CODECS:
        raise ImageError(f"{name}: expected at most {_MOST_CODECS} codecs, got {len(settings)}; save it again")
    for setting in settings:
        stated = setting if isinstance(setting, Mapping) else {}
        for key in _DTYPES:
            if key in stated and not _is_number(stated[key]):
                raise ImageError(
                    f"{name}: expected codecs of numbers, got {key} {str(stated[key])[:40]!r}; save it without this filter"
                )


def _is_number(dtype: object) -> bool:
    import numpy as np

    try:
        found = np.dtype(dtype)  # type: ignore[call-overload]
    except (TypeError, ValueError, SyntaxError, RecursionError):
        return False
    return found.kind in "biufc" and found.itemsize <= _WIDEST_NUMBER


def _check_bit_packing(kinds: list[object], name: object) -> None:
    """Each packs eight values into a byte: one after the other would unpack eight times as much each time."""
    if sum(str(kind).endswith("packbits") for kind in kinds) > 1:
        raise ImageError(f"{name}: expected bits packed once, got filters that do it again; save it without them")


def _check_widths(filters: list[object], name: object) -> None:
    """Each filter takes the numbers that the next one makes: of others, every one could make the chunk longer."""
    import numpy as np

    taken = None
    for stated in filters:
        settings = stated if isinstance(stated, Mapping) else {}
        made = settings.get("decode_dtype") or settings.get("dtype")
        if made is None:
            continue
        if taken is not None and np.dtype(made).itemsize != taken:
            raise ImageError(
                f"{name}: expected filters of numbers of one width after the other, got {np.dtype(made).itemsize} bytes for "
                f"{taken}; save it without them"
            )
        taken = np.dtype(settings.get("encode_dtype") or settings.get("astype") or made).itemsize


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
        limit = math.ceil(math.prod(metadata.chunks) * _encoded_element(array))
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
        for name in _DTYPES:
            if (dtype := getattr(codec, name, None)) is not None:
                found.append(np.dtype(dtype).itemsize)
    return max(found)


def _encoded_element(array: Any) -> float:
    """Bytes of an element as filters leave it to the compressor; an eighth where bits are packed."""
    import numpy as np

    found: float = array.dtype.itemsize
    for codec in getattr(array.metadata, "filters", None) or ():
        after = getattr(codec, "encode_dtype", None) or getattr(codec, "astype", None)
        if after is not None:
            found = np.dtype(after).itemsize
        elif codec.codec_id == "packbits":
            found = 1 / 8
    return found


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
        elif isinstance(codec, BytesBytesCodec) and _kind(codec) in DECODERS:
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
            plain = await asyncio.to_thread(DECODERS[_kind(codec)], stored, _with_room(limit), codec)
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
        decode = DECODERS.get(self.codec_id)
        plain = None if decode is None else decode(bytes(stored), _with_room(self._limit), self._codec)
        return self._codec.decode(stored) if plain is None else plain


def _with_room(limit: int) -> int:
    """What codecs before may have added: checksums, and data that does not shrink."""
    return limit + limit // 64 + 1024
