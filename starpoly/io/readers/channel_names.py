"""Names of channels: as files state them, and channels picked by name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from xml.etree import ElementTree

from ...errors import ImageError
from ...images.channels import COLOURS, list_channels

_LONGEST = 80
"""Characters of a name that are kept."""


def clean_names(names: Sequence[object], n_channels: int) -> tuple[str, ...]:
    """Names in one line each; none where their number is not that of the channels, or all are empty."""
    cleaned = tuple("".join(c if c.isprintable() else " " for c in str(name)).strip()[:_LONGEST] for name in names)
    return cleaned if len(cleaned) == n_channels and any(cleaned) else ()


def pick_channels(wanted: Sequence[int | str], names: Sequence[str], n_channels: int, name: object) -> tuple[int, ...]:
    """Indices of channels that are given by index or by name.

    Parameters
    ----------
    wanted : sequence of int or str
        Indices from 0, or names: the whole name or one word of it, in small or capital letters. Three channels without names
        are red, green and blue.
    names : sequence of str
        Of all channels; empty where the file states none.
    n_channels : int
    name : object
        The file, for messages.

    Raises
    ------
    ImageError
        If there is no such channel, or a name fits several.
    """
    return tuple(_pick(channel, names, n_channels, name) for channel in wanted)


def _pick(wanted: int | str, names: Sequence[str], n_channels: int, name: object) -> int:
    there = list_channels(n_channels, names)
    if not isinstance(wanted, str):
        if not 0 <= wanted < n_channels:
            raise ImageError(f"{name}: expected channels from 0 to {n_channels - 1}, got {wanted}; it has {there}")
        return int(wanted)
    known = names or (COLOURS if n_channels in (3, 4) else ())
    found = _fitting(wanted.strip().casefold(), [stated.casefold() for stated in known])
    if len(found) == 1:
        return found[0]
    if not names:
        raise ImageError(
            f"{name}: expected channels by index, as its channels have no names, got {wanted!r}; it has {there}"
        )
    got = f"{len(found)} of that name, give one by its index" if found else "none of that name"
    raise ImageError(f"{name}: expected a channel {wanted!r}, got {got}; it has {there}")


def _fitting(wanted: str, names: Sequence[str]) -> list[int]:
    """Channels of that name, else those with it as a word."""
    whole = [index for index, name in enumerate(names) if name == wanted]
    return whole or [
        index for index, name in enumerate(names) if wanted and wanted in re.split(r"[\s:;,/()\[\]_-]+", name)
    ]


def names_in_ome(xml: str, image: int = 0) -> tuple[str, ...]:
    """Names of the channels of an image in OME-XML; a channel without a name has its ``Fluor``, or none."""
    with suppress(ElementTree.ParseError):
        images = ElementTree.fromstring(xml).findall("./{*}Image")
        if image < len(images):
            channels = images[image].findall("./{*}Pixels/{*}Channel")
            return tuple(channel.get("Name") or channel.get("Fluor") or "" for channel in channels)
    return ()


def names_in_omero(attributes: Mapping[str, Any]) -> tuple[str, ...]:
    """Labels of the channels in the ``omero`` part of the metadata of an OME-Zarr."""
    omero = attributes.get("omero")
    channels = omero.get("channels") if isinstance(omero, Mapping) else None
    if not isinstance(channels, list):
        return ()
    return tuple(str(channel.get("label") or "") if isinstance(channel, Mapping) else "" for channel in channels)


def names_in_tiff(tiff: Any, n_channels: int, series: int = 0) -> tuple[str, ...]:
    """Names of the channels of a series of a TIFF file.

    Parameters
    ----------
    tiff : tifffile.TiffFile
    n_channels : int
        Other numbers of names are none.
    series : int
        Index of the series.
    """
    for stated in (_of_ome, _of_imagej, _of_qptiff, _of_micromanager, _of_lsm, _of_metamorph):
        with suppress(Exception):  # metadata that cannot be read state none
            names = clean_names(stated(tiff, n_channels, series), n_channels)
            if names:
                return names
    return ()


def _of_ome(tiff: Any, n_channels: int, series: int) -> Sequence[str]:
    return names_in_ome(tiff.ome_metadata or "", series) if tiff.is_ome else ()


def _of_imagej(tiff: Any, n_channels: int, series: int) -> Sequence[str]:
    """ImageJ labels every plane, channels fastest; several planes of a channel share what they have in common."""
    metadata = tiff.imagej_metadata or {}
    labels = metadata.get("Labels") or ()
    if len(labels) == n_channels and int(metadata.get("channels", n_channels)) == n_channels:
        return [str(label).splitlines()[0] if str(label) else "" for label in labels]
    if n_channels > 1 and len(labels) > n_channels and len(labels) % n_channels == 0:
        return [_common([str(label) for label in labels[channel::n_channels]]) for channel in range(n_channels)]
    return ()


def _common(labels: Sequence[str]) -> str:
    return labels[0] if len(set(labels)) == 1 else ""


def _of_qptiff(tiff: Any, n_channels: int, series: int) -> Sequence[str]:
    if not tiff.is_qpi:
        return ()
    names = []
    for page in tiff.series[series].pages:
        root = ElementTree.fromstring(page.aspage().description)
        names.append(root.findtext("./Biomarker") or root.findtext("./Name") or "")
    return names


def _of_micromanager(tiff: Any, n_channels: int, series: int) -> Sequence[str]:
    summary = (tiff.micromanager_metadata or {}).get("Summary", {}) if tiff.is_micromanager else {}
    return summary.get("ChNames", ())


def _of_lsm(tiff: Any, n_channels: int, series: int) -> Sequence[str]:
    colors = (tiff.lsm_metadata or {}).get("ChannelColors", {}) if tiff.is_lsm else {}
    return colors.get("ColorNames", ())


def _of_metamorph(tiff: Any, n_channels: int, series: int) -> Sequence[str]:
    """A STK file is one channel, named in its first plane's tags."""
    names = (tiff.stk_metadata or {}).get("Name", ()) if tiff.is_stk and n_channels == 1 else ()
    return [str(names[0])] if names else ()
