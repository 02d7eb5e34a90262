"""What is done with a mutated input: every way in which starpoly reads such a file."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from starpoly.errors import StarpolyError

JOURNAL_RUN = {"model": "m", "input": {"name": "a.tif"}, "settings": [1, 2]}
JOURNAL_KIND = {"n_rays": 8, "max_distance": 50.0}
CACHE_KEY = "0" * 64


class Bytes:
    """Bytes of the largest region that was asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def want(self, n_bytes: int) -> None:
        self.asked = max(self.asked, n_bytes)


def _each(calls: Iterable[Callable[[], object]]) -> bool:
    """Make all calls, though some are refused; whether none was."""
    refused = False
    for call in calls:
        try:
            call()
        except StarpolyError:
            refused = True
    return not refused


def read_as_image(path: Path, size: Bytes) -> bool:
    """Header, corners of the image and of every level, scenes, planes, the whole."""
    from starpoly.io.files.identity import InputWatch
    from starpoly.io.readers.images import open_source, read_header, read_image
    from starpoly.io.readers.registry import find_reader

    def regions(source: object) -> None:
        height, width, n_channels = source.shape
        side = min(64, height), min(64, width)
        size.want(side[0] * side[1] * n_channels * source.dtype.itemsize)
        source[: side[0], : side[1]]
        source[height - side[0] : height, width - side[1] : width]

    def image() -> None:
        with open_source(path) as source:
            regions(source)
            levels = len(source.levels)
        for level in range(1, min(levels, 3)):
            with open_source(path, level=level) as source:
                regions(source)

    def as_channels() -> None:
        with open_source(path, channels=[0]) as source:
            regions(source)

    def planes() -> None:
        reader = find_reader(path)
        names = reader.scene_names(path)
        for scene in {0, max(0, len(names) - 1)}:
            with reader.stack(path, scene) as stack:
                for index in {(0,) * len(stack.lengths), tuple(length - 1 for length in stack.lengths)}:
                    with stack.open_plane(index) as source:
                        regions(source)

    def whole() -> None:
        header = read_header(path)
        size.want(4 * header.n_bytes if header.n_bytes < 1 << 22 else header.n_bytes)
        if header.n_bytes <= 1 << 27:
            read_image(path)

    _each([image, as_channels, whole])  # refused for stacks, too
    return _each([lambda: read_header(path), planes, lambda: InputWatch(path).check()])


def read_as_labels(path: Path, size: Bytes) -> bool:
    """As a label image, with the doubts that it raises."""
    from starpoly.io.readers.images import read_header
    from starpoly.io.readers.label_doubts import doubt_labels
    from starpoly.io.readers.labels import read_labels

    def read() -> None:
        header = read_header(path)
        size.want(4 * header.n_bytes if header.n_bytes < 1 << 22 else header.n_bytes)
        if header.n_bytes <= 1 << 27:
            doubt_labels(read_labels(path))

    return _each([read])


def read_plate(path: Path, size: Bytes) -> bool:
    """As a plate of images."""
    from starpoly.io.files.find import find_images
    from starpoly.io.readers.images import read_header

    def fields() -> None:
        for found in find_images([path]).images[:3]:
            read_header(found.path)

    return _each([fields, lambda: read_as_image(path, size)])


def read_attributes(path: Path, size: Bytes) -> bool:
    """Attributes of a zarr, where images are looked for."""
    from starpoly.io.files.naming import holds_labels
    from starpoly.io.files.plates import read_attributes

    return _each([lambda: holds_labels(path), lambda: read_attributes(path)])


def read_objects(path: Path, size: Bytes) -> bool:
    """A table of objects: by the report, and by the table of a run."""
    from starpoly.report.objects import _read_columns

    return _each([lambda: _read_columns(path)])


def read_groups(path: Path, size: Bytes) -> bool:
    """Groups of images, for training."""
    from starpoly.training.groups import read_groups

    return _each([lambda: read_groups(path)])


def read_classes(path: Path, size: Bytes) -> bool:
    """Classes of objects, for training."""
    from starpoly.training.data import _read_classes

    return _each([lambda: _read_classes(path)])


def read_losses(path: Path, size: Bytes) -> bool:
    """The log of a training."""
    from starpoly.plot.losses import read_log

    return _each([lambda: read_log(path)])


def read_settings(path: Path, size: Bytes) -> bool:
    """Settings of a training."""
    from starpoly.training.settings import read_settings

    return _each([lambda: read_settings(path)])


def read_model(path: Path, size: Bytes) -> bool:
    """Description and weights of a model, as far as it goes without Keras; with its checksum made right, too."""
    import h5py

    from starpoly.errors import ModelError
    from starpoly.network.storage.folder import find_weights, load_spec
    from starpoly.network.storage.safe_files import read_floats

    def weights() -> None:
        _, file_path = find_weights(path)
        try:
            with h5py.File(file_path, "r") as file:
                for name in list(file)[:4]:
                    read_floats(file, name, (3, 3, 1, 4), file_path)
        except (OSError, RuntimeError, KeyError) as error:  # as load_weights does
            raise ModelError("unreadable") from error

    def signed() -> None:
        if not all((path / name).is_file() for name in ("model.json", "weights.h5")):
            return  # a device has no end
        with suppress(OSError, ValueError, TypeError, RecursionError):
            content = json.loads((path / "model.json").read_text())
            content["weights_sha256"] = hashlib.sha256((path / "weights.h5").read_bytes()).hexdigest()
            (path / "model.json").write_text(json.dumps(content))
        weights()

    return _each([lambda: load_spec(path), weights, signed])


def read_checkpoint(path: Path, size: Bytes) -> bool:
    """The state of a training, and its arrays."""
    from starpoly.config import TrainingConfig
    from starpoly.errors import ModelError
    from starpoly.io.files.small_npz import UNREADABLE, open_npz
    from starpoly.training import resuming

    def state() -> None:
        found = resuming.read_state(path)
        assert found is not None
        resuming.describe_progress(found)
        resuming.changed_settings(found, resuming.settings_to_resume(path), TrainingConfig())

    def arrays() -> None:
        try:
            with open_npz(path / resuming.FILE_NAME) as file:
                for name in file.files:
                    file[name]
        except UNREADABLE as error:
            raise ModelError("unreadable") from error

    return _each([state, arrays, lambda: resuming.describe_saved(path)])


def read_journal(path: Path, size: Bytes) -> bool:
    """A journal of tiles, as it is, and with the checksum of its tile made right."""
    from starpoly.detection.journal import TileJournal

    def load() -> None:
        TileJournal(path, JOURNAL_RUN, **JOURNAL_KIND).load(0)

    def signed() -> None:
        journal = TileJournal(path, JOURNAL_RUN, **JOURNAL_KIND)
        tile = path / "tile_0000000"
        with suppress(OSError):
            if tile.is_file():
                content = tile.read_bytes()[:-32]
                tile.write_bytes(content + journal._hash(content))
        journal.load(0)

    return _each([load, signed])


def read_cache(path: Path, size: Bytes) -> bool:
    """The cache of frozen networks."""
    from starpoly.network.engines import graph_cache

    os.environ["STARPOLY_CACHE"] = str(path)
    return graph_cache.find(CACHE_KEY) is not None


def read_results(path: Path, size: Bytes) -> bool:
    """The results of a run, as the report reads them."""
    from starpoly.report.entries import find_entries
    from starpoly.report.examine import examine

    size.want(1 << 24)  # a thumbnail and its figure
    return _each([lambda: [examine(entry) for entry in find_entries(path)]])


TARGETS: dict[str, Callable[[Path, Bytes], bool]] = {
    "image": read_as_image,
    "labels": read_as_labels,
    "plate": read_plate,
    "attributes": read_attributes,
    "objects": read_objects,
    "groups": read_groups,
    "classes": read_classes,
    "losses": read_losses,
    "settings": read_settings,
    "model": read_model,
    "checkpoint": read_checkpoint,
    "journal": read_journal,
    "cache": read_cache,
    "results": read_results,
}
"""By kind of seed; each says whether all of the input was read, and raises what is no :class:`StarpolyError`."""


def run(kind: str, path: Path, size: Bytes) -> bool:
    """Read an input; warnings are not looked at."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return TARGETS[kind](path, size)
