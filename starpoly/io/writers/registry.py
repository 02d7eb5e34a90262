"""Registry of result formats, one line each.

A new format is one module of this package with ``write_results(path, results)``, see :mod:`starpoly.io.writers.results`, and
one line in :data:`FORMATS`. ``--format``, the names of files, the summary and the search for images derive from it. The table
is light: it loads the module of a format when a file is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError, install_command

if TYPE_CHECKING:
    from .results import Results


@dataclass(frozen=True)
class Format:
    """One kind of file.

    Attributes
    ----------
    ending : str
        Of the file's name, after that of the image.
    module : str
        Of this package.
    help : str
        For ``--format``; empty where an option of its own asks for the format.
    package, extra : str
        The package that it needs, and the extra that installs it.
    """

    ending: str
    module: str
    help: str = ""
    package: str = ""
    extra: str = ""

    def check_installed(self) -> None:
        """Refuse the format where its package is missing, before anything is computed.

        Raises
        ------
        ConfigError
            If it is not installed.
        """
        if self.package and find_spec(self.package) is None:
            raise ConfigError(f"format: expected the package {self.package}, got none; {install_command(self.extra)}")

    def write(self, path: Path, results: Results, **settings: Any) -> None:
        """Write the results of one image, whole or not at all."""
        import_module(f".{self.module}", __package__).write_results(path, results, **settings)


FORMATS: Mapping[str, Format] = {
    "table": Format("_table.csv", "table"),
    "geojson": Format(".geojson", "geojson", "QuPath"),
    "rois": Format("_rois.zip", "imagej_rois", "ImageJ", "roifile", "imagej"),
    "zarr": Format(".ome.zarr", "ome_zarr", "OME-Zarr labels"),
    "cells": Format("_label_cells.tiff", "cell_tiff"),
    "labels": Format("_label.tiff", "label_tiff"),
}
"""All formats, in the order in which they are written; the labels come last: where they are, all is done."""

COMPANIONS = {"overlay": "_overlay.png", "provenance": "_provenance.json"}
"""Files beside them that need more than the objects: the image, or the run."""

ENDINGS: Mapping[str, str] = {name: of.ending for name, of in FORMATS.items()} | COMPANIONS
"""Endings of all files by name."""
