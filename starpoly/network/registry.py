"""Registry of named parts, imported on first use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TypeVar

from ..errors import ConfigError, suggestion

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """A mapping from names to parts; imports a part's module on first use.

    Parameters
    ----------
    kind : str
        Kind of the parts, for messages.
    places : dict of str to str
        ``module:attribute`` for each name, with the module's full name.

    Raises
    ------
    ConfigError
        On lookup of an unknown name.
    """

    def __init__(self, kind: str, places: dict[str, str]) -> None:
        self._kind, self._places = kind, dict(places)

    def check(self, name: str) -> None:
        """Refuse an unknown name, without an import."""
        if name not in self._places:
            near = suggestion(str(name), self)
            raise ConfigError(f"{self._kind}: expected one of {', '.join(self)}, got {name!r}{near}")

    def __getitem__(self, name: str) -> T:
        self.check(name)
        module, _, attribute = self._places[name].partition(":")
        return getattr(import_module(module), attribute)

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
