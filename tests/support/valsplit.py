"""The validation images of the shared data, where they are at hand."""

from __future__ import annotations

import csv
from pathlib import Path


def val_pairs(shared: Path) -> list[tuple[Path, Path]]:
    """(image, mask) of each fluorescence image of the validation split, by name.

    Those that joined the data later (their ``orig`` begins with "hunt2:") are left out: the tests' bounds were measured
    without them.
    """
    data = shared / "data"
    with (data / "manifest.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "val" and row["modality"] == "fluorescence"]
    names = sorted(row["name"] for row in rows if not row["orig"].startswith("hunt2:"))
    return [(data / "images" / f"{name}.png", data / "labels" / f"{name}.tif") for name in names]
