"""OME-Zarr 0.4 and 0.5, and plain zarr arrays of version 2 and 3."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ImageError, warn
from ...tiling import Box
from ..files.url import UrlPath, as_path
from .axes import Arrangement, arrange_axes, arrange_plane, check_single_plane, guess_axes, has_channels, plane_axes
from .blocks import BlockGrid
from .channel_names import names_in_omero
from .pixel_size import MICROMETRES, PixelSize, in_micrometres, length_in_micrometres
from .plane_steps import in_seconds
from .source import FileSource, Source, check_dtype, check_level
from .stack import Stack, check_index, check_scene, reopen_plane
from .untrusted import decoding
from .zarr_chunks import ChunkDecoder, bounded, check_chunks, described, sampled_keys

_SAMPLES = 256
"""Chunks by whose versions an image at a URL is known."""

_MOST_SCENES = 4096
_MOST_LEVELS = 64
"""At a URL, where a server may have any name."""

_AXIS_NAMES = {
    "T": ("TIME", "FRAME"),
    "Z": ("DEPTH", "SLICE", "PLANE"),
    "C": ("CH", "CHANNEL", "BAND"),
    "S": ("SAMPLE", "RGB"),
}
"""Names of axes that xarray's users and others write out."""

_BLOCK_LENGTH = 512
"""Smaller chunks are read several at a time, up to about this many pixels a side: each read has its overhead."""


class _LevelSource(FileSource):
    """A level of a pyramid, or a plane of it, whose axes are arranged."""

    def __init__(self, path: Path, image: _Multiscale, arrangements: Sequence[Arrangement], level: int) -> None:
        with decoding(path, "a zarr image"):
            lengths = [arrange.lengths(array.shape) for arrange, array in zip(arrangements, image.arrays, strict=True)]
            check_level(path, level, [length[:2] for length in lengths])
            array = image.arrays[level]
            self._pixels = _grid(array, arrangements[level], path)
        super().__init__(
            path,
            self._pixels.shape,
            self._pixels.dtype,
            pixel_size=image.sizes[level],
            position=image.positions[level],
            level=level,
            levels=[length[:2] for length in lengths],
            block=self._pixels.block,
            read_warning=self._pixels.read_warning,
            channel_names=image.channel_names,
            stored_as=_storage(array, arrangements[level]),
            single_axes=image.single_axes(),
        )

    def read(self, box: Box, channels: Sequence[int]) -> NDArray:
        """See :meth:`Source.read`."""
        return self._pixels.read(box, channels)


class ZarrSource(_LevelSource):
    """A level of an OME-Zarr image, or a zarr array.

    Parameters
    ----------
    path : Path
        The folder of an image (a group with ``multiscales``) or of an array. An array's axes are taken from its
        dimension names where it has them, else from its shape as for ``.npy``.
    level : int
        Index among the datasets of the pyramid.

    Raises
    ------
    ImageError
        If it is no such folder, holds a stack along z or time, is a plate of many images, or has no such level.
    """

    def __init__(self, path: Path, level: int = 0) -> None:
        with decoding(path, "a zarr image"):
            image = _open_multiscale(path)
            check_single_plane(image.arrays[0].shape, image.axes, path)
            arrangements = [arrange_axes(array.shape, image.axes, path) for array in image.arrays]
        super().__init__(path, image, arrangements, level)


class ZarrStack(Stack):
    """The planes of an OME-Zarr image or of a zarr array; scenes are the images of a ``bioformats2raw`` layout.

    Parameters
    ----------
    path : Path
    scene : int

    Raises
    ------
    ImageError
        As for :class:`ZarrSource`.
    """

    def __init__(self, path: Path, scene: int = 0) -> None:
        self.name = str(path)
        self._path, self._scene = path.absolute(), scene
        with decoding(path, "a zarr image"):
            names = scene_names(path)
            check_scene(path, scene, names)
            self._image = _open_multiscale(path / names[scene] if names else path)
            self._planes = plane_axes(self._image.arrays[0].shape, self._image.axes, path)
        self.axes, self.lengths, self.unnamed = self._planes.names, self._planes.lengths, self._planes.unnamed
        self.has_channels = has_channels(self._image.arrays[0].shape, self._image.axes)
        self.pixel_size, (self.z_step, self.t_step) = self._image.sizes[0], self._image.steps[0]
        self.channel_names = tuple(self._image.channel_names)

    def open_plane(self, index: tuple[int, ...], level: int = 0) -> Source:
        """See :meth:`Stack.open_plane`."""
        return _ZarrPlane(self, tuple(index), level)

    def lengths_at(self, level: int) -> tuple[int, ...]:
        """See :meth:`Stack.lengths_at`."""
        return self._planes_of(self._image.arrays[self._checked(level)])

    def steps_at(self, level: int) -> tuple[float | None, float | None]:
        """See :meth:`Stack.steps_at`."""
        return self._image.steps[self._checked(level)]

    def _checked(self, level: int) -> int:
        return check_level(self.name, level, [tuple(array.shape) for array in self._image.arrays])

    def _planes_of(self, array: Any) -> tuple[int, ...]:
        return tuple(int(array.shape[axis]) for axis in self._planes.axes)

    def open_as_channels(self, level: int = 0) -> Source:
        """See :meth:`Stack.open_as_channels`."""
        return _ZarrPlane(self, None, level) if self.may_be_channels else super().open_as_channels()

    def close(self) -> None:
        """Nothing stays open."""


def title_of(path: Path) -> str:
    """OME-Zarr where a group says that it is one, else zarr."""
    return "OME-Zarr" if hasattr(_open_node(path), "group_keys") else "zarr"


def open_stack(path: Path, scene: int = 0) -> Stack:
    """Open the planes of an image."""
    return ZarrStack(path, scene)


def scene_names(path: Path) -> tuple[str, ...]:
    """Names of the images of a ``bioformats2raw`` layout, if there are several: ``"0"``, ``"1"`` ..."""
    node = _open_node(path)
    if not hasattr(node, "group_keys"):
        return ()
    ome = _ome_attributes(node)
    if "multiscales" in ome or "bioformats2raw.layout" not in ome:
        return ()
    names = _numbers_there(node) if isinstance(path, UrlPath) else filter(str.isdecimal, node.group_keys())
    found = tuple(sorted(names, key=int))
    return found if len(found) > 1 else ()


def _numbers_there(group: Any) -> Iterator[str]:
    """Names of the groups 0, 1 ... of a place that may not list them."""
    return takewhile(group.__contains__, map(str, range(_MOST_SCENES)))


class _ZarrPlane(_LevelSource):
    """A plane of a stack, or all its planes as channels."""

    def __init__(self, stack: ZarrStack, index: tuple[int, ...] | None, level: int) -> None:
        path, image = as_path(stack.name), stack._image
        self._opener = (ZarrStack, stack._path, stack._scene, index)
        with decoding(path, "a zarr image"):
            if index is not None:
                check_index(stack, index, level)
            # the other levels tell their rows and columns; they may have fewer planes
            at = [
                index if number == level or index is None else (0,) * len(index) for number in range(len(image.arrays))
            ]
            arrangements = [
                arrange_plane(array.shape, image.axes, stack._planes, own, path)
                for array, own in zip(image.arrays, at, strict=True)
            ]
        super().__init__(path, image, arrangements, level)

    def made_by(self) -> tuple[Callable[..., Source], tuple[Any, ...]]:
        """See :meth:`Source.made_by`."""
        return reopen_plane, (*self._opener, self.level, self.name)


def _open_node(path: Path) -> Any:
    import zarr

    from .zarr_store import open_store

    try:
        return zarr.open(store=open_store(path), mode="r")
    except FileNotFoundError as error:
        if not isinstance(path, UrlPath):
            raise
        raise ImageError(
            f"{path}: expected a zarr at a URL, got none there, or none that may be read; check it, and copy images of other "
            "kinds to this machine"
        ) from error


def marks_of(path: UrlPath) -> Iterator[bytes]:
    """What tells an image at a URL from another: its metadata, and the versions of some of its chunks or shards."""
    with decoding(path, "a zarr image"):
        inside = [path / name for name in scene_names(path)] or [path]
        for place in inside:
            yield repr(sorted(_open_node(place).attrs.asdict().items())).encode()
            arrays = _open_multiscale(place).arrays
            n = max(1, _SAMPLES // (len(arrays) * len(inside)))
            for array in arrays:
                yield described(array)
                yield repr(array.store_path.store.marks_of(sampled_keys(array, n))).encode()


def _open_multiscale(path: Path) -> _Multiscale:
    import zarr

    node = _open_node(path)
    if isinstance(node, zarr.Array):
        return _Multiscale([bounded(node, path)], _axes_of_array(node), [None], [None])
    return _read_multiscale(node, path)


class _Multiscale:
    """Arrays of a pyramid, the letters of their axes; the pixel size of each, and its steps along z and time."""

    def __init__(
        self,
        arrays: list[Any],
        axes: str,
        sizes: Sequence[PixelSize | None],
        positions: Sequence[tuple[float, float] | None],
        channel_names: Sequence[str] = (),
        steps: Sequence[tuple[float | None, float | None]] = ((None, None),),
    ) -> None:
        self.arrays, self.axes, self.sizes, self.positions = arrays, axes, sizes, positions
        self.channel_names, self.steps = channel_names, steps

    def single_axes(self) -> tuple[tuple[str, float | None], ...]:
        """Axes T and Z of length 1, with the step along each."""
        shape, (z_step, t_step) = self.arrays[0].shape, self.steps[0]
        steps = {"T": t_step, "Z": z_step}
        named = zip(self.axes, shape, strict=True) if len(self.axes) == len(shape) else ()
        return tuple((axis, steps[axis]) for axis, length in named if axis in steps and length == 1)


def _storage(array: Any, arrangement: Arrangement) -> str:
    rows, columns, _ = arrangement.lengths(array.chunks)
    codecs = [type(codec).__name__.removesuffix("Codec").lower() for codec in getattr(array, "compressors", ())]
    return f"chunks of {rows} x {columns} pixels, {', '.join(codecs) or 'not compressed'}"


def _grid(array: Any, arrangement: Arrangement, path: Path) -> BlockGrid:
    height, width, n_channels = arrangement.lengths(array.shape)
    y, x, samples = arrangement.lengths(array.chunks)
    block = (_several(y, height), _several(x, width))
    samples = min(samples, n_channels)
    check_chunks((height, width, n_channels), (y, x, samples), path)
    decode = ChunkDecoder(array, arrangement, block, samples)
    dtype = check_dtype(path, np.dtype(array.dtype))
    shape = (height, width, n_channels)
    packed = decode.packed if decode.is_large else None
    return BlockGrid(str(path), shape, dtype, block, samples, decode, kind="chunk", packed=packed)


def _several(chunk: int, length: int) -> int:
    """A multiple of a chunk's length near the wanted one, within the image."""
    return max(1, min(max(1, _BLOCK_LENGTH // chunk) * chunk, length))


def _axes_of_array(array: Any) -> str:
    """Letters of the axes, from dimension names (zarr 3), xarray's attribute, or the shape."""
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    if isinstance(names, (list, tuple)) and len(names) == array.ndim and all(names):
        axes = "".join(map(_letter, names))
        if "Y" in axes and "X" in axes:
            return axes
    return guess_axes(array.shape)


def _letter(name: object) -> str:
    """An axis' letter; axes of other names are unnamed."""
    text = str(name).upper()
    letter = next((letter for letter, names in _AXIS_NAMES.items() if text in names), text)
    return letter if letter in ("Y", "X", "C", "S", "Z", "T") else "Q"


def _read_multiscale(group: Any, path: Path) -> _Multiscale:
    """Arrays, axes and pixel sizes as the metadata of OME-Zarr state them; every claim is checked."""
    import zarr

    group = _image_group(group, path)
    described = _first_multiscale(group, path)
    datasets = described.get("datasets")
    if not isinstance(datasets, list) or not datasets:
        raise ImageError(f"{path}: expected datasets in the metadata of the image, got none; export it again")
    if len(datasets) > _MOST_LEVELS:
        raise ImageError(f"{path}: expected at most {_MOST_LEVELS} levels, got {len(datasets)}; export it again")
    arrays, sizes, positions = [], [], []
    axes = _axis_list(described)
    for dataset in datasets:
        inner = str(dataset.get("path", ""))
        if not inner or PurePosixPath(inner).is_absolute() or ".." in PurePosixPath(inner).parts or "\\" in inner:
            raise ImageError(f"{path}: expected datasets inside the folder, got {inner!r}; export it again")
        array = group.get(inner)
        if not isinstance(array, zarr.Array):
            raise ImageError(f"{path}: expected an array at {inner!r}, as the metadata say, got none; copy it again")
        arrays.append(bounded(array, path))
        sizes.append(_pixel_size(axes, dataset, described))
        positions.append(None if sizes[-1] is None else _position(axes, dataset, described))
    names = "".join(_letter(axis.get("name")) for axis in axes)
    return _Multiscale(
        arrays,
        names or "TCZYX",
        sizes,
        positions,
        names_in_omero(_ome_attributes(group)),
        [
            (
                length_in_micrometres(*_step(axes, "z", dataset, described)),
                in_seconds(*_step(axes, "t", dataset, described)),
            )
            for dataset in datasets
        ],
    )


def _ome_attributes(group: Any) -> Mapping[str, Any]:
    attributes = dict(group.attrs)
    ome = attributes.get("ome", attributes)  # 0.5 has a key of its own
    return ome if isinstance(ome, Mapping) else {}


def _image_group(group: Any, path: Path) -> Any:
    """The group itself, or the first image of several as bioformats2raw lays them out: groups 0, 1 ..."""
    if "multiscales" in (ome := _ome_attributes(group)) or "bioformats2raw.layout" not in ome or "0" not in group:
        return group
    if "1" in group:
        message = f"{path}: expected one image, got several; {path / '0'} is used"
        warn(message, stacklevel=7)
    return group["0"]


def _first_multiscale(group: Any, path: Path) -> dict[str, Any]:
    """The description of the image in a group's attributes."""
    ome = _ome_attributes(group)
    if "plate" in ome or "well" in ome:
        raise ImageError(f"{path}: expected one image, got a plate of images; name one of them, as in plate.zarr/A/1/0")
    described = ome.get("multiscales")
    if isinstance(described, list) and described and isinstance(described[0], dict):
        if len(described) > 1:
            message = f"{path}: expected one image, got {len(described)}; the first is used"
            warn(message, stacklevel=7)
        return described[0]
    raise ImageError(
        f"{path}: expected an OME-Zarr image or a zarr array, got a group with {_some_names(group, path)}; "
        "name the folder of the image itself"
    )


def _some_names(group: Any, path: Path) -> list[str]:
    """What is in a group; nothing where that may not be listed."""
    return [] if isinstance(path, UrlPath) else sorted(group.keys())[:5]


def _axis_list(described: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Axes as dictionaries; before 0.4 they were mere names."""
    axes = described.get("axes")
    described_axes = (
        [axis if isinstance(axis, dict) else {"name": axis} for axis in axes] if isinstance(axes, list) else []
    )
    return [{**axis, "name": str(axis.get("name", "")).lower()} for axis in described_axes]


def _scale(axes: list[dict[str, Any]], dataset: Mapping[str, Any], described: Mapping[str, Any]) -> list[Any] | None:
    """Scale of the dataset times that of the whole pyramid along every axis; None where none is stated."""
    scale: list[Any] = [1.0] * len(axes)
    found = False
    for transformations in (dataset.get("coordinateTransformations"), described.get("coordinateTransformations")):
        for entry in transformations if isinstance(transformations, list) else ():
            values = entry.get("scale") if isinstance(entry, dict) and entry.get("type") == "scale" else None
            if isinstance(values, list) and len(values) == len(axes):
                scale = [
                    size * value if isinstance(value, (int, float)) else float("nan")
                    for size, value in zip(scale, values, strict=True)
                ]
                found = True
    return scale if found else None


def _step(
    axes: list[dict[str, Any]], name: str, dataset: Mapping[str, Any], described: Mapping[str, Any]
) -> tuple[object, object]:
    """What the scale says along an axis, and the axis' unit."""
    scale, names = _scale(axes, dataset, described), [axis.get("name") for axis in axes]
    if scale is None or name not in names:
        return None, ""
    at = names.index(name)
    return scale[at], axes[at].get("unit", "")


def _pixel_size(
    axes: list[dict[str, Any]], dataset: Mapping[str, Any], described: Mapping[str, Any]
) -> PixelSize | None:
    """Scale along y and x, in the unit of these axes."""
    names, scale = [axis.get("name") for axis in axes], _scale(axes, dataset, described)
    if scale is None or "y" not in names or "x" not in names:
        return None
    at = names.index("y"), names.index("x")
    return in_micrometres(*(scale[axis] for axis in at), *(axes[axis].get("unit", "") for axis in at))


def _position(
    axes: list[dict[str, Any]], dataset: Mapping[str, Any], described: Mapping[str, Any]
) -> tuple[float, float] | None:
    """Centre of the first pixel (y, x) in micrometres, if a translation is stated.

    Transformations of the dataset come first, then those of the whole pyramid, each list in its order.
    """
    names = [axis.get("name") for axis in axes]
    at = names.index("y"), names.index("x")
    place: list[float] | None = None
    for transformations in (dataset.get("coordinateTransformations"), described.get("coordinateTransformations")):
        for entry in transformations if isinstance(transformations, list) else ():
            kind = entry.get("type") if isinstance(entry, dict) else None
            values = entry.get(kind) if kind in ("scale", "translation") else None
            if not isinstance(values, list) or len(values) != len(axes):
                continue
            y, x = (values[axis] if isinstance(values[axis], (int, float)) else math.nan for axis in at)
            if kind == "translation":
                place = [(place or [0.0, 0.0])[0] + y, (place or [0.0, 0.0])[1] + x]
            elif place is not None:
                place = [place[0] * y, place[1] * x]
    if place is None or not all(map(math.isfinite, place)):
        return None
    y, x = (
        length * MICROMETRES[str(axes[axis]["unit"]).strip().lower()] for length, axis in zip(place, at, strict=True)
    )
    return y, x


open_image = ZarrSource
