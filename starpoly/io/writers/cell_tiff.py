"""Write the label image of cells as TIFF, like that of their nuclei."""

from __future__ import annotations

from pathlib import Path

from ...errors import ConfigError
from .label_stack import write_label_stack
from .label_tiff import write_labels
from .results import Results


def write_results(path: Path, results: Results) -> None:
    """Write the cells of an image or a stack; see :func:`~starpoly.io.writers.label_tiff.write_labels`.

    Raises
    ------
    ConfigError
        If nuclei were not expanded.
    """
    if (stack := results.cell_stack) is not None:
        return write_label_stack(path, stack)
    if results.stack is not None or results.cells is None:
        raise ConfigError(f"{path}: expected a distance by which nuclei expand to cells, got none; give expand")
    write_labels(path, results.cells, pixel_size=results.pixel_size, frame=results.frame)
