"""Objects of a zarr that hold metadata, read with distrust, wherever they lie."""

from __future__ import annotations

import json

from .zarr_codecs import check_codecs, is_of_people

_METADATA = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")

MOST_METADATA_BYTES = 32 << 20
"""Bytes of an object of metadata; a plate of 384 wells with all its fields has some hundred thousand."""


def is_metadata(key: str) -> bool:
    """Whether an object of this name holds metadata."""
    return key.rpartition("/")[2] in _METADATA


def check_metadata(stored: bytes, key: str, name: object) -> None:
    """Refuse metadata with other codecs than those that are allowed.

    Parameters
    ----------
    stored : bytes
        The object.
    key : str
        Its name. Attributes, which belong to people, are not looked at.
    name : object
        For messages.

    Raises
    ------
    ImageError
    """
    if is_of_people(key):
        return
    try:
        metadata = json.loads(stored)
    except ValueError:
        return  # zarr says so
    check_codecs(metadata, name)
