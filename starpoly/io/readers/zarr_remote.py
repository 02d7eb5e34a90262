"""Objects of a zarr elsewhere, by its URL, read with distrust as those of a folder are; by fsspec, the extra ``remote``.

What answers may send no more than was asked for. Failures of the network are tried again.
"""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.sync import sync
from zarr.storage import FsspecStore

from ...errors import ImageError, install_command
from ..files.url import UrlPath
from .zarr_metadata import MOST_METADATA_BYTES, check_metadata, is_metadata

#: Seconds to wait before each further try.
_WAITS = (0.5, 2.0, 5.0)
#: Requests at the same time, for what is known of many objects.
_AT_ONCE = 16
#: Beside what chunks hold: headers of codecs, and checksums.
_SPARE_BYTES = 1 << 20
#: What tells that an object is another one, by the names that file systems give.
_MARKS = ("size", "etag", "md5hash", "content-md5", "digest", "last-modified", "lastmodified", "last_modified", "mtime",
          "updated", "generation", "created")  # fmt: skip

Answer = TypeVar("Answer")


class RemoteStore(FsspecStore):
    """The objects below a URL. Opened by :func:`open_remote`."""

    url = ""
    most_bytes = MOST_METADATA_BYTES
    """Bytes of an object; grows with the chunks of the arrays that are opened, see :meth:`admit`."""

    def admit(self, n_bytes: int) -> None:
        """Let objects be as large as chunks, or shards, of so many bytes."""
        self.most_bytes = max(self.most_bytes, n_bytes + n_bytes // 32 + _SPARE_BYTES)

    async def get(self, key: str, prototype: Any = None, byte_range: ByteRequest | None = None) -> Any:
        """The bytes of an object, None if there is none.

        Raises
        ------
        ImageError
            If it cannot be had, or is larger than it may be.
        """
        most = MOST_METADATA_BYTES if is_metadata(key) else self.most_bytes
        start, stop = _span(byte_range)
        content = await self._asked(lambda: self._fetch(self._place(key), start, stop, most), key)
        if content is None:
            return None
        if len(content) > most:
            raise self._too_large(key, most)
        if byte_range is None and is_metadata(key):
            check_metadata(content, key, self.url)
        if prototype is None:
            from zarr.core.buffer import default_buffer_prototype

            prototype = default_buffer_prototype()
        return prototype.buffer.from_bytes(content)

    async def get_partial_values(self, prototype: Any, key_ranges: Iterable[tuple[str, Any]]) -> list[Any]:
        """As :meth:`get`, of parts."""
        return [await self.get(key, prototype, byte_range) for key, byte_range in key_ranges]

    async def exists(self, key: str) -> bool:
        """Whether there is an object."""
        return await self._info(key) is not None

    def size_of(self, key: str) -> int | None:
        """Bytes of an object, None if there is none; 0 where nothing tells."""
        found = sync(self._info(key))
        return None if found is None else int(found.get("size") or 0)

    def marks_of(self, keys: Sequence[str]) -> list[list[tuple[str, str]]]:
        """Of each object its size, version and date, as far as they are told; nothing of one that is not there."""

        async def all_of_them() -> list[Any]:
            gate = asyncio.Semaphore(_AT_ONCE)

            async def one(key: str) -> Any:
                async with gate:
                    return await self._info(key)

            return await asyncio.gather(*map(one, keys))

        return [_marks(found) for found in sync(all_of_them())]

    def read_small(self, key: str, most: int) -> bytes:
        """The bytes of an object.

        Raises
        ------
        OSError
            If there is none.
        ImageError
            As for :meth:`get`.
        """
        content = sync(self._asked(lambda: self._fetch(self._place(key), None, None, most), key))
        if content is None:
            raise FileNotFoundError(f"{self.url}/{key}")
        return bytes(content[:most])

    def _place(self, key: str) -> str:
        return f"{self.path.rstrip('/')}/{key}"

    async def _info(self, key: str) -> Any:
        place, ask = self._place(key), self._head if _is_http(self.fs) else self.fs._info
        self.fs.invalidate_cache(place)
        found = await self._asked(lambda: ask(place), key)
        return None if found is None or found.get("type") == "directory" else found

    async def _asked(self, ask: Callable[[], Awaitable[Answer]], key: str) -> Answer | None:
        """The answer to a request, which is repeated where that may help; None if there is nothing."""
        for wait in (*_WAITS, None):
            try:
                return await ask()
            except ImageError:
                raise
            except self.allowed_exceptions:
                return None
            except Exception as error:
                status = getattr(error, "status", None)
                if is_metadata(key) and (status == 403 or isinstance(error, PermissionError)):
                    return None  # of a bucket that may not be listed: there may be none
                lasting = isinstance(error, PermissionError) or (isinstance(status, int) and status < 500)
                if wait is None or lasting:
                    detail = " ".join(str(error).split())[:120] or type(error).__name__
                    raise ImageError(f"{self.url}: expected {key} to be readable, got: {detail}") from error
                await asyncio.sleep(wait)
        raise AssertionError  # the last try returns or raises

    async def _fetch(self, place: str, start: int | None, stop: int | None, most: int) -> bytes:
        if start is not None and stop is not None and stop - start > most:
            raise self._too_large(place, most)
        if _is_http(self.fs):
            return await self._stream(place, start, stop, most)
        if start is None:
            start, stop = 0, most + 1
        elif stop is None and start >= 0:
            stop = start + most + 1
        try:
            return bytes(await self.fs._cat_file(place, start=start, end=stop))
        except OSError as error:
            if "not satisfiable" in str(error):  # of an empty object
                return b""
            raise

    async def _stream(self, place: str, start: int | None, stop: int | None, most: int) -> bytes:
        """The answer of a server of HTTP, which may send what it likes: for any length, and without heeding the range."""
        headers = {"Accept-Encoding": "identity"}
        if start is not None:
            headers["Range"] = f"bytes={start}" if start < 0 else f"bytes={start}-{'' if stop is None else stop - 1}"
        session = await self.fs.set_session()
        async with session.get(self.fs.encode_url(place), headers=headers) as answer:
            if answer.status == 416:
                return b""
            _check(answer, place)
            content = bytearray()
            async for part in answer.content.iter_chunked(1 << 16):
                content += part
                if len(content) > most:
                    raise self._too_large(place, most)
            return bytes(content) if answer.status == 206 or start is None else bytes(content[start:stop])

    async def _head(self, place: str) -> dict[str, Any]:
        session = await self.fs.set_session()
        headers = {"Accept-Encoding": "identity"}
        async with session.head(self.fs.encode_url(place), headers=headers, allow_redirects=True) as answer:
            _check(answer, place)
            size = answer.headers.get("Content-Length", "")
            return dict(answer.headers) | {"size": int(size) if size.isdecimal() else None}

    def _too_large(self, key: str, most: int) -> ImageError:
        name = key.removeprefix(self.path).lstrip("/")
        return ImageError(f"{self.url}: expected at most {most} bytes of {name}, got more; export it again")


def open_remote(path: UrlPath) -> RemoteStore:
    """The store of a URL.

    Raises
    ------
    ImageError
        If fsspec, or the package for this scheme, is not installed, or the scheme is unknown.
    """
    try:
        import fsspec
    except ImportError as error:
        raise ImageError(
            f"{path}: expected fsspec to be installed to read URLs, it is not; {install_command('remote')}"
        ) from error
    try:
        kind = fsspec.get_filesystem_class(path.scheme)
    except (ImportError, ValueError) as error:  # its own words name the package
        raise ImageError(
            f"{path}: expected a URL that fsspec can open, got: {' '.join(str(error).split())}; install the package for "
            f"{path.scheme}"
        ) from error
    try:
        options = tuple(sorted(kind._get_kwargs_from_urls(str(path)).items()))
        store = RemoteStore(_file_system(path.scheme, options), read_only=True, path=kind._strip_protocol(str(path)))
    except ImageError:
        raise
    except Exception as error:
        detail = " ".join(str(error).split())[:200] or type(error).__name__
        raise ImageError(f"{path}: expected a place that can be reached, got: {detail}") from error
    store.url = str(path)
    return store


@lru_cache(maxsize=64)
def _file_system(scheme: str, options: tuple[tuple[str, Any], ...]) -> Any:
    """One for all images of a place, with its connections; ended with the process."""
    import fsspec

    kind = fsspec.get_filesystem_class(scheme)
    if not kind.async_impl:
        from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper

        return AsyncFileSystemWrapper(kind(**dict(options)), asynchronous=True)
    made = kind(asynchronous=True, **dict(options))
    if _is_http(made):
        atexit.register(_end, made)
    return made


def _end(file_system: Any) -> None:
    session = getattr(file_system, "_session", None)
    if session is not None:
        sync(session.close())


def _is_http(file_system: Any) -> bool:
    return "http" in (file_system.protocol if isinstance(file_system.protocol, tuple) else (file_system.protocol,))


def _check(answer: Any, place: str) -> None:
    if answer.status in (404, 410):
        raise FileNotFoundError(place)
    answer.raise_for_status()


def _span(byte_range: ByteRequest | None) -> tuple[int | None, int | None]:
    if isinstance(byte_range, RangeByteRequest):
        return byte_range.start, byte_range.end
    if isinstance(byte_range, OffsetByteRequest):
        return byte_range.offset, None
    return (-byte_range.suffix, None) if isinstance(byte_range, SuffixByteRequest) else (None, None)


def _marks(found: Any) -> list[tuple[str, str]]:
    named = {str(name).lower(): value for name, value in (found or {}).items()}
    return [(name, str(named[name])) for name in _MARKS if named.get(name) is not None]
