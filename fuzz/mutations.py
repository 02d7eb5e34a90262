"""Change a seed: bytes, numbers in text, tags of TIFF, files of a folder."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence

import numpy as np

from .corpus import Files, Seed

_POWERS = [(1 << bits) - less for bits in (7, 8, 15, 16, 20, 31, 32) for less in (0, 1)]
EXTREMES = (0, 1, 2, 7, 4095, 1 << 40, (1 << 63) - 1, *_POWERS)
_IN_TEXT = ("0", "-1", "1", "1e999", "1e-300", "NaN", "9" * 20, "0.0", "-0.5", "null", '"x"', "[]", "{}", "[" * 2000)
_TEXT_SUFFIXES = (".json", ".csv", ".toml", ".zattrs", ".zarray", ".zgroup", ".HTD", ".oif", ".xml")
_TAGS = (256, 257, 258, 259, 262, 270, 277, 284, 317, 320, 322, 323, 330, 338, 339, 33628, 34412, 50838, 65420)
_NUMBER = re.compile(rb"-?\d+(\.\d+)?")


def mutate(seed: Seed, others: Sequence[Seed], rng: np.random.Generator) -> tuple[Files, dict[str, str]]:
    """The files of a seed, changed.

    Parameters
    ----------
    seed : Seed
    others : sequence of Seed
        Whose bytes may be spliced in.
    rng : numpy.random.Generator

    Returns
    -------
    files : dict of str to bytes
    specials : dict of str to str
        What is put in place of a file: ``fifo``, ``folder``, ``link`` (out of the folder) or ``loop`` (to itself).
    """
    files, specials = dict(seed.files), {}
    for _ in range(min(6, int(rng.geometric(0.55)))):
        names = sorted(files)
        if not names:
            break
        name = names[int(rng.integers(len(names)))]
        if len(names) > 1 and rng.random() < 0.1:
            _change_folder(files, specials, name, rng)
        else:
            files[name] = _change(name, files[name], others, rng)
    return files, specials


def _change_folder(files: Files, specials: dict[str, str], name: str, rng: np.random.Generator) -> None:
    kind = ("removed", "swapped", "fifo", "folder", "link", "loop")[int(rng.integers(6))]
    if kind == "swapped":
        other = sorted(files)[int(rng.integers(len(files)))]
        files[name], files[other] = files[other], files[name]
        return
    del files[name]
    if kind != "removed":
        specials[name] = kind


def _change(name: str, data: bytes, others: Sequence[Seed], rng: np.random.Generator) -> bytes:
    if name.endswith(_TEXT_SUFFIXES) and rng.random() < 0.8:
        return _text(data, rng)
    changes: list[Callable[[bytearray, np.random.Generator], bytes | bytearray]] = [
        _bits,
        _number,
        _number,
        _cut,
        _copy,
        _fill,
        _drop,
    ]
    if data[:2] in (b"II", b"MM"):
        changes += [_tag, _tag, _tag, _tag]
    if b"<?xml" in data[:4096] or b"<OME" in data or b"<\0" in data:
        changes += [_number_in_text]
    choice = int(rng.integers(len(changes) + 1))
    if choice == len(changes):
        other = others[int(rng.integers(len(others)))]
        part = other.files[sorted(other.files)[0]] if other.files else b""
        return data[: int(rng.integers(len(data) + 1))] + part[int(rng.integers(len(part) + 1)) :]
    return bytes(changes[choice](bytearray(data), rng))


def _at(data: bytes | bytearray, rng: np.random.Generator, width: int = 1) -> int:
    """A place, of which half lie in the first and last kilobyte: headers and directories."""
    room = max(1, len(data) - width + 1)
    where = rng.random()
    if where < 0.35:
        return int(rng.integers(min(room, 1024)))
    if where < 0.5:
        return max(0, room - 1 - int(rng.integers(min(room, 1024))))
    return int(rng.integers(room))


def _bits(data: bytearray, rng: np.random.Generator) -> bytearray:
    for _ in range(int(rng.integers(1, 9))):
        if data:
            data[_at(data, rng)] ^= 1 << int(rng.integers(8))
    return data


def _number(data: bytearray, rng: np.random.Generator) -> bytearray:
    width, order = (1, 2, 4, 8)[int(rng.integers(4))], "<>"[int(rng.integers(2))]
    place = _at(data, rng, width)
    value = EXTREMES[int(rng.integers(len(EXTREMES)))] & ((1 << 8 * width) - 1)
    if place + width <= len(data):
        struct.pack_into(order + "BHIQ"[(1, 2, 4, 8).index(width)], data, place, value)
    return data


def _cut(data: bytearray, rng: np.random.Generator) -> bytearray:
    return data[: _at(data, rng)]


def _copy(data: bytearray, rng: np.random.Generator) -> bytearray:
    length = int(rng.integers(1, 65))
    start, to = _at(data, rng, length), _at(data, rng, length)
    return data[:to] + data[start : start + length] + data[to + (length if rng.random() < 0.7 else 0) :]


def _fill(data: bytearray, rng: np.random.Generator) -> bytearray:
    start, length = _at(data, rng), int(rng.integers(1, 257))
    length = min(length, len(data) - start)
    data[start : start + length] = bytes([(0, 255, 65)[int(rng.integers(3))]]) * length
    return data


def _drop(data: bytearray, rng: np.random.Generator) -> bytearray:
    start = _at(data, rng)
    return data[:start] + data[start + int(rng.integers(1, 65)) :]


def _tag(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Change a tag of a page, or where the next page lies."""
    order = "<" if data[:2] == b"II" else ">"
    big = len(data) >= 16 and struct.unpack_from(order + "H", data, 2)[0] == 43
    (offset,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4) if len(data) >= 16 else (0,)
    head, size, pointer = (8, 20, "Q") if big else (2, 12, "I")
    pages: list[tuple[int, int]] = []
    while 0 < offset < len(data) - head and len(pages) < 20:
        (n_tags,) = struct.unpack_from(order + ("Q" if big else "H"), data, offset)
        end = offset + head + n_tags * size
        if n_tags > 200 or end + struct.calcsize(pointer) > len(data):
            break
        pages.append((offset, n_tags))
        (offset,) = struct.unpack_from(order + pointer, data, end)
    if not pages:
        return data
    page, n_tags = pages[int(rng.integers(len(pages)))]
    if rng.random() < 0.15 or not n_tags:
        target = pages[int(rng.integers(len(pages)))][0] if rng.random() < 0.6 else int(rng.integers(len(data)))
        struct.pack_into(order + pointer, data, page + head + n_tags * size, target)
        return data
    entry = page + head + int(rng.integers(n_tags)) * size
    value = EXTREMES[int(rng.integers(len(EXTREMES)))]
    field = int(rng.integers(4))
    if field == 0:
        struct.pack_into(
            order + "H",
            data,
            entry,
            int(rng.choice([256, 257, 258, 259, 262, 277, 284, 317, 322, 323, 330, 338, 339, 65420, 34412])),
        )
    elif field == 1:
        struct.pack_into(order + "H", data, entry + 2, int(rng.integers(0, 19)))
    elif field == 2:
        struct.pack_into(order + pointer, data, entry + 4, value & ((1 << 8 * struct.calcsize(pointer)) - 1))
    else:
        place = entry + size - struct.calcsize(pointer)
        struct.pack_into(order + pointer, data, place, value & ((1 << 8 * struct.calcsize(pointer)) - 1))
    return data


def _number_in_text(data: bytearray, rng: np.random.Generator) -> bytes:
    found = list(_NUMBER.finditer(bytes(data)))
    if not found:
        return bytes(data)
    one = found[int(rng.integers(len(found)))]
    value = _IN_TEXT[int(rng.integers(len(_IN_TEXT)))].encode()
    return bytes(data[: one.start()]) + value + bytes(data[one.end() :])


def _text(data: bytes, rng: np.random.Generator) -> bytes:
    choice = int(rng.integers(8))
    if choice < 3:
        return _number_in_text(bytearray(data), rng)
    lines = data.split(b"\n")
    at = int(rng.integers(len(lines)))
    if choice == 3:
        lines[at:at] = [lines[int(rng.integers(len(lines)))]] * int(rng.integers(1, 50))
    elif choice == 4:
        del lines[at]
    elif choice == 5:
        words = re.findall(rb"[\w.]+", data) or [b""]
        old, new = words[int(rng.integers(len(words)))], words[int(rng.integers(len(words)))]
        return data.replace(old, new, 1) if old else data
    elif choice == 6:
        junk = (b"\xff\xfe", b"\0", b'"', b"\xef\xbb\xbf", b"[" * 3000, b",,,,", b"\x1b[31m", b"=1+1")[
            int(rng.integers(8))
        ]
        lines[at] = lines[at][: int(rng.integers(len(lines[at]) + 1))] + junk + lines[at]
    else:
        return bytes(_bits(bytearray(data), rng))
    return b"\n".join(lines)
