"""Size of the image in a compressed stream, from the stream's own header.

Decoders of image formats allocate what the stream claims, whatever the tile is that it fills. Each function here reads the
largest claim of a stream without decoding it; :func:`check_stream` holds it against the tile.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from ...errors import ImageError
from .unpacking import unpack

LERC = 34887
_PACKINGS = {1: "zlib", 2: "zstd"}
_PROGRESSIVE, _BYTES_PER_COEFFICIENT = (0xC2, 0xC6, 0xCA, 0xCE), 2
_LARGEST_VALUE = 8
"""Bytes of a pixel's value."""

Size = tuple[int, int, int]
"""Rows, columns and samples."""

_MOST_SAMPLES = 4
"""Samples that a stream may have beyond those of the tile: decoders add or drop colours and alpha."""


def check_stream(data: bytes, compression: int, rows: int, columns: int, samples: int, packing: int = 0) -> None:
    """Refuse a stream that claims more pixels than the tile that it fills.

    Parameters
    ----------
    data : bytes
        The stream.
    compression : int
        As TIFF numbers them; others than those of image formats are bounded by their decoders.
    rows, columns, samples : int
        Of the tile.
    packing : int
        Of a LERC stream as a whole: 0 none, 1 deflate, 2 Zstandard.

    Raises
    ------
    ImageError
        If the claim is larger, or there is none that can be read.
    """
    read = _SIZES.get(compression)
    if read is None:
        return
    try:
        if packing and compression == LERC:
            data = _unpacked(data, packing, rows * columns * samples)
        claims = list(read(data))
    except (struct.error, IndexError) as error:
        raise ImageError("expected a whole header in the compressed stream, got one that is cut off") from error
    if not claims:
        raise ImageError("expected the size of the image in its compressed stream, got none")
    most = most_samples(compression, samples)
    for claim in claims:
        if claim[0] > rows or claim[1] > columns or claim[2] > most:
            raise ImageError(f"expected {rows} x {columns} pixels, got a stream of {' x '.join(map(str, claim))}")


def _unpacked(data: bytes, packing: int, n_values: int) -> bytes:
    """A LERC stream, of no more than what its values take as they are and half as much again."""
    if packing not in _PACKINGS:
        raise ImageError(f"expected LERC that is packed with deflate or Zstandard, got {packing}")
    limit = _LARGEST_VALUE * n_values * 3 // 2 + (1 << 16)
    return unpack(_PACKINGS[packing], data, limit)


def most_samples(compression: int, samples: int) -> int:
    """Samples that a decoded tile may have."""
    return max(samples, _MOST_SAMPLES) if compression in _SIZES else samples


def _frames_of_jpeg(data: bytes) -> Iterator[tuple[int, int]]:
    """Marker and place of every frame header, up to the pixels; bytes between segments are passed over, as libjpeg does."""
    place = 0
    while (place := data.find(0xFF, place)) >= 0:
        while data[place : place + 1] == b"\xff":
            place += 1
        if place >= len(data):
            return
        marker = data[place]
        place += 1
        if marker in (0x00, 0x01, 0xD8) or 0xD0 <= marker <= 0xD7:
            continue
        if marker in (0xD9, 0xDA):
            return
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            yield marker, place
        place += max(2, struct.unpack_from(">H", data, place)[0])


def _jpeg(data: bytes) -> Iterator[Size]:
    """Of every frame header; a stream without one takes its size from tables that stand apart."""
    n_found = 0
    for _, place in _frames_of_jpeg(data):
        n_found += 1
        yield struct.unpack_from(">HHB", data, place + 3)
    if not n_found:
        yield 0, 0, 0


def coefficients_of_jpeg(data: bytes) -> int:
    """Bytes of the coefficients that libjpeg holds all at once: those of a progressive picture, 0 of others."""
    found = 0
    for marker, place in _frames_of_jpeg(data):
        height, width, n_components = struct.unpack_from(">HHB", data, place + 3)
        sampling = [data[place + 9 + 3 * component] for component in range(n_components)]
        factors = [(each >> 4) * (each & 15) for each in sampling]
        largest = max((each >> 4 for each in sampling), default=1) * max((each & 15 for each in sampling), default=1)
        if marker in _PROGRESSIVE:
            found += _BYTES_PER_COEFFICIENT * height * width * sum(factors) // max(1, largest)
    return found


def _jpeg2000(data: bytes) -> Iterator[Size]:
    """Of every codestream, bare or in boxes."""
    for place in _places(data, b"\xff\x4f\xff\x51"):
        right, bottom, left, top = struct.unpack_from(">4I", data, place + 8)
        (samples,) = struct.unpack_from(">H", data, place + 40)
        yield max(0, bottom - top), max(0, right - left), samples


def _png(data: bytes) -> Iterator[Size]:
    if data[12:16] == b"IHDR":
        width, height = struct.unpack_from(">II", data, 16)
        yield height, width, {0: 1, 2: 3, 3: 3, 4: 2}.get(data[25], 4)


def _webp(data: bytes) -> Iterator[Size]:
    """The canvas and every frame."""
    place = 12
    while place + 8 <= len(data):
        name, (n_bytes,) = data[place : place + 4], struct.unpack_from("<I", data, place + 4)
        body = place + 8
        if name == b"VP8X":
            width, height = (int.from_bytes(data[body + at : body + at + 3], "little") for at in (4, 7))
            yield height + 1, width + 1, 4
        elif name == b"VP8L":
            bits = struct.unpack_from("<I", data, body + 1)[0]
            yield (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1, 4
        elif name == b"VP8 ":
            width, height = struct.unpack_from("<HH", data, body + 6)
            yield height & 0x3FFF, width & 0x3FFF, 3
        place = body + (16 if name == b"ANMF" else n_bytes + n_bytes % 2)


def _lerc(data: bytes) -> Iterator[Size]:
    """Of every band: Lerc 2, or Lerc 1."""
    for place in _places(data, b"Lerc2 "):
        (version,) = struct.unpack_from("<i", data, place + 6)
        start = place + 10 + (4 if version >= 3 else 0)
        height, width = struct.unpack_from("<ii", data, start)
        depth = struct.unpack_from("<i", data, start + 8)[0] if version >= 4 else 1
        yield height, width, max(1, depth) * data.count(b"Lerc2 ")
    for place in _places(data, b"CntZImage "):
        height, width = struct.unpack_from("<ii", data, place + 18)
        yield height, width, data.count(b"CntZImage ")


def _jpegxr(data: bytes) -> Iterator[Size]:
    """Of the container's tags, and of every codestream in it."""
    (offset,) = struct.unpack_from("<I", data, 4)
    (n_tags,) = struct.unpack_from("<H", data, offset)
    tags = {}
    for number in range(n_tags):
        code, kind, _, value = struct.unpack_from("<HHII", data, offset + 2 + 12 * number)
        tags[code] = value & 0xFFFF if kind == 3 else value
    if 0xBC80 in tags and 0xBC81 in tags:
        yield tags[0xBC81], tags[0xBC80], 1
    for place in _places(data, b"WMPHOTO\0"):
        short = data[place + 10] & 0x80
        width, height = struct.unpack_from(">HH" if short else ">II", data, place + 12)
        yield height + 1, width + 1, 1


def _jpegxl(data: bytes) -> Iterator[Size]:
    """Of a bare codestream, or of one in boxes."""
    if data[:2] == b"\xff\x0a":
        yield _size_of_codestream(data[2:])
        return
    place = 0
    while place + 8 <= len(data):
        n_bytes, name = struct.unpack_from(">I4s", data, place)
        body = place + 8
        if n_bytes == 1:
            (n_bytes,) = struct.unpack_from(">Q", data, body)
            body += 8
        start = body + 4 if name == b"jxlp" else body
        if name in (b"jxlc", b"jxlp") and data[start : start + 2] == b"\xff\x0a":
            yield _size_of_codestream(data[start + 2 :])
        if n_bytes < 8:
            return
        place += n_bytes


def _size_of_codestream(data: bytes) -> Size:
    """SizeHeader and ImageMetadata of ISO/IEC 18181-1, bit by bit from the lowest: rows, columns, and colour with extra channels."""
    bits, used = int.from_bytes(data[:256], "little"), 0

    def take(n: int) -> int:
        nonlocal used
        used += n
        if used > 8 * len(data):
            raise IndexError
        return bits >> (used - n) & ((1 << n) - 1)

    def size() -> tuple[int, int]:
        small = take(1)

        def length() -> int:
            return 8 * (take(5) + 1) if small else take((9, 13, 18, 30)[take(2)]) + 1

        height, ratio = length(), take(3)
        if ratio == 0:
            return height, length()
        numerator, denominator = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[ratio - 1]
        return height, height * numerator // denominator

    height, width = size()
    if take(1):  # all else is usual
        return height, width, 1
    if take(1):  # more fields
        take(3)  # orientation
        if take(1):
            size()  # at which it is meant to be shown
        if take(1) or take(1):
            raise ImageError("expected a picture in JPEG XL, got one with a preview, or an animation")
    if take(1):  # samples are floats
        take((0, 0, 0, 6)[take(2)])
        take(4)
    else:
        take((0, 0, 0, 6)[take(2)])
    take(1)  # modular
    selector = take(2)
    return height, width, 1 + (selector if selector < 2 else 2 + take(4) if selector == 2 else 1 + take(12))


def _places(data: bytes, mark: bytes) -> Iterator[int]:
    place = data.find(mark)
    while place >= 0:
        yield place
        place = data.find(mark, place + len(mark))


_SIZES: dict[int, Callable[[bytes], Iterator[Size]]] = {
    **dict.fromkeys((6, 7, 33007, 34892), _jpeg),
    **dict.fromkeys((33003, 33004, 33005, 34712), _jpeg2000),
    **dict.fromkeys((22610, 34934), _jpegxr),
    **dict.fromkeys((34927, 50001), _webp),
    **dict.fromkeys((50002, 52546), _jpegxl),
    LERC: _lerc,
    34933: _png,
}
"""By TIFF's number of the compression."""
