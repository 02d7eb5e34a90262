"""Names of ImageXpress plates: which file is which well, site and wavelength; light, without any library of images.

A file ``PLATE.HTD`` says what the wavelengths are. The planes lie beside it, or in folders ``TimePoint_1/ZStep_1`` there:
``PLATE_A01_s1_w1.TIF`` is well A01, site 1, wavelength 1.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...errors import ImageError
from ..text_tables import decode_text

SUFFIX = ".htd"

_NAME = re.compile(
    r"(?P<plate>.+?)_(?P<well>[A-Z]{1,2}\d{1,2})(_s(?P<site>\d{1,4}))?(_w(?P<wave>\d{1,2})(?P<id>[0-9A-F]{8}(-[0-9A-F]+)*)?)?"
    r"(?P<thumbnail>_thumb[0-9A-F-]*)?\.tiff?",
    re.IGNORECASE,
)
_FOLDERS = {"T": re.compile(r"TimePoint_(\d{1,6})", re.IGNORECASE), "Z": re.compile(r"ZStep_(\d{1,6})", re.IGNORECASE)}
_LARGEST_HTD = 1 << 22  # bytes
_MOST_WAVES = 32


@dataclass(frozen=True)
class FieldName:
    """What the name of a plane's file says."""

    plate: str
    well: str
    site: str
    wave: int
    is_thumbnail: bool = False

    @property
    def stands_for_field(self) -> bool:
        """Whether this is the first wavelength."""
        return self.wave == 1 and not self.is_thumbnail


def field_name(path: Path) -> FieldName | None:
    """Plate, well, site and wavelength of a plane; None for other names."""
    found = _NAME.fullmatch(path.name)
    if found is None:
        return None
    site, wave, is_thumbnail = found["site"] or "1", int(found["wave"] or 1), found["thumbnail"] is not None
    return FieldName(found["plate"], found["well"].upper(), site, wave, is_thumbnail)


def description_of(path: Path) -> Path | None:
    """The HTD file of the plate to which a plane belongs."""
    name = field_name(path)
    if name is None:
        return None
    folder = path.parent
    for axis in "ZT":
        if _FOLDERS[axis].fullmatch(folder.name):
            folder = folder.parent
    candidates = (folder / f"{name.plate}{suffix}" for suffix in (".HTD", ".htd", ".Htd"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def is_field(path: Path) -> bool:
    """Whether a file is the first wavelength of a field of a plate."""
    name = field_name(path)
    return name is not None and name.stands_for_field and description_of(path) is not None


def fields(description: Path) -> list[Path]:
    """The planes that stand for the fields of a plate: first time point, first slice, first wavelength; by well and site."""
    folder = description.parent
    for axis in "TZ":
        numbered = numbered_folders(folder, axis)
        folder = numbered[0] if numbered else folder
    found: dict[tuple[str, int], Path] = {}
    for path in sorted(folder.iterdir()):
        name = field_name(path)
        if name is not None and name.stands_for_field and name.plate.casefold() == description.stem.casefold():
            found.setdefault((name.well, int(name.site)), path)
    return [found[place] for place in sorted(found)]


def numbered_folders(folder: Path, axis: str) -> list[Path]:
    found = {}
    for path in folder.iterdir():
        match = _FOLDERS[axis].fullmatch(path.name)
        if match and path.is_dir():
            found[int(match[1])] = path
    # ImageXpress keeps a projection as slice 0
    numbers = sorted(number for number in found if number or len(found) == 1)
    return [found[number] for number in numbers]


def wave_planes(first: Path, n_waves: int) -> list[Path]:
    """The planes of all wavelengths of a field, from the name of the first."""
    found = _NAME.fullmatch(first.name)
    if found is None or found["wave"] is None:
        return [first]
    start = found.start("wave")
    paths = [first]
    for wave in range(2, (n_waves or _MOST_WAVES) + 1):
        plain = first.with_name(f"{first.name[:start]}{wave}{first.name[found.end('wave') :]}")
        path = plain if found["id"] is None and plain.is_file() else _listed(first.parent, first.name[:start], wave)
        if path is None:
            if n_waves:
                raise ImageError(
                    f"{first}: expected {n_waves} wavelengths, as the plate has, got none for w{wave}; copy it, too"
                )
            break
        paths.append(path)
    return paths


def _listed(folder: Path, start: str, wave: int) -> Path | None:
    """The plane of a wavelength whose name ends with a mark of its own."""
    for path in folder.iterdir():
        name = field_name(path)
        if (
            name is not None
            and name.wave == wave
            and not name.is_thumbnail
            and path.name.casefold().startswith(f"{start}{wave}".casefold())
        ):
            return path
    return None


def wave_names(description: Path) -> tuple[str, ...]:
    """Names of the wavelengths of a plate, as its HTD file states them; none where it states no number."""
    stated = dict(_settings(description))
    try:
        n_waves = int(stated.get("nwavelengths", "0"))
    except ValueError:
        return ()
    if not 0 < n_waves <= _MOST_WAVES:
        return ()
    return tuple(stated.get(f"wavename{wave}", "") for wave in range(1, n_waves + 1))


def _settings(description: Path) -> Iterator[tuple[str, str]]:
    with open(description, "rb") as file:
        text = decode_text(file.read(_LARGEST_HTD))
    for row in csv.reader(text.splitlines(), skipinitialspace=True):
        if len(row) > 1:
            yield row[0].strip().lower(), row[1].strip()
