"""Widget that trains a model on an image layer and a labels layer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..config import NetworkConfig, TrainingConfig
from ..errors import DataError
from ..model_zoo import available_models
from ..training.inputs import inputs_from_arrays
from ..training.run import run_training
from .helper import start
from .layers import pixels_of

if TYPE_CHECKING:
    from magicgui.widgets import Container

LOG = "training.csv"
_MARGIN = 8
_SMALLEST_PATCH, _LARGEST_PATCH = 64, 256


@dataclass(frozen=True)
class LabelledPlanes:
    """Images and masks for training and validation."""

    images: list[NDArray]
    masks: list[NDArray]
    val_images: list[NDArray]
    val_masks: list[NDArray]

    @property
    def n_channels(self) -> int:
        """Number of image channels."""
        return self.images[0].shape[2] if self.images[0].ndim == 3 else 1

    @property
    def patch_size(self) -> int:
        """Patch side that fits the smallest training image, a multiple of 32 if possible."""
        side = min(min(mask.shape) for mask in self.masks)
        return int(np.clip(side // 32 * 32, _SMALLEST_PATCH, _LARGEST_PATCH))


def split_planes(
    image: NDArray, labels: NDArray, *, rgb: bool = False, crop: bool = True, val_fraction: float = 0.25
) -> LabelledPlanes:
    """Turn two layers into pairs for training and validation.

    In a stack, planes with objects are the pairs; the last ones validate. A single plane is cut in two across its
    longer side.

    Parameters
    ----------
    image : (..., Y, X) or, with ``rgb``, (..., Y, X, C) array
    labels : (..., Y, X) integers
        0 background.
    rgb : bool
        Whether the last axis of the image is colour.
    crop : bool
        Crop each plane to the bounding box of its labels: the area outside is unlabelled, not background.
    val_fraction : float
        Share for validation.

    Raises
    ------
    DataError
        If the shapes differ, or training or validation has no objects.
    """
    shape = image.shape[: image.ndim - 1] if rgb else image.shape
    if shape != labels.shape or labels.ndim < 2:
        raise DataError(
            f"expected labels of the image's shape {shape}, got {labels.shape}; choose the layers that belong together"
        )
    images = image.reshape(-1, *image.shape[labels.ndim - 2 :])
    pairs = [
        _cropped(plane, mask) if crop else (plane, mask)
        for plane, mask in zip(images, labels.reshape(-1, *labels.shape[-2:]), strict=True)
        if (mask > 0).any()
    ]
    if not pairs:
        raise DataError("expected labelled objects, got none; paint some in the labels layer")
    if len(pairs) == 1:
        image, labels = pairs[0]
        train, val = _halves(image, labels, val_fraction)
    else:
        n_val = min(max(1, round(val_fraction * len(pairs))), len(pairs) - 1)
        train, val = pairs[:-n_val], pairs[-n_val:]
    if not all(any((mask > 0).any() for _, mask in part) for part in (train, val)):
        raise DataError(
            "expected objects in both parts of the image, for training and for validation; label objects all over it"
        )
    return LabelledPlanes(*(list(column) for part in (train, val) for column in zip(*part, strict=True)))


def _cropped(image: NDArray, labels: NDArray) -> tuple[NDArray, NDArray]:
    (box,) = ndimage.find_objects((labels > 0).astype(np.uint8))
    around = tuple(slice(max(side.start - _MARGIN, 0), side.stop + _MARGIN) for side in box)
    return image[around], labels[around]


def _halves(image: NDArray, labels: NDArray, val_fraction: float) -> tuple[list, list]:
    """Cut an image in two across its longer side."""
    axis = int(labels.shape[1] > labels.shape[0])
    at = round((1 - val_fraction) * labels.shape[axis])
    first = (slice(None),) * axis + (slice(None, at),)
    second = (slice(None),) * axis + (slice(at, None),)
    return [(image[first], labels[first])], [(image[second], labels[second])]


def train_model(
    planes: LabelledPlanes,
    folder: str | Path,
    *,
    init: str | None = None,
    epochs: int = 20,
    steps: int = 50,
) -> Path:
    """Train a model and save it in a folder.

    Parameters
    ----------
    planes : LabelledPlanes
    folder : path
        Model folder, new or empty.
    init : str, optional
        Name or folder of the initial model. Its network is kept.
    epochs, steps : int
        Number of epochs, and optimiser steps per epoch.

    Raises
    ------
    DataError, ModelError
        As for :func:`starpoly.training.run_training`.
    """
    side = planes.patch_size
    run_training(
        folder,
        inputs_from_arrays(planes.images, planes.masks, (planes.val_images, planes.val_masks)),
        network=NetworkConfig(n_channels=planes.n_channels) if init is None else None,
        training=TrainingConfig(epochs=epochs, steps_per_epoch=steps, patch_size=(side, side), validation_patches=16),
        init=init,
    )
    return Path(folder)


def make_widget() -> Container:
    """Build the widget: image and labels layers, initial model, epochs, output folder."""
    from magicgui.widgets import CheckBox, ComboBox, Container, FileEdit, Label, PushButton, SpinBox, create_widget
    from napari.layers import Image, Labels

    scratch = "nothing"
    image = create_widget(annotation=Image, label="Image")
    labels = create_widget(annotation=Labels, label="Labels")
    crop = CheckBox(text="use only the box around the labels", value=True)
    init = ComboBox(label="Start from", choices=[scratch, *available_models()], value=scratch)
    epochs = SpinBox(label="Epochs", min=1, max=10_000, value=20)
    steps = SpinBox(label="Steps per epoch", min=1, max=10_000, value=50)
    folder = FileEdit(label="Model folder", mode="d", value="starpoly-model")
    button, status = PushButton(text="Train"), Label(value="")
    widget = Container(widgets=[image, labels, crop, init, epochs, steps, folder, button, status])

    def tell(epoch: int) -> None:
        status.value = f"epoch {epoch} of {epochs.value}"

    def done(path: Path) -> None:
        status.value = f"{path}: trained; choose it as the model folder to find objects"

    @button.changed.connect
    def _run() -> None:
        if image.value is None or labels.value is None:
            status.value = "open an image and add a labels layer first"
            return
        try:
            planes = split_planes(pixels_of(image.value), pixels_of(labels.value), rgb=image.value.rgb, crop=crop.value)
        except DataError as error:
            status.value = str(error)
            return
        settings = {
            "folder": folder.value,
            "init": None if init.value == scratch else init.value,
            "epochs": epochs.value,
            "steps": steps.value,
        }
        status.value = "training ..."
        start(
            button, status, train_model, planes, done=done, log=Path(folder.value) / LOG, after_epoch=tell, **settings
        )

    return widget
