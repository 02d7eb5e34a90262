"""Write the label image of cells as TIFF, like that of their nuclei."""

from __future__ import annotations

from pathlib import Path

from ...errors import ConfigError
from .label_tiff import write_labels
from .results import Results


def write_results(path: Path, results: Results) -> None:
    """Write the cells of an image; see :func:`~starpoly.io.writers.label_tiff.write_labels`.

    Raises
    ------
    ConfigError
        If nuclei were not expanded.
    """
    if results.cells is None:
        raise ConfigError(f"{path}: expected a distance by which nuclei expand to cells, got none; give expand")
    write_labels(path, results.cells, pixel_size=results.pixel_size, frame=results.frame)
