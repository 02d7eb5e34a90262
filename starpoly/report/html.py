"""Self-contained HTML files that show untrusted data safely."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

from ..io.files.atomic import new_file


def write_html(path: Path, title: str, body: str, style: str, script: str, data: Any) -> None:
    """Write a page from files of this package.

    File names, messages and all other outside text enter the page as JSON data. The page's script inserts them as text.
    The content security policy allows only this script to run and nothing to load.

    Parameters
    ----------
    path : Path
        The HTML file.
    title : str
        Title of the page, as HTML.
    body, style, script : str
        Names of the files inserted into ``frame.html``.
    data : JSON types

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    parts = {"style": _asset(style), "script": _asset(script)}
    hashes = {f"{name}_hash": _hash(text) for name, text in parts.items()}
    page = Template(_asset("frame.html")).substitute(
        **parts, **hashes, title=title, body=_asset(body).strip(), data=_as_data(data)
    )
    with new_file(path) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")


def link_to(path: Path, folder: Path) -> str | None:
    """A link relative to the page's folder; None for a file outside it."""
    try:
        inside = path.resolve().relative_to(folder.resolve())
    except (ValueError, OSError):
        return None
    return "./" + quote(os.fsencode(inside.as_posix()))


def data_uri(kind: str, content: bytes) -> str:
    """Embed content as a data URI."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _as_data(value: Any) -> str:
    """JSON that cannot close its enclosing script element."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Hash of an inline script or style for the content security policy."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}"
