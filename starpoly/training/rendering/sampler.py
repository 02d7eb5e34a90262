"""Rendered patches for training, as patches of real images are drawn."""

from __future__ import annotations

from numpy.random import Generator

from ...config import ModelSpec, NormalizationConfig, TrainingConfig
from ...images.normalization import fit_normalizer
from ..augment import change_intensity
from ..data import TrainingData
from ..patches import MixedSampler, Patch, PatchSampler
from .patch import render_patch
from .shapes import Shape
from .shapes.real import RealMasks

_TRIES = 4


class RenderedPatches:
    """Draws rendered patches.

    Parameters
    ----------
    config : TrainingConfig
    n_channels : int
        Channels of the network.
    normalization : NormalizationConfig
    real : callable, optional
        Shape that makes label maps from real masks.
    """

    def __init__(
        self,
        config: TrainingConfig,
        n_channels: int,
        normalization: NormalizationConfig,
        real: Shape | None = None,
    ) -> None:
        self._config, self._n_channels = config, n_channels
        self._normalization, self._real = normalization, real

    def patches(self, rng: Generator, n: int) -> list[Patch]:
        """Draw ``n`` patches: image, labels, and None for the classes, which are unknown."""
        return [self._patch(rng) for _ in range(n)]

    def _patch(self, rng: Generator) -> Patch:
        config = self._config
        must_hold = rng.random() < config.foreground
        for _ in range(_TRIES):
            found = render_patch(rng, config.patch_size, self._n_channels, real=self._real)
            if not must_hold or found.labels.any():
                break
        image = fit_normalizer(found.image, self._normalization, warn=False)(found.image)
        return change_intensity(rng, config.augment, image), found.labels, None


def with_rendered(
    sampler: PatchSampler, data: TrainingData, spec: ModelSpec, config: TrainingConfig
) -> PatchSampler | MixedSampler:
    """The sampler with its share of rendered patches, if the settings want any; some show masks of ``data``."""
    if not config.rendered:
        return sampler
    rendered = RenderedPatches(config, spec.network.n_channels, spec.normalization, RealMasks(data))
    return MixedSampler(sampler, rendered, config.rendered, spec.network, config)
