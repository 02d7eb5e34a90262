"""The validation images of the shared data, where they are at hand."""

from __future__ import annotations

import csv
from pathlib import Path


def val_pairs(shared: Path) -> list[tuple[Path, Path]]:
    """(image, mask) of each fluorescence image of the validation split, by name."""
    data = shared / "data"
    with (data / "manifest.csv").open() as file:
        names = [r["name"] for r in csv.DictReader(file) if r["split"] == "val" and r["modality"] == "fluorescence"]
    return [(data / "images" / f"{name}.png", data / "labels" / f"{name}.tif") for name in sorted(names)]
