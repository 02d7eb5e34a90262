"""Where an image lies in a stack."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..io.readers.source import Source


@dataclass(frozen=True)
class Place:
    """Where a plane lies in its file.

    Attributes
    ----------
    columns : mapping of str to int
        Leading columns of its objects: scene, t and z, as far as the file has them.
    hyperstack : bool
        Whether ImageJ counts planes along several axes.
    marks : mapping
        What tells the image from others, see :func:`starpoly.io.files.identity.identify`.
    open_all_channels : callable, optional
        Opens all channels of the plane, to measure in.
    """

    columns: Mapping[str, int] = field(default_factory=dict)
    hyperstack: bool = False
    marks: Mapping[str, Any] = field(default_factory=dict)
    open_all_channels: Callable[[], Source] | None = None
