"""Settings of a training: defaults, then a TOML file, then explicit values."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config import Config, NetworkConfig, NormalizationConfig, TrainingConfig
from ..errors import ConfigError, suggestion
from ..io.text_tables import decode_text
from ..model_zoo import find_model
from ..network.architectures.registry import ARCHITECTURES
from ..network.storage.folder import load_spec

_DECIMAL_COMMA = re.compile(r"^\s*\w+\s*=\s*[-+]?\d+,\d+\s*(#.*)?$", re.MULTILINE)
#: Tables of a settings file.
TABLES: dict[str, type[Config]] = {
    "network": NetworkConfig,
    "training": TrainingConfig,
    "normalization": NormalizationConfig,
}


@dataclass(frozen=True)
class TrainingSettings:
    """The configs of a training. ``network`` None keeps the initial model's network."""

    network: NetworkConfig | None
    training: TrainingConfig
    normalization: NormalizationConfig


#: Defaults of a training that starts from a model: shorter and gentler, for what the model knows is to be kept.
PRESET_OF_INIT: Mapping[str, Any] = {"epochs": 20, "learning_rate": 3e-4}


def read_settings(
    file: Path | None = None,
    *,
    training: Mapping[str, Any] | None = None,
    init: str | Path | None = None,
    resumed: Mapping[str, Mapping[str, Any]] | None = None,
) -> TrainingSettings:
    """Read settings from a file and merge explicit values.

    Parameters
    ----------
    file : Path, optional
        TOML file with any of the tables ``[network]``, ``[training]`` and ``[normalization]``.
    training : mapping, optional
        Settings that override the table ``[training]``.
    init : str or Path, optional
        Initial model. The table ``[network]`` modifies its network; :data:`PRESET_OF_INIT` are the defaults.
    resumed : mapping of tables, optional
        Those of a checkpoint, see :func:`~starpoly.training.resuming.settings_to_resume`: what is not stated stays.

    Raises
    ------
    ConfigError
        If the file cannot be read, or a table or setting is unknown, of the wrong type or out of range.
    ModelError
        If there is no such initial model.
    """
    if init is not None:
        find_model(init)  # a wrong name is told before the work
    tables: dict[str, dict[str, Any]] = {name: {} for name in TABLES} | ({} if file is None else read_toml(file))
    if resumed:
        tables = {name: {**resumed.get(name, {}), **table} for name, table in tables.items()}
    elif init is not None:
        tables["training"] = {**PRESET_OF_INIT, **tables["training"]}
    tables["training"] = {**tables["training"], **(training or {})}
    network = NetworkConfig.from_dict(tables["network"], where="network")
    ARCHITECTURES.check(network.architecture)
    return TrainingSettings(
        network if init is None or resumed else _changed_network(init, tables["network"]),
        TrainingConfig.from_dict(tables["training"], where="training"),
        NormalizationConfig.from_dict(tables["normalization"], where="normalization"),
    )


def read_toml(path: Path) -> dict[str, dict[str, Any]]:
    """Read the tables of a settings file.

    Raises
    ------
    ConfigError
        If it is no TOML file, or has an unknown table, or a setting that is unknown or wrong.
    """
    try:
        text = decode_text(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: expected a TOML file of settings, got: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: expected a TOML file of settings, got: {error}") from error
    try:
        tables = tomllib.loads(re.sub(r"\r\n?", "\n", text))  # TOML knows no line ends of old Macintoshes
    except (ValueError, RecursionError) as error:
        remedy = "; write numbers with a point" if _DECIMAL_COMMA.search(text) else ""
        raise ConfigError(f"{path}: expected a TOML file of settings, got: {error}{remedy}") from error
    if unknown := sorted(set(tables) - set(TABLES)):
        homes = [name for name, config in TABLES.items() if unknown[0] in config.__dataclass_fields__]  # type: ignore[attr-defined]
        hint = f"; {unknown[0]} belongs into [{homes[0]}]" if homes else suggestion(unknown[0], TABLES)
        raise ConfigError(f"{path}: unknown table {unknown[0]!r}; expected some of {', '.join(TABLES)}{hint}")
    for name, table in tables.items():
        TABLES[name].from_dict(table, where=f"{path}: {name}")  # wrong settings are told with the file's name
    return tables


def _changed_network(init: str | Path, changes: dict[str, Any]) -> NetworkConfig | None:
    return load_spec(find_model(init)).network.replace(**changes) if changes else None
