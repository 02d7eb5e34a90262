"""Plates of wells: the fields of OME-Zarr and ImageXpress plates, each an image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from ..readers import imagexpress
from ..readers.registry import is_zarr
from .small_json import read_small_json

_LARGEST_ATTRIBUTES = 1 << 24  # bytes


@dataclass(frozen=True)
class PlateField:
    """Where on a plate an image was taken.

    Attributes
    ----------
    plate : str
        Name of the plate.
    well : str
        Row and column, such as ``B03``, as the files name them.
    field : str
        Field of view within the well.
    """

    plate: str
    well: str
    field: str


def may_be_on_plate(file: Path) -> bool:
    """Whether the name of a file is that of a plate's description or of a plane of one."""
    return file.suffix.lower() == imagexpress.SUFFIX or imagexpress.field_name(file) is not None


def is_plate(path: Path, is_folder: bool | None = None) -> bool:
    """Whether a path is a plate or a well of an OME-Zarr, or an ImageXpress description of a plate.

    ``is_folder`` is whether there is a folder, where that is known.
    """
    if path.suffix.lower() == imagexpress.SUFFIX:
        return path.is_file()
    is_folder = path.is_dir() if is_folder is None else is_folder
    return is_folder and is_zarr(path) and not {"plate", "well"}.isdisjoint(read_attributes(path))


def fields_of(path: Path) -> Iterator[tuple[Path, PlateField, PurePath]]:
    """The fields of a plate: path, place, and the folder that names their results apart.

    A field that the plate names and that is not there is among them: reading it says so.
    """
    if path.suffix.lower() == imagexpress.SUFFIX:
        for plane in imagexpress.fields(path):
            yield plane, _place_of_plane(plane), PurePath()
        return
    attributes = read_attributes(path)
    plate = attributes.get("plate")
    if not isinstance(plate, Mapping):
        top, inside = _plate_above(path), path.parts[-2:]
        yield from _fields_of_well(path, (top or path).name, "/".join(inside), attributes.get("well"))
        return
    for well in _listed(plate, "wells"):
        folder = path / well
        yield from _fields_of_well(folder, path.name, well, read_attributes(folder).get("well"))


def place_of(path: Path, is_folder: bool | None = None) -> PlateField | None:
    """Where on a plate an image lies that is given by itself; None where it lies on none.

    ``is_folder`` is whether there is a folder, where that is known.
    """
    if imagexpress.is_field(path):
        return _place_of_plane(path)
    is_folder = path.is_dir() if is_folder is None else is_folder
    top = _plate_above(path.parent) if is_folder else None
    return None if top is None else PlateField(_name(top.name), _well_name("/".join(path.parts[-3:-1])), path.name)


def _place_of_plane(plane: Path) -> PlateField:
    name = imagexpress.field_name(plane)
    assert name is not None  # a field's name is one
    return PlateField(name.plate, name.well, name.site)


def _fields_of_well(
    folder: Path, plate: str, well: str, described: object
) -> Iterator[tuple[Path, PlateField, PurePath]]:
    for field in _listed(described, "images") or (["0"] if not isinstance(described, Mapping) else []):
        yield (
            folder / field,
            PlateField(_name(plate), _well_name(well), field),
            PurePath(_name(plate), *well.split("/")),
        )


def _plate_above(well: Path) -> Path | None:
    """The plate of the folder of a well: two folders up."""
    top = well.absolute().parent.parent
    return top if is_zarr(top) and isinstance(read_attributes(top).get("plate"), Mapping) else None


def _listed(described: object, what: str) -> list[str]:
    """Paths of wells or fields, of which each must lie inside."""
    entries = described.get(what) if isinstance(described, Mapping) else None
    paths = [str(entry.get("path", "")) for entry in entries or () if isinstance(entry, Mapping)]
    return [path for path in paths if path and _lies_inside(path)]


def _lies_inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return not PurePosixPath(path).is_absolute() and ".." not in parts and "\\" not in path and ":" not in path


def _name(folder: str) -> str:
    return folder.removesuffix(".zarr").removesuffix(".ome") or folder


def _well_name(path: str) -> str:
    return path.replace("/", "")


def read_attributes(folder: Path) -> Mapping[str, Any]:
    """Attributes of a zarr group as OME names them; none where there are none."""
    for name in ("zarr.json", ".zattrs"):
        try:
            attributes = read_small_json(folder / name, _LARGEST_ATTRIBUTES)
            attributes = attributes["attributes"] if name == "zarr.json" else attributes
            found = attributes.get("ome", attributes)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
        if isinstance(found, Mapping):
            return found
    return {}
