"""Provenance: a JSON record of everything a result depends on."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .._version import __version__
from ..detection.detector import Detector
from ..detection.pipeline import Detection
from ..io.files.atomic import new_file

_LIBRARIES = (
    "numpy", "scipy", "numba", "scikit-image", "tensorflow", "keras", "jax", "h5py",
    "tifffile", "imagecodecs", "zarr", "pillow", "openslide-python", "roifile",
)  # fmt: skip


def describe_run(
    model: Detector,
    found: Detection,
    *,
    image: Mapping[str, Any],
    settings: Mapping[str, Any],
    n_objects: int,
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """Build the provenance record of a result.

    Parameters
    ----------
    model : Detector
    found : Detection
    image : mapping of JSON types
        Identity of the image and the analysed part.
    settings : mapping of JSON types
        Settings as requested. If ``prob_threshold`` or ``nms_threshold`` is None, the model's value is recorded.
    n_objects : int
        Objects visible in the labels.
    seconds : mapping
        Time per stage. Writing counts from the last tile to this record.

    Returns
    -------
    dict of JSON types
    """
    growth = {"mask_growth": model.mask_growth.to_dict()} if settings.get("spread", 0) is None else {}
    thresholds = {f"{name}_threshold": getattr(model.thresholds, name) for name in ("prob", "nms")}
    asked = {name: value for name, value in settings.items() if value is not None}
    return {
        "starpoly": __version__,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": {
            "name": model.spec.name,
            "fingerprint": model.fingerprint(),
            "precision": model.precision,
            "engine": model.engine,
            "tta": asked.pop("tta", "none"),
        },
        "input": dict(image),
        "settings": thresholds | asked | growth | {"scale": found.scale},
        "look": found.look,
        "normalizer": None if found.normalizer is None else found.normalizer.to_dict(),
        "tiles": {
            "n": found.n_tiles,
            "skipped": found.n_skipped,
            "window": list(found.window),
            "halo": list(found.halo),
        },
        "candidates": found.n_candidates,
        "objects": n_objects,
        "seconds": {stage: round(duration, 3) for stage, duration in seconds.items()},
        "python": platform.python_version(),
        "libraries": dict(_versions()),
    }


def describe_stack(
    records: Sequence[Mapping[str, Any]],
    places: Sequence[Mapping[str, int]],
    stack: Mapping[str, Any],
    n_objects: int,
) -> dict[str, Any]:
    """The record of a stack, from those of its planes.

    Parameters
    ----------
    records : sequence of mappings
        As :func:`describe_run` gives them.
    places : sequence of mappings
        Where each plane lies in the file.
    stack : mapping of JSON types
        Axes, lengths, links.
    n_objects : int
        Objects that differ.

    Returns
    -------
    dict of JSON types
        The last plane's record; what differs from plane to plane is listed in ``planes``.
    """
    whole = dict(records[-1])
    seconds: Counter[str] = Counter()
    for record in records:
        seconds.update(record["seconds"])
    for name in ("look", "normalizer", "tiles", "candidates"):
        del whole[name]
    settings = {name: value for name, value in whole["settings"].items() if name != "scale"}
    listed = [
        {
            **place,
            "scale": record["settings"]["scale"],
            **{name: record[name] for name in ("look", "normalizer", "tiles", "candidates", "objects")},
        }
        for place, record in zip(places, records, strict=True)
    ]
    return whole | {
        "settings": settings,
        "stack": dict(stack),
        "objects": n_objects,
        "seconds": {stage: round(duration, 3) for stage, duration in seconds.items()},
        "planes": listed,
    }


def write_provenance(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record as JSON.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with new_file(path) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8", newline="\n")


@cache
def _versions() -> dict[str, str]:
    """Versions of the installed libraries that affect results; looked up once, since that takes as long as a small image."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
