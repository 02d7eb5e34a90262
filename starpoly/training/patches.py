"""Batches of augmented patches with targets; each a pure function of (seed, step).

The data of step ``k`` depend only on the seed and ``k``. So a resumed training equals an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..config import NetworkConfig, TrainingConfig
from .appearance import change_appearance, changes_appearance
from .augment import change_intensity, cut_patch, random_view
from .data import Sample, TrainingData
from .targets import pack_targets

Batch = tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]
Patch = tuple[NDArray[np.float32], NDArray, NDArray | None]
_TRIES = 8
#: Share of the patches with a distractor that may be another image.
_OTHERS = 0.2


class Sampler(Protocol):
    """Draws the batch of a training step, reproducibly."""

    def batch(self, step: int) -> Batch: ...


class PatchSource(Protocol):
    """Draws patches: image, labels, and class of each label or None."""

    def patches(self, rng: Generator, n: int) -> list[Patch]: ...


class PatchSampler:
    """Draws training batches.

    Parameters
    ----------
    data : TrainingData
    pixels : (n,) integer
        Size of each image. The sampling weight grows with its square root.
    network : NetworkConfig
    config : TrainingConfig
    trust : (n,) float, optional
        Factor on each image's sampling weight.
    """

    def __init__(
        self,
        data: TrainingData,
        pixels: NDArray,
        network: NetworkConfig,
        config: TrainingConfig,
        trust: NDArray | None = None,
    ) -> None:
        self._data = data
        self._network = network
        self._config = config
        share = np.cumsum(np.sqrt(pixels) * (1.0 if trust is None else trust))
        self._up_to = share / share[-1]

    def batch(self, step: int) -> Batch:
        """The batch of a training step (0, 1, ...)."""
        rng = np.random.default_rng([self._config.seed, step])
        return pack(self.patches(rng, self._config.batch_size), self._network, self._config)

    def patches(self, rng: Generator, n: int) -> list[Patch]:
        """Draw ``n`` patches: image, labels, and class of each label or None."""
        return [self._patch(rng) for _ in range(n)]

    def _patch(self, rng: Generator) -> Patch:
        config = self._config
        sample = self._data[int(np.searchsorted(self._up_to, rng.random(), side="right"))]
        view = random_view(rng, config.augment, config.patch_size)
        must_hold = rng.random() < config.foreground and sample.has_objects
        for _ in range(_TRIES):
            centre = self._centre(rng, sample)
            image, labels = cut_patch(sample.image, sample.labels, centre, config.patch_size, view)
            if not must_hold or labels.max() > 0:
                break
        if changes_appearance(config.augment):
            image = change_appearance(rng, config.augment, image, labels, self._other(rng))
        return change_intensity(rng, config.augment, image), labels, sample.classes

    def _other(self, rng: Generator) -> NDArray[np.float32] | None:
        """A patch of another image, if it may be needed as a distractor."""
        if rng.random() >= _OTHERS * self._config.augment.distract:
            return None
        sample = self._data[int(rng.integers(len(self._data)))]
        return cut_patch(sample.image, sample.labels, self._centre(rng, sample), self._config.patch_size)[0]

    def _centre(self, rng: Generator, sample: Sample) -> tuple[float, float]:
        """Draw a patch centre uniformly; the patch lies inside the image if that is large enough."""
        centre = []
        for length, size, at in zip(sample.labels.shape, self._config.patch_size, rng.random(2), strict=True):
            low, high = size / 2, length - size / 2
            centre.append(low + at * (high - low) if high > low else length / 2)
        return centre[0], centre[1]


class MixedSampler:
    """Draws batches from two sources of patches.

    Parameters
    ----------
    first, second : PatchSource
    share : float
        Share of each batch from ``second``, on average.
    network : NetworkConfig
    config : TrainingConfig
    """

    def __init__(
        self, first: PatchSource, second: PatchSource, share: float, network: NetworkConfig, config: TrainingConfig
    ) -> None:
        self._first, self._second, self._share = first, second, share
        self._network, self._config = network, config

    def batch(self, step: int) -> Batch:
        """The batch of a training step (0, 1, ...)."""
        rng = np.random.default_rng([self._config.seed, step])
        return pack(self.patches(rng, self._config.batch_size), self._network, self._config)

    def patches(self, rng: Generator, n: int) -> list[Patch]:
        """Draw ``n`` patches from the two sources."""
        n_second = int(self._share * n + rng.random())
        return self._first.patches(rng, n - n_second) + self._second.patches(rng, n_second)


def stream(sampler: Sampler, first_step: int, last_step: int, workers: int) -> Iterator[Batch]:
    """Batches of the steps ``first_step .. last_step - 1``, in order, prefetched in threads."""
    with ThreadPoolExecutor(workers, thread_name_prefix="patches") as pool:
        ahead: list[Future[Batch]] = []
        step = first_step
        try:
            while step < last_step or ahead:
                while step < last_step and len(ahead) < 2 * workers + 2:
                    ahead.append(pool.submit(sampler.batch, step))
                    step += 1
                yield ahead.pop(0).result()
        finally:
            for future in ahead:
                future.cancel()


def validation_batches(data: TrainingData, network: NetworkConfig, config: TrainingConfig) -> list[Batch]:
    """A fixed set of patches without augmentation, spread evenly over the validation images."""
    rng = np.random.default_rng([config.seed, 1 << 32])
    patches = []
    for index in np.linspace(0, len(data) - 1, config.validation_patches).round().astype(int):
        sample = data[int(index)]
        centre = [
            rng.uniform(min(s, n) / 2, max(n - s / 2, n / 2))
            for s, n in zip(config.patch_size, sample.labels.shape, strict=True)
        ]
        image, labels = cut_patch(sample.image, sample.labels, (centre[0], centre[1]), config.patch_size)
        patches.append((image, labels, sample.classes))
    full = [patches[i : i + config.batch_size] for i in range(0, len(patches), config.batch_size)]
    return [pack(batch, network, config) for batch in full if len(batch) == config.batch_size or len(full) == 1]


def pack(patches: list[Patch], network: NetworkConfig, config: TrainingConfig) -> Batch:
    """Stack images, and targets in the losses' layout."""
    images, labels, classes = zip(*patches, strict=True)
    return np.stack(images), pack_targets(labels, classes, network, config.object_balance)
