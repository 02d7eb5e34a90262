"""Unlabelled images: find them, read them, schedule their labelling."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..config import TrainingConfig
from ..errors import ConfigError, DataError, warn
from ..io.files.ignored import describe_ignored
from ..io.files.naming import key
from ..io.files.pairing import list_folder
from ..io.readers.images import read_image

# beyond any training step: keeps the random windows of large images independent of the patches
_WINDOWS = 1 << 33


@dataclass(frozen=True)
class UnlabelledImage:
    """A named image from a file or an array, read on demand."""

    name: str
    read: Callable[[], NDArray]


def find_unlabelled(folder: Path, exclude: Collection[str] = ()) -> list[UnlabelledImage]:
    """Find the unlabelled images of a folder.

    Parameters
    ----------
    folder : Path
    exclude : collection of str
        Pairing names of labelled images, which are skipped.

    Raises
    ------
    DataError
        If the folder cannot be listed or holds no image.
    """
    listing = list_folder(folder)
    if listing.ignored:
        warn(describe_ignored(listing.ignored))
    found = [
        UnlabelledImage(path.name, partial(read_image, path)) for path in listing.images if key(path) not in exclude
    ]
    if not found:
        raise DataError(f"{folder}: expected unlabelled images, got none; check the folder, or leave it out")
    return found


def array_unlabelled(images: Sequence[NDArray]) -> list[UnlabelledImage]:
    """Images in memory, (Y, X[, C])."""
    return [UnlabelledImage(f"unlabelled {i}", partial(np.asarray, image)) for i, image in enumerate(images)]


def cropped(image: UnlabelledImage, index: int, training: TrainingConfig) -> UnlabelledImage:
    """The image, or a window of a large image. The window depends only on seed and index."""

    def read() -> NDArray:
        whole, side = image.read(), training.unlabelled.largest_side
        at = np.random.default_rng([training.seed, _WINDOWS, index]).random(2)
        starts = [int(a * max(0, n - side + 1)) for a, n in zip(at, whole.shape, strict=False)]
        return whole[tuple(slice(start, start + side) for start in starts)]

    return UnlabelledImage(image.name, read)


def labelling_epochs(training: TrainingConfig) -> list[int]:
    """Epochs after which a round of labelling starts, ascending.

    Raises
    ------
    ConfigError
        If there is no epoch left after the first.
    """
    settings, total = training.unlabelled, training.epochs
    if total < 2:
        raise ConfigError(
            f"epochs: expected at least 2 to learn from unlabelled images, got {total}; take more epochs of fewer steps"
        )
    first = min(max(1, round(settings.start * total)), total - 1)
    return sorted({first + (total - first) * i // settings.rounds for i in range(settings.rounds)})
