"""File names: pairing keys, and detection of masks and results."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from pathlib import Path

from ..readers.registry import SUFFIXES, has_image_suffix
from ..writers.registry import ENDINGS

_OME_BEFORE = (".tif", ".tiff", ".btf", ".tf8", ".zarr")
_MASK = re.compile(r"(?<=.)_(cp_masks?|labels?|masks?)$", re.IGNORECASE)  # cp_masks: Cellpose
_IMAGE = re.compile(r"(?<=.)_(img|image)$", re.IGNORECASE)
_RESULT = re.compile(r"._(cp_masks?|labels?|masks?|overlay)$", re.IGNORECASE)
_LABELS = re.compile(r"(?<=.)_labels?\.tiff?$", re.IGNORECASE)
_REPORT = "report.html"
_NO_IMAGE = re.compile(r"_seg\.npy$", re.IGNORECASE)  # Cellpose: pickled Python objects
_LARGEST_ATTRIBUTES = 1 << 22  # bytes
# names such as a.ome.zarr hold either images or labels
_ENDINGS = tuple(
    ending for ending in ENDINGS.values() if ending.startswith("_") or not has_image_suffix(Path(f"a{ending}"))
)


def key(path: str | Path) -> str:
    """Pairing key of a file.

    The file's name without its extension (``.ome.tif`` counts as one) and without one suffix
    ``_label``, ``_labels``, ``_mask``, ``_masks``, ``_cp_masks``, ``_img`` or ``_image``. Accented letters are brought
    to their composed form, since some file systems store them decomposed.

    Examples
    --------
    >>> key("labels/cell_01_label.tiff"), key("cell_01.ome.tif"), key("cell_01_cp_masks.png"), key("a.b.png")
    ('cell_01', 'cell_01', 'cell_01', 'a.b')
    """
    name = stem(Path(path))
    without = _MASK.sub("", name)
    return unicodedata.normalize("NFC", without if without != name else _IMAGE.sub("", name))


def stem(path: Path) -> str:
    """The name without an image suffix; other suffixes stay."""
    name, suffix = os.path.splitext(path.name)
    if suffix.lower() not in SUFFIXES:
        return path.name
    return name[:-4] if suffix.lower() in _OME_BEFORE and name.lower().endswith(".ome") else name


def is_hidden(path: Path) -> bool:
    """Whether the name begins with a dot."""
    return path.name.startswith(".")


def may_be_image(path: Path) -> bool:
    """Whether the name looks like that of an image."""
    return has_image_suffix(path) and not _NO_IMAGE.search(path.name)


def is_mask(path: Path) -> bool:
    """Whether the name marks a label image, such as ``cell_label.tif`` or ``cell_cp_masks.png``."""
    return bool(_MASK.search(stem(path)))


def is_result(path: Path) -> bool:
    """Whether the name marks a derived image: labels, masks or an overlay."""
    return bool(_RESULT.search(stem(path)))


def is_ours(path: Path) -> bool:
    """Whether the name is that of a ``starpoly predict`` result."""
    name = path.name.lower()
    return name == _REPORT or name.endswith(_ENDINGS) or bool(_LABELS.search(name))


def holds_labels(folder: Path) -> bool:
    """Whether a zarr's metadata mark labels, as written by ``--format zarr``."""
    for name in ("zarr.json", ".zattrs"):
        try:
            with open(folder / name, encoding="utf-8") as file:
                text = file.read(_LARGEST_ATTRIBUTES)
            attributes = json.loads(text)
            attributes = attributes["attributes"] if name == "zarr.json" else attributes
            if "image-label" in attributes.get("ome", attributes):
                return True
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return False
