"""Pair files of two folders by name: images and masks, predictions and truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ...errors import DataError
from ..readers.registry import is_zarr
from .ignored import Ignored, group_ignored
from .naming import holds_labels, is_hidden, is_mask, is_ours, key, may_be_image, stem


@dataclass(frozen=True)
class Pairs:
    """Result of :func:`pair_files`. Each tuple is sorted by key.

    Attributes
    ----------
    pairs : tuple of (Path, Path)
        Files of the first and the second side with the same key.
    only_first, only_second : tuple of Path
        Files without a partner.
    ignored : tuple of Ignored
        Files that are no images.
    """

    pairs: tuple[tuple[Path, Path], ...]
    only_first: tuple[Path, ...]
    only_second: tuple[Path, ...]
    ignored: tuple[Ignored, ...] = ()


@dataclass(frozen=True)
class Listing:
    """What lies directly in a folder: images, label images among them, by name; and files that are no images."""

    images: tuple[Path, ...]
    ignored: tuple[Ignored, ...] = ()


def list_folder(folder: str | Path) -> Listing:
    """List images directly in a folder, including zarr folders. Hidden files and other sub-folders are skipped.

    OME-Zarr labels beside a label image of the same name duplicate it and are skipped.

    Raises
    ------
    DataError
        If ``folder`` is missing or cannot be listed.
    """
    folder = Path(folder)
    try:
        entries = [path for path in sorted(folder.iterdir()) if not is_hidden(path)]
    except OSError as error:
        raise DataError(f"{folder}: expected a folder of images that can be listed, got: {error.strerror}") from error
    files = [path for path in entries if path.is_file()]
    images = [path for path in files if may_be_image(path)]
    masks = {key(path) for path in images if is_mask(path)}
    zarrs = [path for path in entries if path.is_dir() and is_zarr(path)]
    zarrs = [path for path in zarrs if key(path) not in masks or not holds_labels(path)]
    others = group_ignored(path for path in files if not may_be_image(path) and not is_ours(path))
    return Listing(tuple(sorted(images + zarrs)), others)


def image_files(folder: str | Path) -> list[Path]:
    """The images of :func:`list_folder`."""
    return list(list_folder(folder).images)


def pair_files(first: str | Path, second: str | Path) -> Pairs:
    """Pair the images of two folders by :func:`starpoly.io.files.naming.key`.

    Two single images are paired whatever their names. If both sides are the same folder, its files with a
    mask suffix (``_label``, ``_labels``, ``_mask``, ``_masks``, ``_cp_masks``) and its OME-Zarr labels make up the second
    side and the others the first.

    Raises
    ------
    DataError
        If a path is missing, one is an image and the other a folder, or two files of a side have the same key.
    """
    first, second = Path(first), Path(second)
    for path in (first, second):
        if not path.exists():
            raise DataError(f"{path}: expected an existing folder or file, got nothing there; check the path")
    if _is_single(first) and _is_single(second):
        return Pairs(((first, second),), (), ())
    if _is_single(first) or _is_single(second):
        file, folder = (first, second) if _is_single(first) else (second, first)
        raise DataError(f"expected two folders or two files, got the file {file} and the folder {folder}")
    return _pair(*_sides(first, second))


def _is_single(path: Path) -> bool:
    return path.is_file() or is_zarr(path)


def _sides(first: Path, second: Path) -> tuple[Listing, Listing]:
    listing = list_folder(first)
    if not first.samefile(second):
        return listing, list_folder(second)
    sides: dict[bool, list[Path]] = {False: [], True: []}
    for path in listing.images:
        sides[is_mask(path) or (path.is_dir() and holds_labels(path))].append(path)
    return Listing(tuple(sides[False]), listing.ignored), Listing(tuple(sides[True]))


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


def _take_short_names(ours: dict[str, Path], theirs: Mapping[str, Path]) -> None:
    """Key results that kept the image's suffix, such as ``a.png_label.tiff``, without it where only so they have a partner."""
    longer: dict[str, list[str]] = {}
    for name in ours.keys() - theirs.keys():
        longer.setdefault(stem(Path(name)), []).append(name)
    for short, names in longer.items():
        if len(names) == 1 and short in theirs and short not in ours:
            ours[short] = ours.pop(names[0])


def _take_challenge_names(ours: dict[str, Path], theirs: Mapping[str, Path]) -> None:
    """Key results that are named by the challenge's rule like the one file whose name goes on after their dot."""
    longer: dict[str, list[str]] = {}
    for name in theirs.keys() - ours.keys():
        longer.setdefault(name.partition(".")[0], []).append(name)
    for short in ours.keys() - theirs.keys():
        if is_mask(ours[short]) and len(names := longer.get(short, [])) == 1:
            ours[names[0]] = ours.pop(short)


def _pair(first: Listing, second: Listing) -> Pairs:
    ours, theirs = _by_key(first.images), _by_key(second.images)
    for mine, other in ((ours, theirs), (theirs, ours)):
        _take_short_names(mine, other)
        _take_challenge_names(mine, other)
    return Pairs(
        tuple((ours[name], theirs[name]) for name in sorted(ours.keys() & theirs.keys())),
        tuple(ours[name] for name in sorted(ours.keys() - theirs.keys())),
        tuple(theirs[name] for name in sorted(theirs.keys() - ours.keys())),
        first.ignored + second.ignored,
    )
