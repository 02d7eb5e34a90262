"""The tile lattice: where the network reads, and which part of what it read counts. Integers only.

The lattice is a function of the image's shape, the model's stride and halos and the tile size, of
nothing else. Halos are read twice, so the windows are as large as is allowed, and no larger than is
needed. The image is extended at its far ends by reflection to a multiple of the stride; at its near
ends nothing is added, so the network meets the image's border alike in one tile and in many. All
read windows have the same shape, so a network is compiled for one.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import overload

from .errors import ConfigError


@dataclass(frozen=True, order=True)
class Box:
    """Half-open rectangle ``[y0, y1) x [x0, x1)`` in full-resolution pixels.

    Parameters
    ----------
    y0, x0, y1, x1 : int
    """

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
    """One network window.

    Parameters
    ----------
    index : int
        Place in the plan.
    read : Box
        What the network sees. It may reach past the image's far ends, which are filled by reflection.
    core : Box
        What the tile answers for; cores partition the image.
    """

    index: int
    read: Box
    core: Box


@dataclass(frozen=True)
class Lattice(Sequence[Tile]):
    """Tiles of rows and columns, or some of them; each is made when it is asked for, so a million take no memory.

    Parameters
    ----------
    window : (int, int)
        Height and width of every window.
    rows, columns : tuple of (int, int, int)
        Start of the windows, start and stop of the cores.
    places : sequence of int
        The tiles meant, numbered row by row.
    """

    window: tuple[int, int]
    rows: tuple[tuple[int, int, int], ...]
    columns: tuple[tuple[int, int, int], ...]
    places: Sequence[int]

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, index: int) -> Tile: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Tile, ...]: ...
    def __getitem__(self, index: int | slice) -> Tile | tuple[Tile, ...]:
        if isinstance(index, slice):
            return tuple(self._tile(place) for place in self.places[index])
        return self._tile(self.places[index])

    def __iter__(self) -> Iterator[Tile]:
        return map(self._tile, self.places)

    def _tile(self, place: int) -> Tile:
        row, column = divmod(place, len(self.columns))
        (y, cy0, cy1), (x, cx0, cx1) = self.rows[row], self.columns[column]
        return Tile(place, Box(y, x, y + self.window[0], x + self.window[1]), Box(cy0, cx0, cy1, cx1))


def some_of(tiles: Sequence[Tile], wanted: Callable[[Tile], bool]) -> Sequence[Tile]:
    """The tiles of which ``wanted`` is true, in order; it is asked once for each."""
    if not isinstance(tiles, Lattice):
        return tuple(tile for tile in tiles if wanted(tile))
    return replace(tiles, places=array("Q", (tile.index for tile in tiles if wanted(tile))))


@dataclass(frozen=True)
class TilePlan:
    """A lattice of tiles over an image.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the image.
    window : (int, int)
        Height and width of every window.
    tiles : sequence of Tile
        Row by row.
    halo : (int, int)
        What a core needs beyond its ends, along y and x; the wider side.
    """

    shape: tuple[int, int]
    window: tuple[int, int]
    tiles: Sequence[Tile]
    halo: tuple[int, int] = (0, 0)

    def __repr__(self) -> str:
        (height, width), window = self.shape, self.window
        return f"TilePlan({len(self)} tiles of {window[0]} x {window[1]} px over {height} x {width} px)"

    @property
    def excess(self) -> float:
        """Pixels that are read, beyond those of the image, per pixel of the image: the share computed twice."""
        height, width = self.shape
        return len(self) * self.window[0] * self.window[1] / (height * width) - 1

    def __len__(self) -> int:
        return len(self.tiles)

    def __iter__(self) -> Iterator[Tile]:
        return iter(self.tiles)


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


@dataclass(frozen=True)
class _Axis:
    """What is to be covered along one axis; all lengths are multiples of ``stride``."""

    length: int
    stride: int
    before: int
    after: int

    @classmethod
    def of(cls, length: int, stride: int, halo: tuple[int, int]) -> _Axis:
        return cls(_round_up(length, stride), stride, *(_round_up(side, stride) for side in halo))

    @property
    def halos(self) -> int:
        """Both together."""
        return self.before + self.after

    def window(self, n: int) -> int:
        """Length of the windows with which n tiles cover the axis."""
        if n == 1:
            return self.length
        return min(self.length, _round_up(-(-(self.length - self.halos) // n), self.stride) + self.halos)

    def fewest(self, longest: int) -> int:
        """The smallest number of tiles with windows of at most the ``longest`` length, or of the least one possible."""
        if self.length <= longest:
            return 1
        step = max(self.stride, (longest - self.halos) // self.stride * self.stride)
        return max(1, -(-(self.length - self.halos) // step))

    def tiles(self, window: int, end: int) -> list[tuple[int, int, int]]:
        """(read start, core start, core stop) of each tile; the cores cover ``[0, end)``."""
        if window == self.length:
            return [(0, 0, end)]
        step = window - self.halos
        starts = [*range(0, self.length - window, step), self.length - window]
        # a core ends a halo before its window does, except where the window ends at the image's border
        stops = [start + window - self.after for start in starts[:-1]] + [end]
        cores = zip([0, *stops[:-1]], stops, strict=True)
        return [(start, *core) for start, core in zip(starts, cores, strict=True)]


def _windows(rows: _Axis, columns: _Axis, most: int) -> tuple[int, int]:
    """Height and width of the windows of at most ``most`` pixels with which the least is read altogether."""
    best: tuple[int, ...] = ()
    for n_rows in range(rows.fewest(most), rows.fewest(0) + 1):
        height = rows.window(n_rows)
        n_columns = columns.fewest(most // height)
        width = columns.window(n_columns)
        too_large = max(0, height * width - most)  # not to be had smaller, perhaps
        cost = (too_large, n_rows * n_columns * height * width, abs(height - width), height, width)
        best = min(best or cost, cost)
    return best[-2], best[-1]


def plan_tiles(
    shape: tuple[int, int],
    *,
    stride: tuple[int, int],
    halo: tuple[int | tuple[int, int], int | tuple[int, int]],
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
    halo : (int, int) or ((int, int), (int, int))
        Pixels before and after a core that its outputs depend on, per axis, or one number for both sides; rounded up to the
        stride.
    tile_size : int or (int, int)
        A read window has at most this many pixels squared (or the product), but at least two halos and a stride a side.
        Among those, the windows are chosen with which the fewest pixels are read altogether.

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
    halos = [(sides, sides) if isinstance(sides, int) else sides for sides in halo]
    if min(*shape, *stride, *sizes) < 1 or min(min(sides) for sides in halos) < 0:
        raise ConfigError(
            f"tiling: expected positive lengths, got shape {shape}, stride {stride}, halo {halo}, tile size {sizes}"
        )
    vertical, horizontal = (_Axis.of(*along) for along in zip(shape, stride, halos, strict=True))
    height, width = _windows(vertical, horizontal, sizes[0] * sizes[1])
    rows, columns = vertical.tiles(height, shape[0]), horizontal.tiles(width, shape[1])
    tiles = Lattice((height, width), tuple(rows), tuple(columns), range(len(rows) * len(columns)))
    return TilePlan((shape[0], shape[1]), (height, width), tiles, (max(halos[0]), max(halos[1])))


def area(box: Box) -> int:
    """Number of pixels in a box."""
    height, width = box.shape
    return height * width


def cut(shape: tuple[int, int], size: int) -> Iterator[Box]:
    """Cut an area of ``shape`` into squares of ``size`` pixels, row by row; those at the far ends are smaller."""
    if size < 1:
        raise ConfigError(f"tiling: expected a positive size, got {size}")
    for y in range(0, shape[0], size):
        for x in range(0, shape[1], size):
            yield Box(y, x, min(y + size, shape[0]), min(x + size, shape[1]))


def cut_along(
    shape: tuple[int, int], block: tuple[int, int], most: int, *, origin: tuple[int, int] = (0, 0)
) -> Iterator[Box]:
    """Cut an area into boxes along the borders of the blocks in which it is stored, row by row.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the area.
    block : (int, int)
        Height and width of a block.
    most : int
        Pixels in the largest box. Boxes hold whole blocks, as many as fit; a block that does not fit is cut up itself,
        before the next one begins.
    origin : (int, int)
        Where the area lies in what the blocks make up.

    Raises
    ------
    ConfigError
        If a size is not positive.
    """
    if min(*shape, *block, most) < 1:
        raise ConfigError(
            f"tiling: expected positive sizes, got shape {shape}, block {block} and at most {most} pixels"
        )
    (height, width), (rows, columns) = shape, block
    wide = max(1, most // (rows * columns)) * columns
    if wide < width:
        across, high = list(_between_borders(width, columns, wide, origin[1])), rows
    else:
        across, high = [(0, width)], max(1, most // (width * rows)) * rows
    for y0, y1 in _between_borders(height, rows, high, origin[0]):
        for x0, x1 in across:
            if (y1 - y0) * (x1 - x0) <= most:
                yield Box(y0, x0, y1, x1)
                continue
            for part in cut_along((y1 - y0, x1 - x0), (1, 1), most):
                yield Box(y0 + part.y0, x0 + part.x0, y0 + part.y1, x0 + part.x1)


def _between_borders(length: int, block: int, step: int, origin: int) -> Iterator[tuple[int, int]]:
    """Stretches of ``step`` pixels, a multiple of ``block``, that begin at borders of blocks."""
    for start in range(-(origin % block), length, step):
        yield max(start, 0), min(start + step, length)


def core_on_grid(tile: Tile, grid: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Grid points of a tile's core: as slices of the tile's window, and of the whole image's grid."""
    core, read = tile.core, tile.read
    place = tuple(
        slice(-(-start // step), -(-stop // step))
        for start, stop, step in zip((core.y0, core.x0), (core.y1, core.x1), grid, strict=True)
    )
    inside = tuple(
        slice(there.start - origin // step, there.stop - origin // step)
        for there, origin, step in zip(place, (read.y0, read.x0), grid, strict=True)
    )
    return (inside[0], inside[1]), (place[0], place[1])
