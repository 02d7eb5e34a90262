"""File names: what an image is called, pairing keys, and detection of masks and results.

One rule names an image everywhere: :func:`stem`, the file's name without its image suffix. Results are called by it, and
:func:`key`, which pairs images, masks and results, is the same without a suffix such as ``_label`` or ``_img``.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from ..readers.registry import SUFFIXES, has_image_suffix
from ..writers.registry import ENDINGS
from .small_json import read_small_json

_OME_BEFORE = (".tif", ".tiff", ".btf", ".tf8", ".zarr")
_OME = re.compile(r"(?<=.)\.ome$", re.IGNORECASE)
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

    The file's name without its extension, without one suffix ``_label``, ``_labels``, ``_mask``, ``_masks`` or ``_cp_masks``,
    without ``.ome``, and then without one suffix ``_img`` or ``_image``: an image, its mask and its result have the same.
    Accented letters are brought to their composed form, since some file systems store them decomposed.

    Examples
    --------
    >>> key("labels/cell_01_label.tiff"), key("cell_01.ome.tif"), key("cell_01_img_label.tiff"), key("a.b.png")
    ('cell_01', 'cell_01', 'cell_01', 'a.b')
    """
    return unicodedata.normalize("NFC", _IMAGE.sub("", _OME.sub("", _MASK.sub("", stem(Path(path))))))


def stem(path: Path) -> str:
    """The name without an image suffix; other suffixes stay."""
    name, suffix = os.path.splitext(path.name)
    if suffix.lower() not in SUFFIXES:
        return path.name
    return name[:-4] if suffix.lower() in _OME_BEFORE and name.lower().endswith(".ome") else name


def result_names(path: Path) -> Iterator[str]:
    """What the results of an image may be called, from the usual name to unmistakable ones.

    The image's :func:`stem`; its full name; this after the names of one, two ... folders around it; at last with a hash of
    the path as given, for names that differ in capital letters alone.

    Examples
    --------
    >>> list(result_names(Path("day/well/2024.05.01_s1.png")))[:3]
    ['2024.05.01_s1', '2024.05.01_s1.png', 'well_2024.05.01_s1.png']
    """
    visible = path.name.lstrip(".") or "image"
    yield stem(Path(visible))
    yield visible
    folders = [part.rstrip(":") for part in path.parent.parts if part not in (path.anchor, ".", "..")]
    for n in range(1, len(folders) + 1):
        yield "_".join((*folders[-n:], visible))
    yield f"{visible}_{hashlib.blake2b(os.fsencode(path), digest_size=4).hexdigest()}"


def challenge_names(path: Path) -> Iterator[str]:
    """The same, after the name up to its first dot: the rule of the NeurIPS 2022 challenge."""
    first, _, _ = path.name.partition(".")
    yield from dict.fromkeys((*([first] if first else []), *result_names(path)))


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


def is_overlay(path: Path) -> bool:
    """Whether the name is that of the picture of an image with its objects."""
    return path.name.lower().endswith(ENDINGS["overlay"])


def foreign_overlays(overlays: Sequence[Path], images: Sequence[Path]) -> list[Path]:
    """Files named like overlays that are of none of the images, nor of a scene or plane of one.

    Examples
    --------
    >>> overlays = [Path("a_overlay.png"), Path("a_s1_overlay.png"), Path("b_overlay.png")]
    >>> [path.name for path in foreign_overlays(overlays, [Path("a.tif")])]
    ['b_overlay.png']
    """
    if not overlays:
        return []
    named = {name for image in images for name in (*islice(result_names(image), 2), next(challenge_names(image)))}

    def is_known(path: Path) -> bool:
        words = path.name[: -len(ENDINGS["overlay"])].split("_")
        return any("_".join(words[:n]) in named for n in range(1, len(words) + 1))

    return [path for path in overlays if not is_known(path)]


def is_ours(path: Path) -> bool:
    """Whether the name is that of a ``starpoly predict`` result."""
    name = path.name.lower()
    return name == _REPORT or name.endswith(_ENDINGS) or bool(_LABELS.search(name))


def holds_labels(folder: Path) -> bool:
    """Whether a zarr's metadata mark labels, as written by ``--format zarr``."""
    for name in ("zarr.json", ".zattrs"):
        try:
            attributes = read_small_json(folder / name, _LARGEST_ATTRIBUTES)
            attributes = attributes["attributes"] if name == "zarr.json" else attributes
            if "image-label" in attributes.get("ome", attributes):
                return True
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return False
