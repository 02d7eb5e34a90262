"""Which file of one folder belongs to which file of another: images and masks, predictions and truth."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ...errors import DataError

#: Endings of the files that are looked at, compared without regard to case.
EXTENSIONS = frozenset({".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp"})

_MASK_SUFFIX = re.compile(r"(?<=.)_(labels?|masks?)$", re.IGNORECASE)
_ANY_SUFFIX = re.compile(r"(?<=.)_(labels?|masks?|img|image)$", re.IGNORECASE)


@dataclass(frozen=True)
class Pairs:
    """What :func:`pair_files` found; every tuple is in the order of the keys.

    Parameters
    ----------
    pairs : tuple of (Path, Path)
        Files of the first and the second side with the same key.
    only_first, only_second : tuple of Path
        Files without a partner.
    """

    pairs: tuple[tuple[Path, Path], ...]
    only_first: tuple[Path, ...]
    only_second: tuple[Path, ...]


def key(path: str | Path) -> str:
    """The name under which a file is paired.

    The file's name without its extension (``.ome.tif`` counts as one) and without one suffix
    ``_label``, ``_labels``, ``_mask``, ``_masks``, ``_img`` or ``_image``. Accented letters are brought
    to their composed form, since some file systems store them decomposed.

    Examples
    --------
    >>> key("labels/cell_01_label.tiff"), key("cell_01.ome.tif"), key("a.b.png")
    ('cell_01', 'cell_01', 'a.b')
    """
    return unicodedata.normalize("NFC", _ANY_SUFFIX.sub("", _stem(Path(path))))


def image_files(folder: str | Path) -> list[Path]:
    """Image files directly in a folder, by name; hidden files and sub-folders are passed over.

    Raises
    ------
    DataError
        If ``folder`` is missing or cannot be listed.
    """
    folder = Path(folder)
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: expected a folder of images that can be listed, got: {error.strerror}") from error
    return [path for path in entries if path.suffix.lower() in EXTENSIONS and path.name[0] != "." and path.is_file()]


def pair_files(first: str | Path, second: str | Path) -> Pairs:
    """Pair the image files of two folders by :func:`key`.

    Two single files are paired whatever their names. If both sides are the same folder, its files with a
    mask suffix (``_label``, ``_labels``, ``_mask``, ``_masks``) make up the second side and the others the first.

    Raises
    ------
    DataError
        If a path is missing, one is a file and the other a folder, or two files of a side have the same key.
    """
    first, second = Path(first), Path(second)
    for path in (first, second):
        if not path.exists():
            raise DataError(f"{path}: expected an existing folder or file, got nothing there; check the path")
    if first.is_file() and second.is_file():
        return Pairs(((first, second),), (), ())
    if first.is_file() or second.is_file():
        raise DataError(f"expected two folders or two files, got one of each: {first} and {second}")
    return _pair(*_sides(first, second))


def _stem(path: Path) -> str:
    """Name without extension."""
    if path.suffix.lower() not in EXTENSIONS:
        return path.name
    stem = path.stem
    return stem[:-4] if path.suffix.lower() in (".tif", ".tiff") and stem.lower().endswith(".ome") else stem


def _sides(first: Path, second: Path) -> tuple[list[Path], list[Path]]:
    if not first.samefile(second):
        return image_files(first), image_files(second)
    files = image_files(first)
    masks = [path for path in files if _MASK_SUFFIX.search(_stem(path))]
    return [path for path in files if path not in set(masks)], masks


def _by_key(paths: Iterable[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in paths:
        name = key(path)
        if name in found:
            raise DataError(
                f"{path.parent}: expected one file for {name!r}, got {found[name].name} and {path.name}; "
                "rename or move one of them"
            )
        found[name] = path
    return found


def _pair(first: Iterable[Path], second: Iterable[Path]) -> Pairs:
    ours, theirs = _by_key(first), _by_key(second)
    return Pairs(
        tuple((ours[name], theirs[name]) for name in sorted(ours.keys() & theirs.keys())),
        tuple(ours[name] for name in sorted(ours.keys() - theirs.keys())),
        tuple(theirs[name] for name in sorted(theirs.keys() - ours.keys())),
    )
