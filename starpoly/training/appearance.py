"""Random changes of how a patch looks: dyes, channels, light, sharpness, noise, compression.

Patches are normalised: each channel's 1st percentile lies near 0, its 99.8th near 1.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..config import AugmentConfig
from ..geometry.fields import blurred, quick_normal, smooth_noise
from ..geometry.painting import signed_distances
from ..geometry.patch import blur
from .rendering.draws import chance, log_uniform, pick, turned

Image = NDArray[np.float32]

#: Optical densities of haematoxylin, eosin and diaminobenzidine for red, green and blue (Ruifrok & Johnston 2001).
_DYES = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
#: Light that the darkest pixels pass, so that densities stay finite.
_DARKEST = np.float32(0.05)
#: A patch whose median is higher has a bright background, one whose median is lower a dark one.
_BRIGHT, _DARK = 0.4, 0.25
#: Mean difference of channels from which on a patch has colours.
_COLOURED = 0.02


def changes_appearance(config: AugmentConfig) -> bool:
    """Whether the settings ask for any change of this module."""
    return max(
        config.stain, config.shuffle, config.drop, config.grey, config.distract, config.sharpen, config.shot,
        config.light, config.jpeg,
    ) > 0  # fmt: skip


def change_appearance(
    rng: Generator, config: AugmentConfig, image: Image, labels: NDArray[np.int32], other: Image | None = None
) -> Image:
    """Randomly change the appearance of a normalised patch.

    Parameters
    ----------
    rng : Generator
    config : AugmentConfig
    image : (Y, X, C) float32
    labels : (Y, X) int32
        Its objects; a distractor may show their outlines.
    other : (Y, X, C) float32, optional
        Another patch, which may become a distractor.
    """
    if image.shape[2] == 3:
        image = change_colours(rng, config, image, labels, other)
    if chance(rng, 0.5) and config.light:
        image = image * uneven(rng, image.shape[:2], config.light * rng.random())[..., None]
    if chance(rng, 0.3) and config.sharpen:
        image = image + np.float32(config.sharpen * rng.random()) * (image - blur(image, rng.uniform(0.7, 2)))
    if chance(rng, 0.5) and config.shot:
        spread = np.float32(config.shot * rng.random() ** 2) * np.sqrt(np.clip(image, 0, 2))
        image = image + spread * quick_normal(rng, image.shape)
    if image.shape[2] in (1, 3) and chance(rng, config.jpeg):
        image = jpeg(image * np.float32(255), int(rng.integers(25, 95))) * np.float32(1 / 255)
    return image


def change_colours(
    rng: Generator, config: AugmentConfig, image: Image, labels: NDArray[np.int32], other: Image | None = None
) -> Image:
    """Change dyes, mix in distractors, make grey, drop and shuffle the channels of a patch (Y, X, 3)."""
    coloured = is_coloured(image)
    median = float(np.median(image[::4, ::4]))
    bright, dark = median > _BRIGHT, median < _DARK
    if coloured and bright and config.stain:
        image = change_dyes(rng, image, config.stain)
    if coloured and chance(rng, config.grey):
        weights = rng.dirichlet(np.ones(3)).astype(np.float32)
        image, coloured = np.repeat((image @ weights)[..., None], 3, axis=2), False
    if not coloured and dark and chance(rng, config.distract):
        image, coloured = with_distractors(rng, image, labels, other), True
    if coloured and dark and chance(rng, config.drop):
        image = drop_channel(rng, image)
    if coloured and chance(rng, config.shuffle):
        image = np.ascontiguousarray(image[..., rng.permutation(3)])
    return image


def is_coloured(image: Image) -> bool:
    """Whether the channels of a patch (Y, X, C) differ."""
    sparse = image[::4, ::4]
    return float(np.abs(sparse - sparse[..., :1]).mean()) > _COLOURED


def change_dyes(rng: Generator, image: Image, strength: float) -> Image:
    """Change the amounts of haematoxylin, eosin and diaminobenzidine in a patch (Y, X, 3) on a bright ground.

    Amounts get a factor with a logarithm of standard deviation ``strength``, and the dyes' colours a tenth of that.
    """
    dyes = _DYES / np.linalg.norm(_DYES, axis=1, keepdims=True)
    colours = dyes * np.exp(0.3 * strength * rng.standard_normal((3, 3)))
    factors = np.exp(strength * rng.standard_normal(3))
    # densities to amounts, other amounts, and back to densities: one matrix
    matrix = (np.linalg.inv(dyes) @ np.diag(factors) @ colours).astype(np.float32)
    density = -np.log(np.maximum(image * (1 - _DARKEST) + _DARKEST, np.float32(0.01)))
    return (np.exp(-np.clip(density @ matrix, -0.5, 6)) - _DARKEST) / (1 - _DARKEST)


def with_distractors(rng: Generator, image: Image, labels: NDArray[np.int32], other: Image | None) -> Image:
    """The stain of a grey patch in one or two channels; in the others further stains, or nothing."""
    out = np.zeros_like(image)
    main, second, third = rng.permutation(3)
    out[..., main] = image[..., 0]
    out[..., second] = distractor(rng, image, labels, other)
    if chance(rng, 0.5):
        out[..., third] = pick(rng, (distractor(rng, image, labels, other), image[..., 0]), (0.7, 0.3))
    return out


def distractor(rng: Generator, image: Image, labels: NDArray[np.int32], other: Image | None) -> Image:
    """Another stain (Y, X): outlines, halos of cytoplasm, dots, slow waves, a faint other image, or nothing."""
    kinds = ("outline", "cytoplasm", "dots", "waves", "leak", "other", "nothing")
    kind = pick(rng, kinds, (0.15, 0.25, 0.15, 0.1, 0.1, 0.1 * (other is not None), 0.15))
    strength = np.float32(rng.uniform(0.2, 0.5 if kind == "cytoplasm" else 1.0))
    size = labels.shape
    if kind in ("outline", "cytoplasm"):
        away, near = signed_distances(np.maximum(labels, 0))
        levels = rng.uniform(0.2, 1, int(near.max()) + 1).astype(np.float32)
        levels[0] = 0
        reach = log_uniform(rng, 1, 15) * np.clip(1 + 0.4 * smooth_noise(rng, size, 12), 0.2, 2)
        if kind == "outline":
            light = np.exp(-(((away + reach) / np.float32(rng.uniform(0.8, 2.5))) ** 2))
        else:
            light = np.clip((reach + away) / 3, 0, 1) * np.clip(1 + 0.4 * smooth_noise(rng, size, 3), 0.1, 2)
        return strength * blurred((light * levels[near]).astype(np.float32), log_uniform(rng, 0.4, 2))
    if kind == "dots":
        return strength * np.clip(smooth_noise(rng, size, log_uniform(rng, 1.2, 6)) - 1.2, 0, 1.5)
    if kind == "waves":
        return strength * np.clip(0.5 + 0.4 * smooth_noise(rng, size, log_uniform(rng, 5, 80)), 0, 1.5)
    if kind == "leak":
        return strength * image[..., 0] * np.float32(0.5)
    if kind == "other" and other is not None:
        return strength * np.float32(0.5) * other[..., 0]
    return np.float32(0.02) * rng.standard_normal(size, np.float32)


def drop_channel(rng: Generator, image: Image) -> Image:
    """Empty the weakest channel of a patch (Y, X, 3), or blend the two weakest; the strongest may hold the objects."""
    order = np.argsort(image[::4, ::4].std(axis=(0, 1)), kind="stable")
    out = image.copy()
    if chance(rng, 0.5):
        out[..., order[0]] = 0
    else:
        out[..., order[0]] = out[..., order[1]] = 0.5 * (image[..., order[0]] + image[..., order[1]])
    return out


def uneven(rng: Generator, size: tuple[int, int], strength: float) -> Image:
    """A factor (Y, X) around 1: a gradient, a spot of light, vignetting or slow waves."""
    kind = pick(rng, ("gradient", "spot", "waves"))
    y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in size)
    if kind == "gradient":
        dy, dx = (float(part) for part in turned(rng.uniform(0, 2 * np.pi)))
        field = y[:, None] * dy + x * dx
    elif kind == "spot":
        cy, cx = rng.uniform(-0.8, 0.8), rng.uniform(-0.8, 0.8)
        field = 0.7 - ((y[:, None] - cy) ** 2 + (x - cx) ** 2)
    else:
        field = smooth_noise(rng, size, 0.4 * max(size))
    return np.maximum(1 + np.float32(strength) * field, 0.35)


def jpeg(pixels: Image, quality: int) -> Image:
    """Pixels (Y, X, 1 or 3), clipped to 0 to 255, after JPEG of this quality."""
    from PIL import Image as Picture

    stream = io.BytesIO()
    whole = np.clip(pixels, 0, 255).astype(np.uint8)
    Picture.fromarray(whole[..., 0] if whole.shape[2] == 1 else whole).save(stream, "JPEG", quality=quality)
    return np.asarray(Picture.open(stream), np.float32).reshape(pixels.shape)
