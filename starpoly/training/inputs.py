"""Data of a training: training and validation pairs, from arrays or folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .data import Pair, array_pairs, find_pairs
from .groups import read_groups, with_groups, with_known_groups
from .unlabelled import UnlabelledImage, array_unlabelled, find_unlabelled


@dataclass(frozen=True)
class TrainingInputs:
    """The data of a training.

    Parameters
    ----------
    training : sequence of Pair
        Training images with label images.
    validation : sequence of Pair
        Validation pairs. They select the best weights and the thresholds.
    unlabelled : sequence of UnlabelledImage
        Training images without label images.
    class_names : tuple of str
        Names of the classes 1, 2, ... Their number sets the classes of the network.
    licence : str
        Licence of the data, stored in the model.
    """

    training: Sequence[Pair]
    validation: Sequence[Pair]
    unlabelled: Sequence[UnlabelledImage] = ()
    class_names: tuple[str, ...] = ()
    licence: str = ""


@dataclass(frozen=True)
class TrainingFolders:
    """Folders of the data of a training.

    Parameters
    ----------
    images, masks : Path
        Folders of images and of label images, paired by name.
    classes : Path, optional
        Folder of class tables, see :func:`starpoly.training.find_pairs`.
    groups : Path, optional
        Table with the group of each training image, see ``read_groups``. If it has those of all validation images, too,
        thresholds and masks are tuned so that groups count alike.
    unlabelled : Path, optional
        Folder of unlabelled images. Images with label images are excluded.
    val_images, val_masks, val_classes : Path, optional
        Folders of the validation data. Without them, ``val_fraction`` of the pairs is held out.
    val_fraction : float
        Held-out share, between 0 and 1.
    """

    images: Path
    masks: Path
    classes: Path | None = None
    groups: Path | None = None
    unlabelled: Path | None = None
    val_images: Path | None = None
    val_masks: Path | None = None
    val_classes: Path | None = None
    val_fraction: float = 0.15


def inputs_from_folders(
    folders: TrainingFolders, *, seed: int = 0, class_names: Sequence[str] = (), licence: str = ""
) -> TrainingInputs:
    """Find training data in folders. Pixels are read later.

    Parameters
    ----------
    folders : TrainingFolders
    seed : int
        Seed of the held-out validation split.
    class_names, licence
        See :class:`TrainingInputs`.

    Raises
    ------
    DataError
        If a folder or table is missing, nothing pairs, or training or validation has no pair left.
    """
    if (folders.val_images is None) != (folders.val_masks is None):
        raise DataError("expected both --val-images and --val-masks, or neither; got one of them")
    pairs = find_pairs(folders.images, folders.masks, folders.classes)
    if folders.val_images is not None and folders.val_masks is not None:
        val_pairs = find_pairs(folders.val_images, folders.val_masks, folders.val_classes)
    else:
        pairs, val_pairs = split_pairs(pairs, folders.val_fraction, seed)
    if folders.groups is not None:
        groups = read_groups(folders.groups)
        pairs, val_pairs = with_groups(pairs, groups, str(folders.groups)), with_known_groups(val_pairs, groups)
    unlabelled = _unlabelled_of(folders, {pair.name for pair in (*pairs, *val_pairs)})
    return TrainingInputs(pairs, val_pairs, unlabelled, tuple(class_names), licence)


def inputs_from_arrays(
    images: Sequence[NDArray],
    masks: Sequence[NDArray],
    validation_data: Sequence[Sequence],
    *,
    classes: Sequence[dict[int, int]] | None = None,
    groups: Sequence[str] = (),
    unlabelled: Sequence[NDArray] = (),
    class_names: Sequence[str] = (),
    licence: str = "",
) -> TrainingInputs:
    """Training data from arrays in memory.

    Parameters
    ----------
    images : sequence of (Y, X[, C]) arrays
    masks : sequence of (Y, X) integer arrays
    validation_data : tuple of sequences
        (images, masks) or (images, masks, classes).
    classes : sequence of {label: class}, optional
        One table per image.
    groups : sequence of str, optional
        Group of each image.
    unlabelled : sequence of (Y, X[, C]) arrays
    class_names, licence
        See :class:`TrainingInputs`.

    Raises
    ------
    DataError
        If the sequences differ in length, or ``validation_data`` has another number of parts.
    """
    if not isinstance(validation_data, list | tuple) or len(validation_data) not in (2, 3):
        is_there = isinstance(validation_data, list | tuple)
        got = f"{len(validation_data)} parts" if is_there else f"a {type(validation_data).__name__}"
        raise DataError(
            f"validation_data: expected (images, masks) or (images, masks, classes), got {got}; hold back some of your images"
        )
    return TrainingInputs(
        array_pairs(images, masks, classes, groups),
        array_pairs(*validation_data),
        array_unlabelled(unlabelled),
        tuple(class_names),
        licence,
    )


def split_pairs(pairs: Sequence[Pair], fraction: float, seed: int) -> tuple[list[Pair], list[Pair]]:
    """Split pairs at random, reproducibly, into training and validation, at least one pair each.

    Raises
    ------
    DataError
        If there are fewer than two pairs, or the share is out of range.
    """
    if len(pairs) < 2 or not 0 < fraction < 1:
        raise DataError(
            f"expected at least two pairs and a --val-fraction between 0 and 1, got {len(pairs)} and {fraction}; "
            "add images or give --val-images and --val-masks"
        )
    n_val = min(max(1, round(fraction * len(pairs))), len(pairs) - 1)
    chosen = set(np.random.default_rng(seed).permutation(len(pairs))[:n_val].tolist())
    return [p for i, p in enumerate(pairs) if i not in chosen], [p for i, p in enumerate(pairs) if i in chosen]


def _unlabelled_of(folders: TrainingFolders, labelled: set[str]) -> list[UnlabelledImage]:
    if folders.unlabelled is None:
        return []
    of_pairs = {folder.resolve() for folder in (folders.images, folders.val_images) if folder is not None}
    exclude = labelled if folders.unlabelled.resolve() in of_pairs else set()
    return find_unlabelled(folders.unlabelled, exclude=exclude)
