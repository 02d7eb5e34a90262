"""HTML page of a training: settings, losses and validation pictures."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .._version import __version__
from ..config import ModelSpec
from ..errors import ImageError, StarpolyError
from ..io.console import printable
from ..io.readers.images import read_image
from ..network.storage.folder import load_spec
from ..plot import figure_png, plot_losses
from .html import data_uri, write_html

#: Names in a model folder: the page, the picture folder and the log.
FILE_NAME = "training.html"
PICTURES = "validation"
LOG = "training.csv"
#: Limit on pictures in the page; above it, every k-th is shown.
_MOST_PICTURES = 24
_QUALITY = 85


def write_training_page(folder: Path) -> None:
    """Write ``training.html`` into a model folder.

    Parameters
    ----------
    folder : Path
        Holds ``model.json``, ``training.csv`` and optionally ``validation/epoch_NNNN.png``.

    Raises
    ------
    ModelError, DataError
        If the model or the log cannot be read.
    OutputError
        If the page cannot be written.
    """
    spec = load_spec(folder)
    log = folder / LOG
    curves = [
        (
            "losses",
            figure_png(
                lambda axes: plot_losses(axes, log, ["loss", "val_loss"] if _has_validation(log) else None), (5, 3), 160
            ),
        ),
        ("all parts of the loss", figure_png(lambda axes: plot_losses(axes, log), (5, 3), 160)),
    ]
    data = {
        "about": printable(spec.name),
        "made": f"starpoly {__version__}, {datetime.now(UTC).isoformat(sep=' ', timespec='minutes')}",
        "facts": _facts(spec),
        "figures": [[alt, data_uri("png", png)] for alt, png in curves],
        "pictures": _pictures(folder / PICTURES),
    }
    write_html(folder / FILE_NAME, "starpoly training", "training.html", "page.css", "training.js", data)


def _has_validation(log: Path) -> bool:
    with log.open(encoding="utf-8") as file:
        header = file.readline().rstrip("\n").split(",")
    return {"loss", "val_loss"} <= set(header)


def _facts(spec: ModelSpec) -> list[list[str]]:
    training: dict[str, Any] = spec.training
    small, typical, large = spec.object_diameter
    facts = {
        "training images": training.get("images"),
        "objects": training.get("objects"),
        "validation images": training.get("validation_images"),
        "started from": training.get("initial_model") or "nothing",
        "object diameter (px)": f"{typical:.1f} ({small:.1f} to {large:.1f})" if typical else None,
        "rays": spec.network.n_rays,
        "grid": " x ".join(map(str, spec.network.grid)),
        "classes": ", ".join(spec.class_names) or spec.network.n_classes or None,
        "best epoch": training.get("best_epoch"),
        "validation loss": f"{training['validation_loss']:.4g}"
        if isinstance(training.get("validation_loss"), int | float)
        else None,
        "probability threshold": f"{spec.thresholds.prob:g}",
        "overlap threshold": f"{spec.thresholds.nms:g}",
    }
    return [[name, printable(str(value))] for name, value in facts.items() if value is not None]


def _pictures(folder: Path) -> list[list[str]]:
    """Title and picture of each inspected epoch."""
    found = (
        sorted(path for path in folder.glob("epoch_*.png") if re.fullmatch(r"epoch_\d+", path.stem))
        if folder.is_dir()
        else []
    )
    step = max(1, -(-len(found) // _MOST_PICTURES))
    shown = found[::-1][::step][::-1]  # always includes the last one
    pictures = []
    for path in shown:
        try:
            pictures.append([f"epoch {int(path.stem.rpartition('_')[2])}", data_uri("jpeg", _as_jpeg(path))])
        except StarpolyError:
            continue
    return pictures


def _as_jpeg(path: Path) -> bytes:
    from PIL import Image

    picture = read_image(path)
    if picture.ndim != 3 or picture.dtype != "uint8":
        raise ImageError(f"{path}: expected a picture in colour, got {picture.dtype} of shape {picture.shape}")
    stream = io.BytesIO()
    Image.fromarray(picture[..., :3]).save(stream, format="JPEG", quality=_QUALITY, subsampling=0)
    return stream.getvalue()
