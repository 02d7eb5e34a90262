"""What the shipped models found in the demonstration images when they were released, and how far an answer is from that.

python tests/support/golden.py write      after a model was trained anew
python tests/support/golden.py compare [ENGINE]    largest differences on this machine; ONEDNN_MAX_CPU_ISA=SSE41 in the
                                                   environment makes it an older kind of processor
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

STORED = Path(__file__).with_name("golden.json")
IMAGES = Path(__file__).resolve().parents[2] / "starpoly" / "demo_images"
#: Images that every model takes.
NAMES = ("fluorescence_nuclei", "stained_tissue")
COLUMNS = ("y", "x", "diameter", "probability")
#: Largest differences between processors and engines: pixels, pixels, part of the diameter, probability.
TOLERANCE = (0.01, 0.01, 1e-3, 1e-3)


def objects_of(model: str, name: str, **how: str) -> NDArray[np.float64]:
    """Objects of an image, (n, 4), see :data:`COLUMNS`."""
    from starpoly import StarPoly2D, read_image
    from starpoly.detection.sizes import diameters

    detector = StarPoly2D.from_pretrained(model, precision="float32", **how)
    found = detector.detect(read_image(IMAGES / f"{name}.png"))
    polygons = found.polygons
    return np.column_stack([polygons.points / found.scale, diameters(polygons) / found.scale, polygons.probabilities])


def stored() -> dict[str, dict[str, NDArray[np.float64]]]:
    """Of each model the objects of each image."""
    content = json.loads(STORED.read_text(encoding="utf-8"))
    return {model: {name: np.array(rows) for name, rows in images.items()} for model, images in content.items()}


def differences(expected: NDArray[np.float64], found: NDArray[np.float64]) -> tuple[int, tuple[float, ...]]:
    """How many objects have no partner within a pixel, on either side, and how far the others are apart at most."""
    away, partner = cKDTree(found[:, :2]).query(expected[:, :2])
    near = away < 1
    paired = near & (np.bincount(partner[near], minlength=len(found))[partner] == 1)
    ours, theirs = expected[paired], found[partner[paired]]
    apart = np.abs(ours - theirs)
    apart[:, 2] /= ours[:, 2]
    alone = len(expected) + len(found) - 2 * int(paired.sum())
    return alone, tuple(apart.max(axis=0, initial=0).tolist())


def write() -> None:
    """Store what the models find on this machine."""
    from starpoly.model_zoo import available_models

    content = {
        model: {name: objects_of(model, name).round(4).tolist() for name in NAMES} for model in available_models()
    }
    STORED.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8", newline="\n")


def main() -> int:
    """Write, or compare and print."""
    if sys.argv[1:] == ["write"]:
        write()
        return 0
    how = {"engine": sys.argv[2]} if len(sys.argv) > 2 else {}
    for model, images in stored().items():
        for name, expected in images.items():
            alone, apart = differences(expected, objects_of(model, name, **how))
            numbers = ", ".join(f"{column} {value:.2g}" for column, value in zip(COLUMNS, apart, strict=True))
            sys.stdout.write(f"{model}, {name}: {len(expected)} objects, {alone} without a partner; {numbers}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
