"""The tile lattice: where the network reads, and which part of what it read counts. Integers only.

The lattice is a function of the image's shape, the model's stride and halo and the tile size, of
nothing else. The image is extended at its far ends by reflection to a multiple of the stride; at
its near ends nothing is added, so the network meets the image's border alike in one tile and in
many. All read windows of an axis have the same length, so a network is compiled for one shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .errors import ConfigError


@dataclass(frozen=True, order=True)
class Box:
    """Half-open rectangle ``[y0, y1) x [x0, x1)`` in full-resolution pixels."""

    y0: int
    x0: int
    y1: int
    x1: int

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.y1 - self.y0, self.x1 - self.x0

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of this box in an array with axes YX."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    def clip(self, shape: tuple[int, int]) -> Box:
        """The part of this box inside an image of ``shape``."""
        return Box(
            min(max(self.y0, 0), shape[0]),
            min(max(self.x0, 0), shape[1]),
            min(max(self.y1, 0), shape[0]),
            min(max(self.x1, 0), shape[1]),
        )


@dataclass(frozen=True)
class Tile:
    """One network window: ``read`` is what the network sees, ``core`` what it answers for.

    ``read`` may reach past the image's far ends (filled by reflection); cores partition the image.
    """

    index: int
    read: Box
    core: Box


@dataclass(frozen=True)
class TilePlan:
    """A lattice of tiles over an image of ``shape``; see :func:`plan_tiles`."""

    shape: tuple[int, int]
    window: tuple[int, int]
    tiles: tuple[Tile, ...]

    def __len__(self) -> int:
        return len(self.tiles)

    def __iter__(self) -> Iterator[Tile]:
        return iter(self.tiles)


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def _plan_axis(length: int, stride: int, halo: int, tile_size: int) -> tuple[int, list[tuple[int, int, int]]]:
    """Window length and, per tile, (read start, core start, core stop) along one axis."""
    padded = _round_up(length, stride)
    window = min(padded, max(_round_up(tile_size, stride), 2 * halo + stride))
    if window == padded:
        return window, [(0, 0, length)]
    step = window - 2 * halo
    starts = [*range(0, padded - window, step), padded - window]
    # a core ends a halo before its window does, except where the window ends at the image's border
    stops = [start + window - halo for start in starts[:-1]] + [length]
    cores = zip([0, *stops[:-1]], stops, strict=True)
    return window, [(start, *core) for start, core in zip(starts, cores, strict=True)]


def plan_tiles(
    shape: tuple[int, int],
    *,
    stride: tuple[int, int],
    halo: tuple[int, int],
    tile_size: int | tuple[int, int] = 1024,
) -> TilePlan:
    """Lay the fixed lattice of network tiles over an image.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the image in pixels.
    stride : (int, int)
        The network's total stride: grid times the product of its poolings, per axis. Windows start
        and end at multiples of it, which makes a tiled answer equal to an untiled one.
    halo : (int, int)
        Radius of the network's receptive field in pixels, per axis; rounded up to the stride.
    tile_size : int or (int, int)
        Length of a read window in pixels (rounded up; at least two halos and a stride).

    Returns
    -------
    TilePlan
        Tiles in row-major order; cores partition the image.

    Raises
    ------
    ConfigError
        If a length is not positive.
    """
    sizes = (tile_size, tile_size) if isinstance(tile_size, int) else tile_size
    if min(*shape, *stride, *sizes) < 1 or min(halo) < 0:
        raise ConfigError(f"tiling: expected positive lengths, got shape {shape}, stride {stride}, halo {halo}, tile size {sizes}")
    (height, rows), (width, columns) = (
        _plan_axis(shape[axis], stride[axis], _round_up(halo[axis], stride[axis]), sizes[axis]) for axis in (0, 1)
    )
    boxes = [
        (Box(y, x, y + height, x + width), Box(cy0, cx0, cy1, cx1))
        for y, cy0, cy1 in rows
        for x, cx0, cx1 in columns
    ]
    tiles = tuple(Tile(index, read, core) for index, (read, core) in enumerate(boxes))
    return TilePlan((shape[0], shape[1]), (height, width), tiles)


def cut(shape: tuple[int, int], size: int) -> Iterator[Box]:
    """Cut an area of ``shape`` into squares of ``size`` pixels, row by row; those at the far ends are smaller."""
    if size < 1:
        raise ConfigError(f"tiling: expected a positive size, got {size}")
    for y in range(0, shape[0], size):
        for x in range(0, shape[1], size):
            yield Box(y, x, min(y + size, shape[0]), min(x + size, shape[1]))
