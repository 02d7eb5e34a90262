"""Report entries: one image with its result files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..io.files.naming import key
from ..io.files.naming import stem as stem_of
from ..io.files.pairing import image_files
from ..io.readers.registry import is_zarr
from ..tiling import Box

_LABELS = "_label.tiff"
_LARGEST_RECORD = 1 << 22  # bytes; a typical provenance file has a few thousand


@dataclass(frozen=True)
class Entry:
    """One image of a batch. Missing parts are None.

    ``name`` is the displayed name. ``scene``, ``level`` and ``roi`` locate the labels in a file. ``problem`` explains missing
    labels. ``model`` and ``threshold`` produced the objects.
    """

    name: str
    labels: Path | None = None
    image: Path | None = None
    overlay: Path | None = None
    table: Path | None = None
    problem: str = ""
    warnings: tuple[str, ...] = ()
    level: int = 0
    roi: Box | None = None
    model: str | None = None
    threshold: float | None = None
    seconds: float | None = None
    scene: int = 0


def find_entries(output: Path, images: Path | None = None) -> list[Entry]:
    """Find the results of ``starpoly predict`` in a folder and its sub-folders.

    Parameters
    ----------
    output : Path
        Folder with ``NAME_label.tiff``. ``NAME_table.csv``, ``NAME_overlay.png`` and ``NAME_provenance.json`` are
        optional.
    images : Path, optional
        Folder of the images, with the same sub-folders. Default: the paths in the provenance files.

    Returns
    -------
    list of Entry
        Sorted by name. Without an image, the thumbnail shows the overlay or the labels alone.

    Raises
    ------
    DataError
        If the folder cannot be listed or has no label images.
    """
    if not output.is_dir():
        raise DataError(f"{output}: expected a folder of results, got none; name the one that was given to predict -o")
    listed: dict[Path, _ImagesByName] = {}
    entries = [_entry(path, output, images, listed) for path in sorted(_label_files(output))]
    if not entries:
        raise DataError(f"{output}: expected label images (*{_LABELS}), got none; run `starpoly predict` first")
    return entries


def entry_of_row(
    row: Mapping[str, Any], output: Path, *, level: int = 0, roi: Box | None = None, threshold: float | None = None
) -> Entry:
    """Convert a row of the ``starpoly predict`` summary to an entry.

    Parameters
    ----------
    row : mapping
        Row of an image, or of an input without images.
    output : Path
        Folder of the results.
    level, roi, threshold
        See :class:`Entry`.
    """
    labels, overlay, table = (Path(row[name]) if name in row else None for name in ("labels", "overlay", "table"))
    name = row["input"] if labels is None else str(labels.relative_to(output)).removesuffix(_LABELS)
    return Entry(
        name,
        labels,
        Path(row["input"]),
        overlay,
        table,
        model=row.get("model"),
        problem=row.get("error", ""),
        warnings=tuple(row.get("warnings", ())),
        level=level,
        roi=roi,
        threshold=threshold,
        seconds=row.get("seconds"),
        scene=row.get("scene", 0),
    )


def _label_files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink() and path.name[0] != ".":
            yield from _label_files(path)
        elif path.name.endswith(_LABELS) and path.name[0] != "." and path.is_file():
            yield path


def _entry(labels: Path, output: Path, images: Path | None, listed: dict[Path, _ImagesByName]) -> Entry:
    stem = labels.name.removesuffix(_LABELS)

    def beside(ending: str) -> Path | None:
        path = labels.with_name(f"{stem}{ending}")
        return path if os.path.isfile(path) else None  # which no name is too long for

    provenance = beside("_provenance.json")
    record = _read_record(provenance)
    doubts = (
        (f"{provenance.name}: expected what predict writes, got something else",) if provenance and not record else ()
    )
    subfolder = labels.parent.relative_to(output)
    image = record.get("image")
    if images is not None:
        folder = images / subfolder
        if folder not in listed:  # list each folder once
            listed[folder] = _ImagesByName(image_files(folder) if folder.is_dir() else [])
        image = listed[folder].find(stem)
    return Entry(
        str(subfolder / stem), labels, image, beside("_overlay.png"), beside("_table.csv"),
        **{name: value for name, value in record.items() if name != "image"}, warnings=doubts,
    )  # fmt: skip


class _ImagesByName:
    """The images of a folder by the names that `starpoly predict` gives their results, the challenge's last."""

    def __init__(self, files: list[Path]) -> None:
        self._by_name: list[dict[str, list[Path]]] = []
        for name_of in (lambda path: path.name, stem_of, key, lambda path: path.name.split(".")[0]):
            named: dict[str, list[Path]] = {}
            for path in files:
                named.setdefault(name_of(path), []).append(path)
            self._by_name.append(named)

    def find(self, stem: str) -> Path | None:
        """The image of a result; None if there is none, or several."""
        found = next((named[stem] for named in self._by_name if stem in named), [])
        return found[0] if len(found) == 1 else None


def _read_record(path: Path | None) -> dict[str, Any]:
    """Read a provenance file; empty if it is missing, damaged or foreign."""
    try:
        if path is None or path.stat().st_size > _LARGEST_RECORD:
            return {}
        record = json.loads(path.read_text(encoding="utf-8"))
        part, roi = record["input"], record["input"].get("roi")
        threshold = float(record["settings"]["prob_threshold"])
        if not 0 <= threshold <= 1:
            return {}
        image = Path(part["file"]) if part.get("file") else None
        return {
            "image": image if image is not None and (image.is_file() or is_zarr(image)) else None,
            "level": int(part.get("level", 0)),
            "scene": int(part.get("planes", {}).get("scene", 0)),
            "roi": None if roi is None else Box(*(int(side) for side in roi)),
            "model": str(record["model"]["name"]),
            "threshold": threshold,
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return {}
