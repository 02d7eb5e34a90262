"""What a training keeps of the model that it starts from."""

from __future__ import annotations

from pathlib import Path

from ..config import NetworkConfig


def layers_afresh(init: Path, network: NetworkConfig) -> list[str]:
    """Layers of a network that do not get their weights from a model.

    Parameters
    ----------
    init : Path
        Model folder.
    network : NetworkConfig
        That is to be trained.
    """
    from ..network.architectures.registry import build_network
    from ..network.storage.folder import load_model
    from ..network.transfer import transfer_weights

    return transfer_weights(load_model(init)[1], build_network(network))


def describe_afresh(init: Path, given: NetworkConfig, wanted: NetworkConfig) -> str:
    """For people: which layers start afresh with the wanted settings, and which setting to keep.

    Parameters
    ----------
    init : Path
        Model folder.
    given, wanted : NetworkConfig
        The model's, and that of the training.
    """
    names = ("n_channels", "n_rays", "grid")
    other = [name for name in names if getattr(given, name) != getattr(wanted, name)]
    if not other:
        return f"--init {init.name}: all layers keep their weights"
    if given.settings:
        return f"--init {init.name}: a model of StarDist keeps its network; leave the settings of the network out"
    fresh = layers_afresh(init, wanted)
    keep = ", ".join(f"{name} = {_toml(getattr(given, name))}" for name in other)
    if not fresh:
        return f"--init {init.name}: all layers keep their weights, also with these settings"
    return f"--init {init.name}: {len(fresh)} layers start afresh ({', '.join(fresh)}); none does with {keep}"


def _toml(value: object) -> str:
    return str(list(value)) if isinstance(value, tuple) else str(value)
