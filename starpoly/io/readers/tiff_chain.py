"""The chain of pages of a TIFF: refuse one that leads back to itself, or is longer than a file of its size can need.

tifffile follows chains as long as they go on; this module walks them before.
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import ImageError

MOST_PAGES = 1 << 20
"""Pages of a file: more than a day of video frames at ten a second. Each costs memory and time before pixels are read."""

_MOST_TAGS = 4096
"""As tifffile has it: where a page lists more, the chain ends."""

_MOST_LEVELS = 4096
"""Levels and thumbnails of a page. A pyramid has dozens at most."""

_SUB_IFDS = 330
_BYTES_OF_TYPE = {4: 4, 13: 4, 16: 8, 18: 8}
"""Types of offsets: LONG, IFD, LONG8, IFD8."""


@dataclass(frozen=True)
class _Layout:
    """How numbers lie in a kind of TIFF."""

    count: struct.Struct
    tag: struct.Struct
    offset: struct.Struct
    order: str


def check_chain(path: Path) -> None:
    """Walk all pages of a TIFF, with the levels and thumbnails that they refer to.

    Raises
    ------
    ImageError
        If a chain of pages is a ring, there are more than :data:`MOST_PAGES`, or a page has more than thousands of levels.
    """
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
        raise ImageError(f"{path}: expected a TIFF file, got a folder, pipe or device")
    with open(path, "rb") as file:
        check_chain_of(file, path.stat().st_size, path, ndpi=path.suffix.lower() == ".ndpi")


def check_chain_of(file: Any, size: int, name: object, *, ndpi: bool = False) -> None:
    """As :func:`check_chain`, of an open file of ``size`` bytes; ``ndpi`` where classic TIFF has long offsets."""

    def read(offset: int, n_bytes: int) -> bytes:
        file.seek(offset)
        return bytes(file.read(n_bytes))

    layout, first = _read_start(read, ndpi)
    if layout is None:
        return  # no TIFF: whoever decodes it says so
    n_pages = n_listed = 0
    walked: set[int] = set()
    roots = [first]
    while roots:
        chain: set[int] = set()
        for offset, levels in _pages(read, layout, roots.pop(), size):
            if offset in chain:
                raise ImageError(
                    f"{name}: expected pages in a chain that ends, got one whose page {len(chain)} leads back to byte "
                    f"{offset}; the file is damaged, export it again"
                )
            if offset in walked:
                break
            chain.add(offset)
            n_pages += 1
            if n_pages > MOST_PAGES:
                raise ImageError(f"{name}: expected at most {MOST_PAGES} pages, got more; split the file")
            if len(levels) > _MOST_LEVELS:
                raise ImageError(f"{name}: expected at most {_MOST_LEVELS} levels of a page, got more; export it again")
            n_listed += len(levels)
            if n_listed > MOST_PAGES:
                raise ImageError(f"{name}: expected at most {MOST_PAGES} pages, got more; split the file")
            roots += [level for level in levels if level not in walked]
        walked |= chain


def _read_start(read: Callable[[int, int], bytes], ndpi: bool) -> tuple[_Layout | None, int]:
    """The layout of a file and where its first page lies."""
    start = read(0, 16)
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    if order is None or len(start) < 8:
        return None, 0
    version = struct.unpack(order + "H", start[2:4])[0]
    if version == 43 and len(start) == 16:
        return _layout(order, "Q", "HHQ8s", "Q"), struct.unpack(order + "Q", start[8:16])[0]
    first = struct.unpack(order + "I", start[4:8])[0]
    return _layout(order, "H", "HHI4s", "Q" if ndpi and order == "<" else "I"), first


def _layout(order: str, count: str, tag: str, offset: str) -> _Layout:
    return _Layout(struct.Struct(order + count), struct.Struct(order + tag), struct.Struct(order + offset), order)


def _pages(
    read: Callable[[int, int], bytes], layout: _Layout, offset: int, size: int
) -> Iterator[tuple[int, list[int]]]:
    """Offset of each page of a chain, and offsets of the pages that it refers to."""
    while 0 < offset < size:
        start = read(offset, layout.count.size)
        n_tags = layout.count.unpack(start)[0] if len(start) == layout.count.size else _MOST_TAGS + 1
        if n_tags > _MOST_TAGS:
            return
        n_bytes = n_tags * layout.tag.size
        listed = read(offset + layout.count.size, n_bytes + layout.offset.size)
        yield offset, _levels(read, layout, listed[:n_bytes])
        if len(listed) < n_bytes + layout.offset.size:
            return
        (offset,) = layout.offset.unpack_from(listed, n_bytes)


def _levels(read: Callable[[int, int], bytes], layout: _Layout, tags: bytes) -> list[int]:
    found: list[int] = []
    for code, kind, count, value in layout.tag.iter_unpack(tags[: len(tags) // layout.tag.size * layout.tag.size]):
        if code != _SUB_IFDS or kind not in _BYTES_OF_TYPE or not 0 < count <= MOST_PAGES:
            continue
        width = _BYTES_OF_TYPE[kind]
        n_bytes = min(count, _MOST_LEVELS + 1) * width
        data = (
            value
            if n_bytes <= len(value)
            else read(layout.offset.unpack(value.ljust(8, b"\0")[: layout.offset.size])[0], n_bytes)
        )
        data = data[: min(n_bytes, len(data) // width * width)]
        found += [number for (number,) in struct.iter_unpack(layout.order + ("I" if width == 4 else "Q"), data)]
    return found
