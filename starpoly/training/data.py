"""Training pairs: find, check, normalise and cache them in bounded memory."""

from __future__ import annotations

import os
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..config import NormalizationConfig
from ..errors import DataError, StarpolyError, collected_warnings, naming, warn
from ..images.axes import with_channels
from ..images.channels import ChannelMap, map_channels, wrong_channels
from ..images.normalization import Normalizer, fit_normalizer
from ..io.console import progress_bar
from ..io.files.ignored import describe_ignored
from ..io.files.naming import key
from ..io.files.pairing import pair_files
from ..io.readers.array_like import as_array
from ..io.readers.given import as_image
from ..io.readers.images import read_image
from ..io.readers.label_doubts import warn_of_doubts
from ..io.readers.labels import read_labels
from ..io.text_tables import read_rows, whole_number

#: Warnings are caught for the whole process, so one thread at a time may do it.
_first_reading = threading.RLock()


@dataclass(frozen=True)
class Sample:
    """One image ready for training.

    Parameters
    ----------
    image : (Y, X, C) float32
        Normalised by percentiles of the whole image.
    labels : (Y, X) int32
        0 background, 1..n objects, -1 ignored.
    classes : (n + 1,) int64 or None
        Class of each label, 0 where unknown.
    """

    image: NDArray[np.float32]
    labels: NDArray[np.int32]
    classes: NDArray[np.int64] | None = None

    @property
    def digest(self) -> str:
        """Checksum of what is learnt from: changes with the image, the labels or the classes."""
        checksum = 0
        for array in (self.image, self.labels, self.classes):
            if array is not None:
                checksum = zlib.crc32(np.ascontiguousarray(array).data, checksum)
        return f"{checksum:08x}"

    @cached_property
    def has_objects(self) -> bool:
        """Whether the sample has any object."""
        return bool((self.labels > 0).any())

    @property
    def nbytes(self) -> int:
        """Memory of the arrays in bytes."""
        return self.image.nbytes + self.labels.nbytes


@dataclass(frozen=True)
class Pair:
    """A named image with its label image, from files or arrays, read on demand.

    Parameters
    ----------
    name : str
    read_image, read_labels : callable
        Return the arrays.
    classes : {label: class}, optional
        Class of each object.
    group : str
        Group of the image, if any.
    """

    name: str
    read_image: Callable[[], NDArray]
    read_labels: Callable[[], NDArray]
    classes: dict[int, int] | None = None
    group: str = ""


@dataclass(frozen=True)
class DataSummary:
    """Statistics of the label images.

    ``diameters``: equivalent diameter of each object, pixels; ``longest``: the longest bounding-box
    diagonal, a bound on any ray distance; ``pixels``: size of each image; ``contents``: digest of each pair by its name, those
    of the validation included.
    """

    diameters: NDArray[np.float64]
    longest: float
    pixels: NDArray[np.int64]
    n_objects: NDArray[np.int64]
    contents: dict[str, str]


def find_pairs(images: Path, masks: Path, classes: Path | None = None) -> list[Pair]:
    """Pair two folders by file name; a warning names files without a partner.

    Parameters
    ----------
    images, masks : Path
        Folders. ``cell.png`` pairs with ``cell.tif`` or ``cell_label.tif``.
    classes : Path, optional
        Folder of CSV tables, named like the images or masks, with the columns ``label`` and ``class`` (1..n).

    Raises
    ------
    DataError
        If nothing pairs, or a class table is missing or unreadable.
    """
    found = pair_files(images, masks)
    if found.ignored:
        warn(describe_ignored(found.ignored))
    for files, other in ((found.only_first, masks), (found.only_second, images)):
        if files:
            names = ", ".join(path.name for path in files[:5]) + (", ..." if len(files) > 5 else "")
            warn(f"{len(files)} file(s) without a partner in {other}, left out: {names}")
    if not found.pairs:
        raise DataError(
            f"no image of {images} pairs with a mask of {masks}: expected equal names, "
            "with or without _label, _mask, _cp_masks or _img at their ends; rename the files of one folder"
        )
    tables = {} if classes is None else _tables(classes)
    return [
        Pair(
            key(image),
            partial(read_image, image),
            partial(read_labels, mask),
            None if classes is None else _read_classes(tables.get(key(image), classes / f"{key(image)}.csv")),
        )
        for image, mask in found.pairs
    ]


def _tables(folder: Path) -> dict[str, Path]:
    """Class tables by the key of their image."""
    return {key(path.name[: -len(path.suffix)]): path for path in sorted(folder.glob("*.[cC][sS][vV]"))}


def array_pairs(
    images: Sequence[NDArray],
    masks: Sequence[NDArray],
    classes: Sequence[dict[int, int]] | None = None,
    groups: Sequence[str] = (),
) -> list[Pair]:
    """Pairs from arrays in memory.

    Parameters
    ----------
    images : sequence of (Y, X[, C]) array-likes or paths
        See ``starpoly.io.readers.given.as_image``.
    masks : sequence of (Y, X) integer array-likes or paths
    classes : sequence of {label: class}, optional
        One table per image.
    groups : sequence of str, optional
        Group of each image.

    Raises
    ------
    DataError
        If the sequences differ in length, or classes are no tables.
    """
    for name, given in (("images", images), ("masks", masks)):
        check_sequence(name, given)
    if len(images) != len(masks) or (classes is not None and len(classes) != len(images)):
        raise DataError(f"expected as many masks as images, got {len(images)} images and {len(masks)} masks")
    for number, table in enumerate(classes or ()):
        if not isinstance(table, Mapping):
            raise DataError(
                f"classes: expected a table {{label: class}} for each image, got {table!r} for image {number}"
            )
    if len(groups) not in (0, len(images)):
        raise DataError(f"groups: expected one for each of the {len(images)} training images, got {len(groups)}")
    return [
        Pair(
            f"image {i}",
            partial(_held, image),
            partial(held_labels, mask),
            None if classes is None else classes[i],
            group,
        )
        for i, (image, mask, group) in enumerate(
            zip(images, masks, groups if len(groups) else [""] * len(images), strict=True)
        )
    ]


def check_sequence(name: str, given: Any) -> None:
    """Refuse what is no sequence of images: a folder, a single image, a generator."""
    start = f"{name}: expected a list of arrays or paths"
    if isinstance(given, str | os.PathLike):
        raise DataError(f"{start}, got the path {given}; of folders use find_pairs, or starpoly train")
    if not hasattr(given, "__len__") or not hasattr(given, "__getitem__"):
        raise DataError(f"{start}, got {type(given).__name__}; make a list of it")
    if isinstance(given, np.ndarray) and given.ndim == 2 and given.dtype.kind in "biuf":
        raise DataError(f"{start}, got one array of shape {given.shape}; put it into a list")


def _held(image: Any) -> NDArray:
    return np.asarray(as_image(image))


def held_labels(mask: Any) -> NDArray:
    """A label image from Python: the file of a path, or an array-like."""
    return read_labels(Path(mask)) if isinstance(mask, str | os.PathLike) else np.asarray(as_array(mask))


def _read_classes(path: Path) -> dict[int, int]:
    try:
        return {whole_number(row["label"]): whole_number(row["class"]) for row in read_rows(path)}
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise DataError(
            f"{path}: expected a CSV table with the columns label and class (integers), got {error!r}"
        ) from error


class TrainingData:
    """Checked, normalised samples behind a bounded cache.

    Samples outside the cache are read from disk again, so a data set may exceed the memory. Thread-safe.

    Parameters
    ----------
    pairs : sequence of Pair
    n_channels : int
        Input channels of the network. Images are mapped to it.
    normalization : NormalizationConfig
    cache_bytes : int
        Size limit of the cache.
    n_classes : int
        Classes of the network; class tables must not name others.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        *,
        n_channels: int = 1,
        normalization: NormalizationConfig | None = None,
        cache_bytes: int = 2 << 30,
        n_classes: int = 0,
    ) -> None:
        if not pairs:
            raise DataError("expected at least one pair of image and mask, got none")
        self._pairs = list(pairs)
        self._n_channels = n_channels
        self._normalization = normalization or NormalizationConfig()
        self._cache_bytes = cache_bytes
        self._n_classes = n_classes
        self._cache: OrderedDict[int, Sample] = OrderedDict()
        self._held = 0
        self._known: dict[int, tuple[ChannelMap, Normalizer]] = {}  # of the images that were read
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._pairs)

    def name(self, index: int) -> str:
        """Name of a sample, for messages."""
        return self._pairs[index].name

    @property
    def groups(self) -> list[str]:
        """Group of each sample."""
        return [pair.group for pair in self._pairs]

    def __getitem__(self, index: int) -> Sample:
        with self._lock:
            if index in self._cache:
                self._cache.move_to_end(index)
                return self._cache[index]
        sample = self._load(index)
        with self._lock:
            if index not in self._cache and sample.nbytes <= self._cache_bytes:
                self._cache[index] = sample
                self._held += sample.nbytes
                while self._held > self._cache_bytes:
                    self._held -= self._cache.popitem(last=False)[1].nbytes
        return sample

    def _load(self, index: int) -> Sample:
        """Read and check a pair; its warnings appear the first time, with its name."""
        pair, known = self._pairs[index], self._known.get(index)
        if known is None:
            with _first_reading, naming(pair.name):
                return self._read(index, pair, None)
        return self._read(index, pair, known)

    def _read(self, index: int, pair: Pair, known: tuple[ChannelMap, Normalizer] | None) -> Sample:
        image = pair.read_image()
        labels, classes = _check_labels(pair, self._n_classes, doubted=known is not None)
        check_shapes(pair.name, image.shape, labels.shape)
        image = with_channels(image)
        if known is None:
            channels = map_channels(image, self._n_channels, training=True)
            if channels is None:
                raise DataError(f"{pair.name}: {wrong_channels(image.shape, self._n_channels, training=True)}")
            known = self._known[index] = channels, fit_normalizer(channels(image), self._normalization)
        channels, normalizer = known
        return Sample(np.ascontiguousarray(normalizer(channels(image))), labels, classes)

    def summarize(self, *, validation: TrainingData | None = None, progress: bool = True) -> DataSummary:
        """Read every pair once, validate it and measure its objects.

        Parameters
        ----------
        validation : TrainingData, optional
            Its pairs are validated, too, not measured.
        progress : bool
            Show a progress bar.

        Raises
        ------
        StarpolyError
            For an unusable pair, after all were read: as it came where it is the only one, else a DataError that has each.
        DataError
            If there is no object at all.
        """
        diameters, pixels, counts, longest, contents = [], [], [], 0.0, {}
        todo = [(data, index) for data in (self, validation) if data is not None for index in range(len(data))]
        doubts = _Doubts()
        for data, index in progress_bar(todo, shown=progress, desc="checking the data", unit="image", leave=False):
            sample = doubts.read(data, index)
            if sample is None:
                continue
            contents[data.name(index)] = sample.digest
            if data is validation:
                continue
            labels = sample.labels
            area = np.bincount(np.maximum(labels, 0).ravel())[1:]
            diameters.append(np.sqrt(4 / np.pi * area[area > 0]))
            boxes = [box for box in ndimage.find_objects(np.maximum(labels, 0)) if box is not None]
            longest = max([longest, *(float(np.hypot(*(s.stop - s.start for s in box))) for box in boxes)])
            pixels.append(labels.size)
            counts.append(len(boxes))
        doubts.refuse(len(todo))
        doubts.repeat()
        if not longest:
            raise DataError("expected masks with objects in them, got background alone in every mask")
        return DataSummary(np.concatenate(diameters), longest, np.array(pixels), np.array(counts), contents)

    def becomes_grey(self, index: int) -> bool:
        """Whether a pair's image, once read, is reduced to its luminance."""
        return self._known[index][0].to_luminance


class _Doubts:
    """What the first reading of pairs finds: errors, and warnings with the names of the images that have them."""

    def __init__(self) -> None:
        self._errors: list[StarpolyError] = []
        self._grey: list[str] = []
        self._warnings: dict[str, list[str]] = {}

    def read(self, data: TrainingData, index: int) -> Sample | None:
        """A pair; None if it cannot be used."""
        name = data.name(index)
        try:
            with collected_warnings() as messages:
                sample = data[index]
        except StarpolyError as error:
            self._errors.append(error)
            return None
        for message in messages:
            self._warnings.setdefault(message.removeprefix(f"{name}: "), []).append(name)
        if data.becomes_grey(index):
            self._grey.append(name)
        return sample

    def refuse(self, n_pairs: int) -> None:
        """Raise what makes pairs unusable, all at once."""
        if len(self._errors) == 1:
            raise self._errors[0]
        if self._errors:
            reasons = listed([str(error) for error in self._errors], separator="; ")
            raise DataError(f"{len(self._errors)} of {n_pairs} pairs cannot be used: {reasons}") from self._errors[0]

    def repeat(self) -> None:
        """Give the warnings of all images, those of one text together."""
        if self._grey:
            message = (
                "colour, and a network for one channel: its luminance is used; for a network that sees colour train one "
                "with n_channels = 3 in [network]"
            )
            warn(f"{listed(self._grey)}: {message}", stacklevel=3)
        for text, names in self._warnings.items():
            warn(f"{listed(names)}: {text}", stacklevel=3)


def listed(names: Sequence[str], most: int = 5, separator: str = ", ") -> str:
    """The first names, and how many more there are."""
    return separator.join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def check_shapes(name: str, image: tuple[int, ...], labels: tuple[int, ...]) -> None:
    """Refuse a mask of another shape than its image."""
    if image[:2] == labels:
        return
    message = f"{name}: expected a mask of the image's shape {image[:2]}, got {labels}"
    if image[1:] == labels:
        message += "; the image's channels come first: move them last, as np.moveaxis(image, 0, -1) does"
    raise DataError(message)


def _check_labels(
    pair: Pair, n_classes: int, *, doubted: bool = False
) -> tuple[NDArray[np.int32], NDArray[np.int64] | None]:
    """Relabel to 1..n (negative: -1), and list the class of each label."""
    labels = pair.read_labels()
    if labels.ndim != 2 or labels.dtype.kind not in "iub":
        raise DataError(
            f"{pair.name}: expected a 2D mask of integers, got shape {labels.shape} and type {labels.dtype}"
        )
    if not doubted:
        warn_of_doubts(labels, pair.name)
    ids, flat = np.unique(labels, return_inverse=True)
    positive = ids > 0
    new_ids = np.where(positive, np.cumsum(positive), np.where(ids < 0, -1, 0)).astype(np.int32)
    labels = new_ids[flat].reshape(labels.shape)
    if not positive.any() and not doubted:
        if (ids < 0).any():
            warn(f"{pair.name}: the mask holds no object, and negative ids, which are ignored; number objects from 1")
        else:
            warn(f"{pair.name}: the mask holds no object; used as background")
    if pair.classes is None:
        return labels, None
    classes = np.array([0, *(pair.classes.get(int(old), 0) for old in ids[positive])], dtype=np.int64)
    if classes.min() < 0 or classes.max() > n_classes:
        raise DataError(
            f"{pair.name}: expected classes from 0 (unknown) to {n_classes}, got {classes.min()} to {classes.max()}"
        )
    return labels, classes
