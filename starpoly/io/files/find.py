"""Find images among files, folders and glob patterns."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

from ..readers.imagexpress import SUFFIX, description_of
from ..readers.registry import TITLES, has_image_suffix, is_zarr
from .ignored import Ignored, group_ignored
from .naming import foreign_overlays, holds_labels, is_hidden, is_ours, is_overlay, is_result, may_be_image
from .plates import PlateField, fields_of, is_plate, may_be_on_plate, place_of
from .resolved import resolved
from .url import UrlPath, as_path, is_url

_WILDCARD = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class FoundImage:
    """One image file. ``subfolder`` is its folder relative to the input, ``place`` where on a plate it was taken."""

    path: Path
    subfolder: PurePath = field(default_factory=PurePath)
    place: PlateField | None = None


@dataclass(frozen=True)
class FoundImages:
    """Result of :func:`find_images`.

    Attributes
    ----------
    images : tuple of FoundImage
    problems : tuple of (str, str)
        Inputs without images, with messages.
    passed_over : tuple of Path
        Named files that look like results.
    empty : tuple of str
        Inputs among ``problems`` that are folders without images.
    ignored : tuple of Ignored
        Other files in folders or pattern matches, except hidden files and starpoly's results.
    """

    images: tuple[FoundImage, ...]
    problems: tuple[tuple[str, str], ...] = ()
    passed_over: tuple[Path, ...] = ()
    empty: tuple[str, ...] = ()
    ignored: tuple[Ignored, ...] = ()


def find_images(
    inputs: Iterable[str | Path], *, recursive: bool = False, exclude: Iterable[str | Path] = ()
) -> FoundImages:
    """Find the images among files, folders and glob patterns.

    In folders and pattern matches, files with a reader's suffix (case-insensitive) and zarr folders count. Hidden files
    and label, mask and overlay images (``*_label.*``, ``*_masks.*``, ``*_overlay.*`` ...) are skipped. A named file is
    taken literally. Among several inputs, named label, mask and overlay images are skipped, too: a shell that expands
    ``folder/*`` names the results of an earlier run. A broken link counts as a file. A plate, an OME-Zarr or a file ``.HTD``
    of ImageXpress, counts as its fields.

    Parameters
    ----------
    inputs : iterable of str or Path
        Files, folders, URLs of zarrs and patterns (``*``, ``?``, ``[...]``, ``**``). Brackets that match nothing as a set of characters
        are taken literally.
    recursive : bool
        Search sub-folders, too. Links to folders are not followed.
    exclude : iterable of str or Path
        Folders to skip, such as the output folder.

    Returns
    -------
    FoundImages
        In the order of inputs, then by name; every file once.
    """
    named = [str(as_path(given)) if is_url(given) else str(given) for given in inputs]
    search = _Search(recursive, frozenset(resolved(Path(folder)) for folder in exclude))
    images: dict[tuple[str, str], FoundImage] = {}
    problems: list[tuple[str, str]] = []
    passed_over: list[Path] = []
    empty: list[str] = []
    for given in named:
        path, is_file = as_path(given), os.path.isfile(given)
        if is_file and len(named) > 1 and is_result(path):
            passed_over.append(path)
            continue
        found = _Found([FoundImage(path)]) if is_file else search.find(path, given)
        if not found.images and not found.problems:
            empty.append(given)
            found.problems.append(search.no_images(path, found))
        for image in (one for each in found.images for one in search.fields_of(each, found)):
            folder, name = os.path.split(image.path)
            images.setdefault((search.resolve(folder), name), image)
        problems += [(given, message) for message in found.problems]
    ignored = group_ignored(search.ignored)
    alone = [image for image in images.values() if not search.is_part_of_field(image)]
    return FoundImages(tuple(alone), tuple(problems), tuple(passed_over), tuple(empty), ignored)


@dataclass
class _Found:
    """Images and problems of one input; ``zarrs`` are those images that are folders."""

    images: list[FoundImage] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    zarrs: set[Path] = field(default_factory=set)
    n_files: int = 0
    has_subfolders: bool = False


class _Search:
    """Searches inputs. Each folder is resolved once."""

    def __init__(self, recursive: bool, excluded: frozenset[Path]) -> None:
        self._recursive, self._excluded = recursive, frozenset(map(str, excluded))
        self._resolved: dict[str, str] = {}
        self._ignored: dict[Path, None] = {}
        self._plates: set[Path] = set()
        self._first_planes: dict[Path, set[Path]] = {}

    @property
    def ignored(self) -> Iterable[Path]:
        """Ignored files, each once."""
        return self._ignored

    def resolve(self, folder: str | Path) -> str:
        """Resolve the links of a folder's path."""
        name = str(folder)
        if name not in self._resolved:
            self._resolved[name] = str(resolved(Path(name)))
        return self._resolved[name]

    def fields_of(self, image: FoundImage, found: _Found) -> Iterator[FoundImage]:
        """The fields of a plate; any other image as it is, with its place where it lies on a plate."""
        is_folder, problems = bool(found.zarrs) and image.path in found.zarrs, found.problems
        if not is_folder and not may_be_on_plate(image.path):
            yield image
            return
        if not is_plate(image.path, is_folder):
            place = place_of(image.path, is_folder)
            yield image if place is None else replace(image, place=place)
            return
        self._plates.add(resolved(image.path))
        n_fields = 0
        for path, place, folder in fields_of(image.path):
            n_fields += 1
            yield FoundImage(path, image.subfolder / folder, place)
        if n_fields == 0:
            problems.append(f"{image.path}: expected a plate with fields, got none; copy it again")

    def is_part_of_field(self, image: FoundImage) -> bool:
        """Whether an image is a plane of a field of an ImageXpress plate that is among the images as a whole."""
        if not self._plates:
            return False
        description = description_of(image.path)
        return description is not None and resolved(description) in self._plates and not self._stands_for_field(image)

    def _stands_for_field(self, image: FoundImage) -> bool:
        description = description_of(image.path)
        if description is None:
            return False
        if description not in self._first_planes:
            self._first_planes[description] = {resolved(path) for path, _, _ in fields_of(description)}
        return resolved(image.path) in self._first_planes[description]

    def find(self, path: Path, given: str) -> _Found:
        """Images under one input that is no file, and its problems."""
        if isinstance(path, UrlPath):
            return _Found([FoundImage(path)], zarrs={path})
        if os.path.isdir(given):
            return _Found([FoundImage(path)], zarrs={path}) if is_zarr(path) else self._find_in_folder(path)
        if os.path.exists(given):
            return _Found(problems=[f"{given}: expected a file, folder or pattern, got neither file nor folder"])
        if _WILDCARD.search(given):
            return self._find_matches(given)
        return _Found(problems=[f"{given}: expected a file, folder or pattern, got nothing there; check the path"])

    def no_images(self, folder: Path, found: _Found) -> str:
        """Message for a folder without images."""
        advice = (
            "; use --recursive to look into its sub-folders" if found.has_subfolders and not self._recursive else ""
        )
        return f"{folder}: expected images ({TITLES}), got none among {found.n_files} file{'s' * (found.n_files != 1)}{advice}"

    def _find_in_folder(self, folder: Path) -> _Found:
        found = _Found()
        entries = sorted(self._walk(folder, (), found))
        within = {parts: PurePath(*parts) for parts in {parts[:-1] for parts, _ in entries}}
        folders = {parts: folder / inside for parts, inside in within.items()}
        paths = [folders[parts[:-1]] / parts[-1] for parts, _ in entries]
        found.zarrs = {path for path, (_, is_folder) in zip(paths, entries, strict=True) if is_folder}
        # the folder of a file as its path has it: empty in the current folder
        subfolders = {os.path.dirname(folders[parts] / "file"): inside for parts, inside in within.items()}
        found.images = [
            FoundImage(path, subfolders[os.path.dirname(path)]) for path in self._images_among(paths, found.zarrs)
        ]
        return found

    def _walk(self, folder: Path, parts: tuple[str, ...], found: _Found) -> Iterator[tuple[tuple[str, ...], bool]]:
        """Files and zarr folders under a folder: the parts of their paths, and whether it is a folder."""
        try:
            with os.scandir(folder) as listing:
                entries = list(listing)
        except OSError as error:
            found.problems.append(f"{folder}: expected a folder that can be listed, got: {error.strerror or error}")
            return
        for entry in entries:
            inside = (*parts, entry.name)
            is_file = _leads_nowhere(entry) or entry.is_file()
            if is_file or (entry.is_dir() and (has_image_suffix(Path(entry.name)) or is_zarr(Path(entry.path)))):
                found.n_files += 1
                yield inside, not is_file
            elif self._may_enter(entry, folder):
                found.has_subfolders = True
                if self._recursive:
                    yield from self._walk(folder / entry.name, inside, found)

    def _may_enter(self, entry: os.DirEntry[str], folder: Path) -> bool:
        if entry.name.startswith(".") or not entry.is_dir(follow_symlinks=False):
            return False
        if entry.name.lower().endswith(".oif.files"):  # the planes of an OIF
            return False
        return not self._excluded or os.path.join(self.resolve(folder), entry.name) not in self._excluded

    def _find_matches(self, pattern: str) -> _Found:
        base, rest = _split_pattern(pattern)
        # brackets are those of a name where they are no set of characters that matches
        matches = _matches(base, rest) or _matches(base, rest.replace("[", "[[]"))
        folders = {path for path in matches if path.is_dir()}
        zarrs = {path for path in folders if is_zarr(path)}
        below = {folder for folder in self._excluded if Path(self.resolve(base)) in Path(folder).parents}
        left_out: dict[Path, bool] = {base: False}

        def is_left_out(folder: Path) -> bool:
            """Whether a folder between the base and a match is a matching zarr or excluded."""
            if folder not in left_out:
                here = folder in zarrs or (bool(below) and self.resolve(folder) in below)
                left_out[folder] = here or (folder != folder.parent and is_left_out(folder.parent))
            return left_out[folder]

        no_images = folders - zarrs
        files = [path for path in sorted(matches) if path not in no_images and not is_left_out(path.parent)]
        paths = self._images_among(files, zarrs)
        if not paths:
            got = f"none among {len(files)} matches" if files else "no match; check the pattern"
            return _Found(problems=[f"{pattern}: expected a pattern of image files, got {got}"])
        return _Found(
            [FoundImage(path, path.parent.relative_to(base) if self._recursive else PurePath()) for path in paths],
            zarrs=zarrs,
        )

    def _images_among(self, paths: Iterable[Path], folders: set[Path]) -> list[Path]:
        """Select the images among files and ``folders``; record other files, except hidden ones and starpoly's results."""
        images, overlays = [], []
        for path in paths:
            if is_hidden(path) or is_ours(path):
                overlays += [path] if is_overlay(path) and not is_hidden(path) else []
                continue
            is_folder = bool(folders) and path in folders  # a path is slow to hash
            if is_folder and is_zarr(path) and holds_labels(path):
                continue
            if path.suffix.lower() == SUFFIX and not is_folder:
                images.append(path)
            elif (is_folder and not is_zarr(path)) or is_result(path) or not (is_folder or may_be_image(path)):
                self._ignored[path] = None
            else:
                images.append(path)
        self._ignored |= dict.fromkeys(foreign_overlays(overlays, images))
        return images


def _matches(base: Path, rest: str) -> list[Path]:
    return [Path(match) for match in glob.glob(os.path.join(glob.escape(str(base)), rest), recursive=True)]


def _leads_nowhere(entry: os.DirEntry[str]) -> bool:
    """Whether it is a link to nothing, or to itself, of which nothing else can be asked."""
    return entry.is_symlink() and not os.path.exists(entry)


def _split_pattern(pattern: str) -> tuple[Path, str]:
    """The folder before the first wildcard, and the rest. Names of existing folders are taken literally."""
    first, *others = Path(pattern).parts
    base = Path(os.curdir)
    parts = [first, *others]
    while len(parts) > 1 and (not _WILDCARD.search(parts[0]) or (base / parts[0]).is_dir()):
        base /= parts.pop(0)
    return base, os.path.join(*parts)
