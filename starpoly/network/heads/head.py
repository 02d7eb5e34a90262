"""What a head is: one output of the network, from its layers to its target, its loss and its symmetry."""

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

#: Target and prediction, packed as :meth:`Head.fill_target` says, to a number.
Loss = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Features:
    """Feature maps on the grid: ``decoded`` as they leave the U, ``shared`` after the layer that most heads share."""

    decoded: keras.KerasTensor
    shared: keras.KerasTensor


class Head(ABC):
    """One output of the network. Its module imports Keras inside functions.

    Attributes
    ----------
    name : str
        Of the output and of its last layer.
    """

    name: str

    @abstractmethod
    def channels(self, network: NetworkConfig) -> int:
        """How many values the head answers per grid point; 0 for a network without it."""

    @abstractmethod
    def build(self, features: Features, network: NetworkConfig) -> keras.KerasTensor:
        """Add the head's layers; they compute in float32, whatever the others do."""

    @abstractmethod
    def fill_target(self, patch: LabelPatch, out: NDArray[np.float32]) -> None:
        """Write the target of a label patch to ``out`` (h, w, ``target_channels``), values and weights as the loss takes them."""

    @abstractmethod
    def loss(self, network: NetworkConfig, training: TrainingConfig) -> Loss:
        """The loss of a batch."""

    def target_channels(self, network: NetworkConfig) -> int:
        """Values and weights per grid point of the target."""
        return self.channels(network) + 1

    def bound(self, values: Any, spec: ModelSpec) -> Any:
        """What leaves the network, as :class:`~starpoly.network.DenseOutput` has it; a Keras tensor."""
        return values

    def realign(self, values: NDArray, symmetry: Symmetry, grid: tuple[int, int]) -> tuple[NDArray, NDArray | int]:
        """An answer for windows seen through a symmetry, as the answer for the windows as they are.

        Parameters
        ----------
        values : (batch, h, w, ...) array
        symmetry : Symmetry
        grid : (int, int)

        Returns
        -------
        values : array
            Where they belong.
        seen : array or int
            1 where there is an answer and 0 where the symmetry left none, to be broadcast over ``values``.
        """
        return symmetry.of_answer(values), 1
