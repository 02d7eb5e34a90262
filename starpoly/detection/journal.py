"""Journal of finished tiles on disk; an interrupted run continues from it.

The folder holds ``run.json``, which identifies an unfinished run, and one file per finished tile. Files are written
atomically. Each tile file ends with a hash of its contents, keyed with the run's identity. Damaged files and files of
other runs count as unfinished tiles. Reading executes nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OutputError, StarpolyError, warn
from ..io.files.atomic import atomic_path, beside, make_own_folder, not_written, remove
from ..io.files.lock import locked
from ..polygons import StarPolygons
from ..tiling import Box
from .tile_result import TileResult

_RUN_FILE = "run.json"
_HASH_BYTES = 32
_NUMBERS = np.dtype("<i8")
_VALUES = np.dtype("<f4")
_HEADER = 6  # numbers: tile, candidates, kept polygons, pending polygons, height and width of the foreground
_SHORT = 80  # limit on characters of a name or of two values, and on the number of names, in a message
#: size limits in bytes: run.json, a tile file; larger files are not read
_LARGEST_RUN, _LARGEST_TILE = 1 << 20, 1 << 30


class TileJournal:
    """The tiles of one run in a folder.

    Parameters
    ----------
    folder : Path
        Created if missing.
    run : mapping of JSON types
        Everything the result depends on: model, input, settings. A journal of another run is refused.
    n_rays, n_classes : int
        Number of rays and classes of the polygons.
    max_distance : float
        Upper bound of ray distances, pixels.

    Raises
    ------
    StarpolyError
        If the folder holds the journal of another run, or cannot be written.
    """

    def __init__(
        self, folder: Path, run: Mapping[str, Any], *, n_rays: int, n_classes: int = 0, max_distance: float = np.inf
    ) -> None:
        self.folder = Path(folder)
        self._n_rays, self._max_distance = n_rays, np.float32(max_distance)
        self._n_class_columns = n_classes + 1 if n_classes else 0
        text = json.dumps(run, indent=1, sort_keys=True)
        self._key = hashlib.blake2b(text.encode(), digest_size=_HASH_BYTES).digest()
        begin_run(self.folder, text, ("tile_*", ".*.part"))

    def load(self, index: int, core: Box | None = None) -> TileResult | None:
        """The result of a tile, or None if it is not finished.

        Parameters
        ----------
        index : int
        core : Box, optional
            Core of the tile; must contain all polygon centres.
        """
        content = _read(self._path(index), _LARGEST_TILE)
        if (
            content is None
            or len(content) < _HASH_BYTES
            or self._hash(content[:-_HASH_BYTES]) != content[-_HASH_BYTES:]
        ):
            return None
        try:
            result = self._unpack(index, content[:-_HASH_BYTES])
        except ValueError:
            return None
        return (
            result
            if core is None or all(_lie_in(core, part.points) for part in (result.kept, result.pending))
            else None
        )

    def store(self, index: int, result: TileResult) -> None:
        """Write the result of a tile.

        Raises
        ------
        StarpolyError
            If it cannot be written, for example on a full disk. Finished tiles are kept.
        """
        content = self._pack(index, result)
        try:
            # no fsync: the hash reveals an incomplete file on reading
            remove_unless_file(self._path(index))
            with atomic_path(self._path(index), sync=False) as path:
                path.write_bytes(content + self._hash(content))
        except OSError as error:
            raise _not_written(self.folder, error) from error

    def remove(self) -> None:
        """Delete the journal; the run is finished."""
        delete_run(self.folder)

    def _path(self, index: int) -> Path:
        return self.folder / f"tile_{index:07d}"

    def _hash(self, content: bytes) -> bytes:
        return hashlib.blake2b(content, key=self._key, digest_size=_HASH_BYTES).digest()

    def _pack(self, index: int, result: TileResult) -> bytes:
        foreground = np.zeros((0, 0), np.bool_) if result.foreground is None else result.foreground
        header = np.array(
            [index, result.n_candidates, len(result.kept), len(result.pending), *foreground.shape], _NUMBERS
        )
        columns = [column.astype(_VALUES) for part in (result.kept, result.pending) for column in _columns(part)]
        return b"".join(
            [header.tobytes(), *(column.tobytes() for column in columns), np.packbits(foreground).tobytes()]
        )

    def _unpack(self, index: int, content: bytes) -> TileResult:
        """Parse a tile file; ValueError if this run's network cannot have produced it."""
        header = np.frombuffer(content, _NUMBERS, _HEADER)
        found, n_candidates, n_kept, n_pending, *shape = header.tolist()
        width = 2 + self._n_rays + 1 + self._n_class_columns
        n_values, n_pixels = (n_kept + n_pending) * width, math.prod(shape)
        bits_from = header.nbytes + n_values * _VALUES.itemsize
        if (
            found != index
            or min(n_kept, n_pending, n_candidates, *shape) < 0
            or len(content) != bits_from + -(-n_pixels // 8)
        ):
            raise ValueError("another tile, or polygons of another kind")
        values = np.frombuffer(content, _VALUES, n_values, offset=header.nbytes).astype(np.float32)
        if not np.isfinite(values).all():
            raise ValueError("not numbers")
        kept, pending = (self._polygons(part) for part in np.split(values, [n_kept * width]))
        bits = np.unpackbits(np.frombuffer(content, np.uint8, offset=bits_from), count=n_pixels) if n_pixels else None
        return TileResult(kept, pending, n_candidates, None if bits is None else bits.reshape(shape).astype(np.bool_))

    def _polygons(self, values: np.ndarray) -> StarPolygons:
        widths = np.array([2, self._n_rays, 1, self._n_class_columns])
        n = len(values) // widths.sum()
        points, distances, probabilities, classes = np.split(values, np.cumsum(n * widths[:-1]))
        if min(part.min(initial=0) for part in (points, distances, probabilities)) < 0:
            raise ValueError("negative")
        if distances.max(initial=0) > self._max_distance:
            raise ValueError("too large")
        return StarPolygons(
            points.reshape(n, 2),
            distances.reshape(n, self._n_rays),
            probabilities,
            classes.reshape(n, self._n_class_columns) if self._n_class_columns else None,
        )


def begin_run(folder: Path, text: str, left_over: tuple[str, ...]) -> None:
    """Continue the run in the folder if it is the same; else start anew.

    Parameters
    ----------
    folder : Path
        Created if missing.
    text : str
        The run's identity, as JSON.
    left_over : tuple of str
        Patterns of files without a run, to be deleted.

    Raises
    ------
    StarpolyError
        If the folder holds another run, is a link, or cannot be written.
    """
    try:
        make_own_folder(folder)
        _begin(folder, text, left_over)
    except OSError as error:
        raise _not_written(folder, error) from error


def _begin(folder: Path, text: str, left_over: tuple[str, ...]) -> None:
    found = _read(folder / _RUN_FILE, _LARGEST_RUN)
    if found is None:  # without run.json, files are left over from a finished run
        for left in (path for pattern in left_over for path in folder.glob(pattern)):
            remove(left)
    elif found == text.encode():
        return
    else:
        changed = _differences(_parse(found), json.loads(text))
        if changed:
            raise StarpolyError(
                f"{folder}: holds the unfinished run of another {', '.join(changed[:_SHORT])}; "
                "repeat that run's command to finish it, or delete the folder to start anew"
            )
    remove_unless_file(folder / _RUN_FILE)
    with atomic_path(folder / _RUN_FILE) as path:
        path.write_text(text, encoding="utf-8", newline="\n")


def remove_unless_file(path: Path) -> None:
    """Make room for a file of a run; a link is removed, what it leads to stays."""
    if path.is_symlink() or not path.is_file():
        remove(path)


@contextmanager
def open_journal(folder: Path, run: Mapping[str, Any], **kind: Any) -> Iterator[TileJournal]:
    """A :class:`TileJournal` locked against other processes. Arguments as there.

    Raises
    ------
    StarpolyError
        If another process holds the lock, and as for :class:`TileJournal`.
    """
    folder = Path(folder)
    with locked_run(folder):
        yield TileJournal(folder, run, **kind)


@contextmanager
def locked_run(folder: Path) -> Iterator[None]:
    """Keep other processes from a run.

    Raises
    ------
    StarpolyError
        If another process works on it, or the lock cannot be written.
    """
    with ExitStack() as stack:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(beside(folder, "lock")))
        except BlockingIOError as error:
            message = (
                f"{folder}: expected a run that was stopped, got one that another process works on; wait until it ends"
            )
            raise StarpolyError(message) from error
        except OSError as error:
            raise _not_written(folder, error) from error
        yield


def is_unfinished(folder: Path) -> bool:
    """Whether the folder holds the journal of an unfinished run. A link to a folder does not."""
    try:
        return (folder / _RUN_FILE).exists() and not folder.is_symlink()
    except OSError:  # a name that is too long for the disk
        return False


def held_journal(journal: Path) -> Path:
    """Folder for the state of an image held in memory, whose tiles differ from those of a streamed one."""
    return journal.with_name(f"{journal.name.removesuffix('.progress')}.held")


def stack_journal(journal: Path) -> Path:
    """Folder for the finished planes of a stack."""
    return journal.with_name(f"{journal.name.removesuffix('.progress')}.planes")


def discard(folder: Path) -> None:
    """Delete the journal in a folder, if there is one."""
    if is_unfinished(folder):
        with suppress(BlockingIOError), locked(beside(folder, "lock")):  # another process works on it: it is not ours
            delete_run(folder)


def delete_run(folder: Path) -> None:
    """Delete the folder of a finished run."""
    if folder.is_symlink():  # what it leads to is not ours
        return
    try:
        (folder / _RUN_FILE).unlink(missing_ok=True)  # first, so that nobody takes the rest for a run
    except OSError as error:
        text = f"{folder}: the state of a finished run cannot be removed ({error.strerror or error}); remove it"
        warn(text)
    else:
        shutil.rmtree(folder, ignore_errors=True)


def _not_written(folder: Path, error: OSError) -> OutputError:
    if isinstance(error, FileExistsError):
        return not_written(folder, error)
    return OutputError(
        f"{folder}: cannot be written ({error.strerror or error}); "
        "make room and repeat the command, it continues from the finished tiles"
    )


def _lie_in(box: Box, points: np.ndarray) -> bool:
    return bool(((points >= (box.y0, box.x0)) & (points < (box.y1, box.x1))).all())


def _columns(polygons: StarPolygons) -> tuple[np.ndarray, ...]:
    columns = polygons.points, polygons.distances, polygons.probabilities
    return columns if polygons.class_probabilities is None else (*columns, polygons.class_probabilities)


def _read(path: Path, most: int) -> bytes | None:
    """Read a regular file of limited size; None if it is missing, too large or not a regular file."""
    try:
        # do not block on a pipe, do not follow a link
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            return file.read() if stat.S_ISREG(status.st_mode) and status.st_size <= most else None
    except OSError:
        return None


def _parse(content: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _differences(found: dict[str, Any] | None, wanted: dict[str, Any]) -> list[str]:
    """Describe the differing settings, with short values; empty if the found record is not a run."""
    if found is None:
        return []
    changed = []
    for name in sorted(found.keys() | wanted.keys()):
        old, new = found.get(name), wanted.get(name)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            changed += [f"{name} {part}" for part in _differences(old, new)]
            continue
        values = f" ({old}, now {new})"
        # the file is untrusted: escape terminal control characters
        shown = values if len(values) <= _SHORT and values.isprintable() else ""
        changed.append(ascii(name)[1:-1][:_SHORT] + shown)
    return changed
