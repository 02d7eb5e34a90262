"""Pair true and predicted label images by name, and read them pair by pair."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from numpy.typing import NDArray

from ..errors import DataError, StarpolyError, warn
from ..io.console import progress_bar
from ..io.files.ignored import describe_ignored
from ..io.files.naming import is_hidden, is_overlay, key
from ..io.files.pairing import Pairs, image_files, pair_files
from ..io.readers.label_doubts import warn_of_doubts
from ..io.readers.labels import read_labels
from ..io.readers.registry import is_zarr
from .ignored import without_ignored
from .report import Sample


def pair_label_files(true: Path, pred: Path) -> Pairs:
    """Pair the label images of two folders, or two files.

    Parameters
    ----------
    true, pred : Path
        True and predicted label images, see :func:`starpoly.io.files.pairing.pair_files`.

    Raises
    ------
    DataError
        If both are the same folder, or nothing pairs.

    Warns
    -----
    StarpolyWarning
        For files without a partner.
    """
    if pred.is_dir() and true.is_dir() and pred.samefile(true):
        raise DataError(f"expected two folders, got {pred} twice; move predictions and true labels apart")
    pairs = pair_files(true, pred)
    if not pairs.pairs:
        names = [key(path) for path in (*pairs.only_second[:1], *pairs.only_first[:1])]
        example = f", such as {names[0]!r} and {names[1]!r}" if len(names) > 1 else ""
        raise DataError(
            f"expected predictions named like the true label images, got no pair among {len(pairs.only_second)} files "
            f"in {pred} and {len(pairs.only_first)} in {true}; compare their names{example}{_of_sub_folders(pred, true)}"
        )
    if pairs.ignored:
        warn(describe_ignored(pairs.ignored))
    if pairs.only_first:
        message = f"no prediction for {_names(pairs.only_first)}: all of their objects count as missed"
        warn(message)
    # overlays lie beside the labels that they show
    if strange := tuple(path for path in pairs.only_second if not is_overlay(path)):
        warn(f"no true labels for {_names(strange)}: ignored")
    return pairs


def _of_sub_folders(*folders: Path) -> str:
    """What to say where files lie deeper than they are looked for."""
    deeper = [
        folder for folder in folders if folder.is_dir() and any(_holds_images(entry) for entry in folder.iterdir())
    ]
    return f"; {deeper[0]} has sub-folders, which are not searched: give one of them" if deeper else ""


def _holds_images(folder: Path) -> bool:
    return folder.is_dir() and not is_hidden(folder) and not is_zarr(folder) and bool(image_files(folder))


def read_samples(pairs: Pairs) -> Iterator[Sample]:
    """Read label images pair by pair, in the order of keys. An unreadable file sets its sample's ``problem``."""
    files: list[tuple[Path, Path | None]] = [*pairs.pairs, *((path, None) for path in pairs.only_first)]
    files.sort(key=lambda pair: key(pair[0]))
    for true, pred in progress_bar(files, desc="evaluate", unit="image"):
        yield _read(true, pred)


def _read(true: Path, pred: Path | None) -> Sample:
    name = key(true)
    try:
        y_true = _read_one(true)
    except StarpolyError as error:
        return Sample(name, None, None, str(error))
    if pred is None:
        return Sample(name, y_true, None)
    try:
        y_pred = _read_one(pred)
    except StarpolyError as error:
        return Sample(name, y_true, None, str(error))
    if y_pred.shape != y_true.shape:
        return Sample(name, y_true, None, _of_another_shape(true, y_true.shape, pred, y_pred.shape))
    return Sample(name, *without_ignored(y_true, y_pred))


def _of_another_shape(true: Path, true_shape: tuple[int, ...], pred: Path, pred_shape: tuple[int, ...]) -> str:
    remedy = "is one transposed?" if pred_shape == true_shape[::-1] else "segment the image that the true labels are of"
    return f"{pred}: expected the shape of {true}, {true_shape}, got {pred_shape}; {remedy}"


def _read_one(path: Path) -> NDArray:
    """A label image; a warning if it looks like something else."""
    labels = read_labels(path)
    warn_of_doubts(labels, path)
    return labels


def _names(paths: tuple[Path, ...], most: int = 5) -> str:
    names = ", ".join(path.name for path in paths[:most])
    if len(paths) == 1:
        return names
    return f"{len(paths)} files ({names}{f' and {len(paths) - most} more' if len(paths) > most else ''})"
