"""The files that a result can be written to: one line for each format.

A format is a module of :mod:`starpoly.io.writers` with ``write_results(path, results)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..io.writers.results import Results


@dataclass(frozen=True)
class Format:
    """One kind of file.

    Attributes
    ----------
    ending : str
        Of the file's name, after that of the image.
    module : str
        In :mod:`starpoly.io.writers`.
    help : str
        For ``--format``; empty where an option of its own asks for the format.
    """

    ending: str
    module: str
    help: str = ""

    def write(self, path: Path, results: Results, **settings: Any) -> None:
        """Write the results of one image, whole or not at all."""
        import_module(f"..io.writers.{self.module}", __package__).write_results(path, results, **settings)


#: All formats, in the order in which they are written; the labels come last: where they are, all is done.
FORMATS: Mapping[str, Format] = {
    "table": Format("_table.csv", "table"),
    "geojson": Format(".geojson", "geojson", "QuPath"),
    "rois": Format("_rois.zip", "imagej_rois", "ImageJ"),
    "zarr": Format(".ome.zarr", "ome_zarr", "OME-Zarr labels"),
    "labels": Format("_label.tiff", "label_tiff"),
}

#: Files beside them that need more than the objects: the image, or the run.
COMPANIONS = {"overlay": "_overlay.png", "provenance": "_provenance.json"}

#: Endings of all files by name.
ENDINGS: Mapping[str, str] = {name: of.ending for name, of in FORMATS.items()} | COMPANIONS


class SlideOutputs:
    """Files to write, by name of their format; None for those that are not wanted.

    Parameters
    ----------
    **paths : path or None
        ``labels``: TIFF; ``zarr``: OME-Zarr labels; ``geojson``: outlines for QuPath; ``rois``: outlines for ImageJ; ``table``:
        CSV; ``overlay``: the outlines over the image, PNG; ``provenance``: JSON, what all this depends on.

    Attributes
    ----------
    paths : dict of str to Path
        Those that are wanted.

    Raises
    ------
    ConfigError
        If there is no such format.
    """

    def __init__(self, **paths: str | Path | None) -> None:
        for name in paths:
            if name not in ENDINGS:
                raise ConfigError(f"outputs: expected some of {', '.join(ENDINGS)}, got {name!r}")
        self.paths = {name: Path(path) for name, path in paths.items() if path is not None}

    def __getattr__(self, name: str) -> Path | None:
        if name not in ENDINGS:
            raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")
        return self.__dict__.get("paths", {}).get(name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SlideOutputs) and self.paths == other.paths

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"SlideOutputs({', '.join(f'{name}={str(path)!r}' for name, path in self.paths.items())})"

    def formats(self) -> list[tuple[Format, Path]]:
        """The formats that are wanted but for the labels, and their files, in the order in which they are written."""
        return [(of, self.paths[name]) for name, of in FORMATS.items() if name in self.paths and name != "labels"]
