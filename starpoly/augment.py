"""Random changes of a training patch, the same to the image and to its labels."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from .config import AugmentConfig


def cut_patch(
    image: NDArray[np.float32],
    labels: NDArray,
    centre: tuple[float, float],
    size: tuple[int, int],
    matrix: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float32], NDArray]:
    """Cut a patch of ``size`` around ``centre``, mirrored beyond the image's border.

    Parameters
    ----------
    image : (Y, X, C) float32
    labels : (Y, X) integer
    centre : (float, float)
        ``(y, x)`` in the image that becomes the patch's centre.
    size : (int, int)
        Height and width of the patch.
    matrix : (2, 2) float, optional
        Linear map from patch offsets to image offsets (rotation, scale); without it pixels are
        copied as they are.

    Returns
    -------
    patch, patch_labels : (h, w, C) float32, (h, w) integer
        The image interpolated linearly, the labels by the nearest pixel.
    """
    if matrix is None:
        first = [round(c - n / 2) for c, n in zip(centre, size, strict=True)]
        rows, columns = (_mirror(np.arange(s, s + n), length) for s, n, length in zip(first, size, labels.shape, strict=True))
        return image[rows[:, None], columns], labels[rows[:, None], columns]
    # only the part of the image that the patch can reach is handed to the interpolation
    reach = np.abs(matrix) @ (np.asarray(size) / 2) + 2
    start = np.floor(np.asarray(centre) - reach).astype(int)
    stop = np.ceil(np.asarray(centre) + reach).astype(int) + 1
    rows, columns = (_mirror(np.arange(a, b), n) for a, b, n in zip(start, stop, labels.shape, strict=True))
    around = np.ix_(rows, columns)
    offset = np.asarray(centre) - start - matrix @ ((np.asarray(size) - 1) / 2)
    channels = [
        ndimage.affine_transform(image[..., c][around], matrix, offset, size, order=1, mode="nearest")
        for c in range(image.shape[-1])
    ]
    patch_labels = ndimage.affine_transform(labels[around], matrix, offset, size, order=0, mode="nearest")
    return np.stack(channels, axis=-1), patch_labels


def _mirror(index: NDArray[np.intp], length: int) -> NDArray[np.intp]:
    """Fold indices into [0, length) by reflection about the border pixels, as often as needed."""
    if length == 1:
        return np.zeros_like(index)
    folded = np.abs(index) % (2 * length - 2)
    return np.where(folded < length, folded, 2 * length - 2 - folded)


def random_matrix(rng: Generator, config: AugmentConfig) -> NDArray[np.float64] | None:
    """Draw the linear map of a free rotation and scaling, or None for a patch that has none."""
    warped, angle, position = rng.random(3)
    if warped >= config.warp_probability:
        return None
    theta = 2 * np.pi * angle if config.rotation else 0.0
    low, high = np.log(config.scale)
    # a patch magnified by f steps through the image by 1 / f
    step = np.exp(-(low + (high - low) * position))
    return step * np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])


def flip_and_turn(
    rng: Generator, config: AugmentConfig, image: NDArray, labels: NDArray
) -> tuple[NDArray, NDArray]:
    """Mirror and turn by quarters, at random; patches that are not square are turned by halves."""
    flip, turns = int(rng.integers(2)), int(rng.integers(4))
    if config.flip and flip:
        image, labels = image[:, ::-1], labels[:, ::-1]
    if config.quarter_turns:
        turns = turns if labels.shape[0] == labels.shape[1] else 2 * (turns // 2)
        image, labels = np.rot90(image, turns), np.rot90(labels, turns)
    return image, labels


def change_intensity(rng: Generator, config: AugmentConfig, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Blur, gamma, gain, shift, colour, sign and noise of a normalised patch (Y, X, C), at random."""
    blur, gamma, gain, shift, noise = rng.random(5)
    blur = max(0.0, 2 * blur - 1) * config.blur
    if blur > 0.2:
        image = ndimage.gaussian_filter(image, (blur, blur, 0), truncate=3)
    exponent = np.float32(np.exp(np.interp(gamma, (0, 1), np.log(config.gamma))))
    factor = np.float32(np.exp(np.interp(gain, (0, 1), np.log(config.gain))))
    # the sign is kept: what is darker than the background stays so
    image = np.sign(image) * np.abs(image) ** exponent
    image = image * factor + np.float32((2 * shift - 1) * config.shift)
    if config.tint and image.shape[2] > 1:
        image = image * np.exp(config.tint * rng.standard_normal(image.shape[2])).astype(np.float32)
    if config.invert and rng.random() < config.invert:
        image = 1 - image
    level = np.float32(noise**2 * config.noise)
    return image + level * rng.standard_normal(image.shape, dtype=np.float32)


def augment(
    rng: Generator, config: AugmentConfig, image: NDArray[np.float32], labels: NDArray
) -> tuple[NDArray[np.float32], NDArray]:
    """All changes that need no more than the patch itself; see :class:`AugmentConfig`."""
    image, labels = flip_and_turn(rng, config, image, labels)
    return change_intensity(rng, config, np.ascontiguousarray(image)), np.ascontiguousarray(labels)
