"""Where an image lies in a stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


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
    """

    columns: Mapping[str, int] = field(default_factory=dict)
    hyperstack: bool = False
    marks: Mapping[str, Any] = field(default_factory=dict)
