"""Result files of an image, by format name."""

from __future__ import annotations

from pathlib import Path

from ..errors import ConfigError
from ..io.files.atomic import check_free, make_folder
from ..io.files.zarr_folder import check_replaceable_zarr
from ..io.writers.registry import ENDINGS, FORMATS, Format


class SlideOutputs:
    """Files to write, by format name; None for no file.

    Parameters
    ----------
    **paths : path or None
        ``labels``: TIFF; ``zarr``: OME-Zarr labels; ``geojson``: outlines for QuPath; ``rois``: outlines for ImageJ;
        ``table``: CSV; ``cells``: TIFF of the objects as ``expand`` grows them;
        ``overlay``: PNG, outlines over the image; ``provenance``: JSON, model, settings and versions.

    Attributes
    ----------
    paths : dict of str to Path
        The requested files.

    Raises
    ------
    ConfigError
        If a format is unknown.
    """

    def __init__(self, **paths: str | Path | None) -> None:
        for name in paths:
            if name not in ENDINGS:
                raise ConfigError(f"outputs: expected some of {', '.join(ENDINGS)}, got {name!r}")
        self.paths = {
            name: path if isinstance(path, Path) else Path(path) for name, path in paths.items() if path is not None
        }

    def __getattr__(self, name: str) -> Path | None:
        if name not in ENDINGS:
            raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")
        return self.__dict__.get("paths", {}).get(name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SlideOutputs) and self.paths == other.paths

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"SlideOutputs({', '.join(f'{name}={str(path)!r}' for name, path in self.paths.items())})"

    def absolute(self) -> SlideOutputs:
        """The same files by absolute paths, for processes in other folders."""
        return SlideOutputs(**{name: path.absolute() for name, path in self.paths.items()})

    @property
    def measured(self) -> bool:
        """Whether a file holds what is measured of objects, beside the columns that all have."""
        return "table" in self.paths

    @property
    def outlined(self) -> bool:
        """Whether a file holds outlines."""
        return not self.paths.keys().isdisjoint(("geojson", "rois"))

    def prepare(self, *, growing: bool = False) -> None:
        """Make the folders, and refuse names of something else than a result, before any work is done.

        Files beside the labels are refused as they are written, which costs nothing else.

        Parameters
        ----------
        growing : bool
            Whether results are written during detection: one that fails would end all.

        Raises
        ------
        OutputError
            If a folder cannot be made, or a folder, a link, a pipe or a device has a file's name.
        """
        for name, path in self.paths.items():
            make_folder(path.parent)
            if name == "zarr":
                check_replaceable_zarr(path)
            elif name == "labels" or (growing and name in FORMATS):
                check_free(path)

    def formats(self) -> list[tuple[Format, Path]]:
        """Requested formats and files except the labels, in writing order."""
        return [(of, self.paths[name]) for name, of in FORMATS.items() if name in self.paths and name != "labels"]
