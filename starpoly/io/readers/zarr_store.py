"""Files of a zarr folder, read with distrust: regular files inside the folder, metadata with allowed codecs."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from zarr.storage import LocalStore

from ...errors import ImageError
from ..files.url import UrlPath
from .zarr_metadata import MOST_METADATA_BYTES, check_metadata, is_metadata
from .zarr_remote import RemoteStore, open_remote


class GuardedStore(LocalStore):
    """A folder whose links do not lead out of it and whose entries are regular files.

    Parameters
    ----------
    root : Path
        The folder.
    """

    def __init__(self, root: Path | str, *, read_only: bool = True) -> None:
        super().__init__(root, read_only=True)
        self._real_root = os.path.realpath(root)

    async def get(self, key: str, prototype: Any = None, byte_range: Any = None) -> Any:
        """The bytes of an entry, None if there is none."""
        if not self.holds(key):
            return None
        found = await super().get(key, prototype, byte_range)
        if found is not None and byte_range is None and is_metadata(key):
            check_metadata(found.to_bytes(), key, self.root)
        return found

    async def get_partial_values(self, prototype: Any, key_ranges: Iterable[tuple[str, Any]]) -> list[Any]:
        """As :meth:`get`, of parts."""
        return [await self.get(key, prototype, byte_range) for key, byte_range in key_ranges]

    def get_sync(self, key: str, *, prototype: Any = None, byte_range: Any = None) -> Any:
        """As :meth:`get`, where zarr reads without waiting."""
        if not self.holds(key):
            return None
        found = super().get_sync(key, prototype=prototype, byte_range=byte_range)
        if found is not None and byte_range is None and is_metadata(key):
            check_metadata(found.to_bytes(), key, self.root)
        return found

    def holds(self, key: str) -> bool:
        """Whether there is a file of that name.

        Raises
        ------
        ImageError
            If it is a link that leads out of the folder, or no regular file.
        """
        return self.size_of(key) is not None

    def size_of(self, key: str) -> int | None:
        """Bytes of the file of that name, None if there is none; otherwise as :meth:`holds`."""
        path = os.path.join(self.root, key)
        try:
            status = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise ImageError(f"{path}: expected a readable file, got: {error.strerror or error}") from error
        real = os.path.realpath(path)
        if real != self._real_root and not real.startswith(os.path.join(self._real_root, "")):
            raise ImageError(
                f"{self.root}: expected files inside the folder, got {key}, a link that leads out of it; copy what it refers to"
            )
        if stat.S_ISDIR(status.st_mode):
            return None
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(f"{self.root}: expected regular files, got {key}, which is none; copy the image again")
        if is_metadata(key) and status.st_size > MOST_METADATA_BYTES:
            raise ImageError(
                f"{path}: expected at most {MOST_METADATA_BYTES} bytes of metadata, got {status.st_size}; export it again"
            )
        return status.st_size


def open_store(path: Path) -> GuardedStore | RemoteStore:
    """The store of a folder or of a URL."""
    return open_remote(path) if isinstance(path, UrlPath) else GuardedStore(path)
