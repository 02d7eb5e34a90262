"""Which image files a list of files, folders and patterns means."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from .pairing import EXTENSIONS

_RESULTS = re.compile(r".(_labels?|_masks?|_overlay)$", re.IGNORECASE)
_ZARR_MARKS = ("zarr.json", ".zarray", ".zgroup", ".zattrs")
_WILDCARD = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class FoundImage:
    """One image file; ``subfolder`` is its folder relative to the input that it was found under."""

    path: Path
    subfolder: PurePath = field(default_factory=PurePath)


@dataclass(frozen=True)
class FoundImages:
    """What :func:`find_images` found.

    ``problems`` holds (input, message) of the inputs that gave nothing, ``empty`` those of these inputs that are nothing
    but folders without images, ``passed_over`` the named files that look like results.
    """

    images: tuple[FoundImage, ...]
    problems: tuple[tuple[str, str], ...] = ()
    passed_over: tuple[Path, ...] = ()
    empty: tuple[str, ...] = ()


def find_images(
    inputs: Iterable[str | Path], *, recursive: bool = False, exclude: Iterable[str | Path] = ()
) -> FoundImages:
    """Find the image files among files, folders and glob patterns.

    In folders and among the matches of a pattern only files with an image's extension (in small or capital letters)
    count; hidden ones and label, mask and overlay images (``*_label.*``, ``*_labels.*``, ``*_mask.*``, ``*_masks.*``,
    ``*_overlay.*``) are passed over. A file that is named is taken as it is, but label, mask and overlay images among
    several inputs are passed over, too: a shell that expands ``folder/*`` names the results of an earlier run.
    A zarr that is named is one image. A link to nothing counts as the file that it should be.

    Parameters
    ----------
    inputs : iterable of str or Path
        Files, folders and patterns (``*``, ``?``, ``[...]``, ``**``).
    recursive : bool
        Look into sub-folders of folders, too. Links to folders are not followed.
    exclude : iterable of str or Path
        Folders that are not looked into: the output folder.

    Returns
    -------
    FoundImages
        In the order of the inputs, within each by name; every file once.
    """
    excluded = {Path(folder).resolve() for folder in exclude}
    images: dict[Path, FoundImage] = {}
    problems: list[tuple[str, str]] = []
    empty: list[str] = []
    named = [str(given) for given in inputs]
    passed_over = [Path(given) for given in named if len(named) > 1 and _is_result(Path(given))]
    for given in named:
        if Path(given) in passed_over:
            continue
        found, messages = _find(given, recursive, excluded)
        if not found and not messages:
            empty.append(given)
            messages = [_no_images(Path(given), recursive, excluded)]
        for image in found:
            images.setdefault(image.path.parent.resolve() / image.path.name, image)
        problems += [(given, message) for message in messages]
    return FoundImages(tuple(images.values()), tuple(problems), tuple(passed_over), tuple(empty))


def _find(given: str, recursive: bool, excluded: set[Path]) -> tuple[list[FoundImage], list[str]]:
    """Images under one input, and what is wrong with it."""
    path = Path(given)
    if path.is_file():
        return [FoundImage(path)], []
    if is_zarr(path):
        return [FoundImage(path)], []
    if path.is_dir():
        return _find_in_folder(path, recursive, excluded)
    if path.exists():
        return [], [f"{given}: expected a file, folder or pattern, got neither file nor folder"]
    if _WILDCARD.search(given):
        matches = [Path(match) for match in sorted(glob.glob(given, recursive=True))]
        base = _fixed_part(given)
        below = {folder for folder in excluded if base.resolve() in folder.parents}
        files = [match for match in matches if _is_image(match) and below.isdisjoint(match.resolve().parents)]
        if files:
            return [FoundImage(file, file.parent.relative_to(base) if recursive else PurePath()) for file in files], []
        return [], [f"{given}: expected a pattern of image files, got no match; check the pattern"]
    return [], [f"{given}: expected a file, folder or pattern, got nothing there; check the path"]


def _find_in_folder(folder: Path, recursive: bool, excluded: set[Path]) -> tuple[list[FoundImage], list[str]]:
    problems: list[str] = []
    files = sorted(_walk(folder, recursive, excluded, problems), key=lambda file: file.relative_to(folder).parts)
    return [FoundImage(file, file.parent.relative_to(folder)) for file in files if _is_image(file)], problems


def _no_images(folder: Path, recursive: bool, excluded: set[Path]) -> str:
    files = list(_walk(folder, recursive, excluded, []))
    advice = (
        "" if recursive or not any(_subfolders(folder, excluded)) else "; use --recursive to look into its sub-folders"
    )
    return f"{folder}: expected images ({', '.join(sorted(EXTENSIONS))}), got none among {len(files)} files{advice}"


def _walk(folder: Path, recursive: bool, excluded: set[Path], problems: list[str]) -> Iterator[Path]:
    """Files under a folder; a message for each folder that cannot be listed."""
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        problems.append(f"{folder}: expected a folder that can be listed, got: {error.strerror or error}")
        return
    yield from (entry for entry in entries if entry.is_file() or _leads_nowhere(entry))
    if recursive:
        for subfolder in _subfolders(folder, excluded):
            yield from _walk(subfolder, recursive, excluded, problems)


def _subfolders(folder: Path, excluded: set[Path]) -> Iterator[Path]:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink() and entry.name[0] != "." and entry.resolve() not in excluded:
            yield entry


def _is_image(path: Path) -> bool:
    if path.name.startswith(".") or path.suffix.lower() not in EXTENSIONS or _RESULTS.search(path.stem):
        return False
    return path.is_file() or _leads_nowhere(path)


def _leads_nowhere(path: Path) -> bool:
    return path.is_symlink() and not path.exists()


def is_zarr(path: Path) -> bool:
    """Whether a folder is a zarr array or group: one image."""
    return path.is_dir() and any((path / mark).is_file() for mark in _ZARR_MARKS)


def _is_result(path: Path) -> bool:
    return bool(_RESULTS.search(path.stem)) and path.is_file()


def _fixed_part(pattern: str) -> Path:
    """The folder of a pattern before its first wildcard."""
    parts = Path(pattern).parts
    first = next(index for index, part in enumerate(parts) if _WILDCARD.search(part))
    return Path(*parts[:first]) if first else Path(os.curdir)
