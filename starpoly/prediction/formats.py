"""Which files are written of an image, by name of their format."""

from __future__ import annotations

from pathlib import Path

from ..errors import ConfigError
from ..io.writers.registry import ENDINGS, FORMATS, Format


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
