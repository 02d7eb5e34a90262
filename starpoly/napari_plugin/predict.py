"""Widget that segments an image layer."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..detection.detector import Detector
from ..errors import ImageError
from ..labels.measurements import measure
from ..model_zoo import available_models, find_model
from ..prediction.choice import choose_model
from ..prediction.models import Choice
from .helper import start
from .layers import pixels_of, placement_of

if TYPE_CHECKING:
    from magicgui.widgets import Container

#: Entry in the list of models: choose a model for the image.
BY_LOOK = "by the look of the image"


def find_objects(
    image: NDArray,
    model: str | Path | None = None,
    *,
    rgb: bool = False,
    prob_threshold: float | None = None,
    nms_threshold: float | None = None,
) -> tuple[NDArray[np.int32], dict[str, NDArray]]:
    """Segment an image, or each plane of a stack.

    Parameters
    ----------
    image : (..., Y, X) or, with ``rgb``, (..., Y, X, C) array
    model : str or Path, optional
        Name or folder. Default: a shipped model, chosen by a look at the first plane.
    rgb : bool
        Whether the last axis is colour.
    prob_threshold, nms_threshold : float, optional
        Override the model's thresholds.

    Returns
    -------
    labels : (..., Y, X) int32
        Ids are unique over all planes.
    features : dict of columns
        One row per object with the columns of :func:`starpoly.labels.measure`, plus ``index``, the object's id.

    Raises
    ------
    ImageError, ModelError
        As for :meth:`~starpoly.detection.Detector.predict_instances`.
    """
    n_axes = 3 if rgb else 2
    if image.ndim < n_axes:
        raise ImageError(f"expected an image with at least {n_axes} axes, got shape {image.shape}")
    planes = image.reshape(-1, *image.shape[image.ndim - n_axes :])
    choice = choose_model(planes[0]) if model is None else Choice(str(model), _load(find_model(model)))
    ready, channels = choice.model, choice.channels
    labels = np.zeros(planes.shape[:3], np.int32)
    tables: list[dict[str, NDArray]] = []
    first = 0
    for plane, out in zip(planes, labels, strict=True):
        seen = plane if channels is None else plane[..., list(channels)]
        found, details = ready.predict_instances(seen, prob_threshold=prob_threshold, nms_threshold=nms_threshold)
        table = {
            name: np.asarray(column)
            for name, column in measure(found, details["polygons"], ready.spec.class_names).items()
        }
        out[...] = np.where(found > 0, found + first, 0)
        tables.append(table | {"label": table["label"] + first})
        first += len(table["label"])
    columns: dict[str, NDArray] = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    columns["index"] = columns["label"]
    shape: tuple[int, ...] = image.shape[:-1] if rgb else image.shape
    return labels.reshape(shape), columns


@lru_cache(maxsize=1)
def _load(folder: Path) -> Detector:
    return Detector.from_pretrained(folder)


def make_widget() -> Container:
    """Build the widget: image layer, model, thresholds, button. The result is a labels layer with measurements."""
    from magicgui.widgets import CheckBox, ComboBox, Container, FileEdit, FloatSlider, Label, PushButton, create_widget
    from napari.layers import Image

    image = create_widget(annotation=Image, label="Image")
    model = ComboBox(label="Model", choices=[BY_LOOK, *available_models()], value=BY_LOOK)
    folder = FileEdit(label="or model folder", mode="d", value="", nullable=True)
    own = CheckBox(text="the model's thresholds", value=True)
    prob = FloatSlider(label="Probability", min=0.01, max=0.99, value=0.5, enabled=False)
    nms = FloatSlider(label="Overlap", min=0.0, max=1.0, value=0.4, enabled=False)
    button, status = PushButton(text="Find objects"), Label(value="")
    widget = Container(widgets=[image, model, folder, own, prob, nms, button, status])

    @own.changed.connect
    def _use_own(value: bool) -> None:
        prob.enabled = nms.enabled = not value

    def show(result: tuple[NDArray, dict[str, Any]], layer: Image) -> None:
        from napari import current_viewer

        labels, features = result
        viewer = current_viewer()
        name = f"{layer.name} objects"
        viewer.add_labels(labels, name=name, features=features, **placement_of(layer))
        status.value = f"{len(features['label'])} objects"

    @button.changed.connect
    def _run() -> None:
        layer = image.value
        if layer is None:
            status.value = "open an image first"
            return
        chosen = folder.value if folder.value and str(folder.value) not in ("", ".") else model.value
        chosen = None if chosen == BY_LOOK else chosen
        thresholds: dict[str, Any] = {} if own.value else {"prob_threshold": prob.value, "nms_threshold": nms.value}
        status.value = "looking ..."
        start(
            button,
            status,
            find_objects,
            pixels_of(layer),
            chosen,
            done=lambda result: show(result, layer),
            rgb=layer.rgb,
            **thresholds,
        )

    return widget
