"""Pictures of predictions on validation images, every few epochs, in the model folder."""

from __future__ import annotations

import gc
import io
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..detection.detector import Detector
from ..errors import StarpolyError, without_warnings
from ..io.files.atomic import make_own_folder, new_file
from ..network.storage.folder import SPEC_FILE, load_spec
from ..plot import draw_matches, outlines_on_image
from ..report.training_page import PICTURES, write_training_page
from .data import Pair, array_pairs
from .history import TensorBoardLog
from .thresholds import NothingFoundError, tune

#: Number of inspected images, and side of their windows in pixels.
N_IMAGES = 4
SIDE = 256
_GAP = 6


class Inspection:
    """Draws true objects of some validation images and, below, the predictions of the best model so far.

    Matched objects are green, false ones orange, missed ones blue (IoU 0.5). During training, thresholds are tuned on
    these windows.

    Parameters
    ----------
    folder : Path
        Model folder. Pictures go to ``validation/epoch_NNNN.png``, named by the model's epoch, and to TensorBoard.
    pairs : sequence of Pair
        Validation images.
    every : int
        Epochs between inspections; 0 for none.
    """

    def __init__(self, folder: Path, pairs: Sequence[Pair], every: int = 10) -> None:
        self._folder, self._every = folder, every
        step = max(1, len(pairs) // N_IMAGES)
        self._pairs = list(pairs)[::step][:N_IMAGES] if every else []
        self._windows: list[tuple[NDArray, NDArray]] = []

    def __call__(self, epoch: int) -> None:
        """After an epoch: inspect if it is due, there is a model yet, and the best one is new."""
        if not (self._folder / SPEC_FILE).exists():
            return  # such as after losses that are not finite
        if self.due(epoch) and not self._path().exists():
            self._look(tuned=True)
            gc.collect()  # a network's layers refer to each other: it would stay until much else is thrown away

    def due(self, epoch: int) -> bool:
        """Whether pictures are due after an epoch."""
        return self._every > 0 and epoch % self._every == 0

    def finish(self) -> None:
        """Draw the finished model with its own thresholds, and write ``training.html``."""
        if self._every:
            self._look(tuned=False)
            write_training_page(self._folder)

    def _path(self) -> Path:
        best = load_spec(self._folder).training.get("best_epoch", 0)
        return self._folder / PICTURES / f"epoch_{best:04d}.png"

    def _look(self, *, tuned: bool) -> None:
        if not self._windows:
            self._windows = [_window(pair) for pair in self._pairs]
        model = Detector.from_pretrained(self._folder)
        with without_warnings():  # early models find nothing or too much
            if tuned:
                _tune(model, self._windows)
            columns = [_column(model, image, labels) for image, labels in self._windows]
        picture = _beside(columns)
        png = _png(picture)
        path = self._path()
        make_own_folder(path.parent)
        with new_file(path) as temporary:
            temporary.write_bytes(png)
        TensorBoardLog(self._folder, PICTURES).add_picture(
            "validation", png, picture.shape[:2], int(path.stem.rpartition("_")[2])
        )


def _window(pair: Pair) -> tuple[NDArray, NDArray]:
    """Crop a pair around the middle of its objects."""
    image, labels = pair.read_image(), pair.read_labels()
    y, x = np.nonzero(labels > 0)
    middle = (np.median(y), np.median(x)) if len(y) else (labels.shape[0] / 2, labels.shape[1] / 2)
    start = [
        int(np.clip(at - SIDE // 2, 0, max(0, length - SIDE))) for at, length in zip(middle, labels.shape, strict=True)
    ]
    inside = tuple(slice(begin, begin + SIDE) for begin in start)
    return image[inside], np.maximum(labels[inside], 0)


def _tune(model: Detector, windows: Sequence[tuple[NDArray, NDArray]]) -> None:
    images, labels = zip(*windows, strict=True)
    with suppress(NothingFoundError):  # early models find nothing: keep the current thresholds
        tuned = tune(model, array_pairs(images, labels), progress=False)
        model.spec = model.spec.replace(thresholds=tuned.thresholds)


def _column(model: Detector, image: NDArray, labels: NDArray) -> NDArray[np.uint8]:
    """Stack the picture of true objects above that of predictions."""
    try:
        found = model.predict_instances(image)[0]
    except StarpolyError:  # such as a diverged training, reported elsewhere
        found = np.zeros(labels.shape, np.int32)
    gap = np.full((_GAP, labels.shape[1], 3), 255, np.uint8)
    return np.concatenate([outlines_on_image(image, labels), gap, draw_matches(image, labels, found)[0]])


def _beside(columns: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Pictures side by side on white."""
    height = max(len(column) for column in columns)
    padded = [np.pad(column, ((0, height - len(column)), (0, _GAP), (0, 0)), constant_values=255) for column in columns]
    return np.concatenate(padded, axis=1)[:, :-_GAP]


def _png(picture: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, format="PNG")
    return stream.getvalue()
