"""Interface of a head: layers, target, loss and symmetry of one output."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...config import ModelSpec, NetworkConfig, TrainingConfig
from ..symmetry import Symmetry
from .label_patch import LabelPatch

if TYPE_CHECKING:
    import keras

#: Maps target and prediction, packed as in :meth:`Head.fill_target`, to a number.
Loss = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Features:
    """Feature maps on the grid: ``decoded`` after the U, ``shared`` after the layer common to most heads."""

    decoded: keras.KerasTensor
    shared: keras.KerasTensor


class Head(ABC):
    """One output of the network. Its module imports Keras inside functions.

    Attributes
    ----------
    name : str
        Name of the output and of its last layer.
    """

    name: str

    @abstractmethod
    def channels(self, network: NetworkConfig) -> int:
        """Number of output channels; 0 for a network without this head."""

    @abstractmethod
    def build(self, features: Features, network: NetworkConfig) -> keras.KerasTensor:
        """Add the head's layers, always in float32."""

    @abstractmethod
    def fill_target(self, patch: LabelPatch, out: NDArray[np.float32]) -> None:
        """Write target values and weights of a label patch to ``out`` (h, w, ``target_channels``)."""

    @abstractmethod
    def loss(self, network: NetworkConfig, training: TrainingConfig) -> Loss:
        """The loss of a batch."""

    def n_weights(self, decoded: int, shared: int, network: NetworkConfig) -> int:
        """Number of weights of the head's layers, on feature maps of so many channels; here of a 1 x 1 convolution."""
        return (shared + 1) * self.channels(network)

    def target_channels(self, network: NetworkConfig) -> int:
        """Number of target channels: values and weights."""
        return self.channels(network) + 1

    def bound(self, values: Any, spec: ModelSpec) -> Any:
        """The output as a Keras tensor, in the layout of :class:`~starpoly.network.DenseOutput`."""
        return values

    def realign(self, values: NDArray, symmetry: Symmetry, grid: tuple[int, int]) -> tuple[NDArray, NDArray | int]:
        """Transform the output for symmetric windows back to the original windows.

        Parameters
        ----------
        values : (batch, h, w, ...) array
        symmetry : Symmetry
        grid : (int, int)

        Returns
        -------
        values : array
            Output in the original orientation.
        seen : array or int
            1 where the symmetry gives an output, else 0; broadcasts over ``values``.
        """
        return symmetry.of_answer(values), 1
