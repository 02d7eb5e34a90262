"""Random augmentation of training patches, consistent for image and labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..config import AugmentConfig
from ..geometry.patch import blur, change_brightness, copy, mirrored, warp

#: pixels; a narrower Gaussian has almost no effect
_LEAST_BLUR = 0.2


@dataclass(frozen=True)
class View:
    """Geometric transform from a patch to its image.

    Parameters
    ----------
    matrix : (2, 2) float, optional
        Linear map from offsets in the patch to offsets in the image (rotation, scale). Without it, pixels are copied.
    flip : bool
        Mirror the patch left to right.
    turns : int
        Quarter turns counter-clockwise, after the flip. An odd number needs a square patch.
    """

    matrix: NDArray[np.float64] | None = None
    flip: bool = False
    turns: int = 0

    def whole_matrix(self) -> NDArray[np.float64]:
        """The linear map including flip and turns."""
        quarter = np.array([[0, 1], [-1, 0]])
        turned = np.diag([1, -1 if self.flip else 1]) @ np.linalg.matrix_power(quarter, self.turns % 4)
        return turned if self.matrix is None else self.matrix @ turned


def random_view(rng: Generator, config: AugmentConfig, size: tuple[int, int]) -> View:
    """Draw a random transform for a patch of ``size``. Non-square patches get half turns only."""
    warped, angle, position = rng.random(3)
    flip, turns = bool(rng.integers(2)) and config.flip, int(rng.integers(4)) if config.quarter_turns else 0
    turns = turns if size[0] == size[1] else 2 * (turns // 2)
    if warped >= config.warp_probability:
        return View(None, flip, turns)
    theta = 2 * np.pi * angle if config.rotation else 0.0
    low, high = np.log(config.scale)
    # a patch magnified by f steps through the image by 1 / f
    step = np.exp(-(low + (high - low) * position))
    return View(step * np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]]), flip, turns)


def cut_patch(
    image: NDArray[np.float32],
    labels: NDArray[np.int32],
    centre: tuple[float, float],
    size: tuple[int, int],
    view: View | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Cut a patch of ``size`` around ``centre``, mirrored beyond the image's border.

    Parameters
    ----------
    image : (Y, X, C) float32
        The image; linear interpolation under free rotation or scaling.
    labels : (Y, X) int32
        Its labels; nearest-neighbour interpolation.
    centre : (float, float)
        Centre of the patch, ``(y, x)`` in the image.
    size : (int, int)
        Height and width of the patch.
    view : View, optional
        Flip, rotation and scale of the patch.

    Returns
    -------
    patch, patch_labels : (h, w, C) float32, (h, w) int32
    """
    view = view or View()
    if view.matrix is not None:
        matrix = view.whole_matrix()
        return warp(image, labels, np.asarray(centre) - matrix @ ((np.asarray(size) - 1) / 2), matrix, size)
    rows, columns = (
        mirrored(np.arange(n) + round(c - n / 2), length)
        for c, n, length in zip(centre, size, labels.shape, strict=True)
    )
    # a quarter turn reads columns in reverse, a half turn rows and columns, three quarters rows
    if view.turns in (2, 3):
        rows = rows[::-1]
    if (view.turns in (1, 2)) != view.flip:
        columns = columns[::-1]
    return copy(image, labels, rows, columns, view.turns % 2 == 1)


def change_intensity(rng: Generator, config: AugmentConfig, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Randomly change blur, gamma, gain, shift, colour, sign and noise of a normalised patch (Y, X, C)."""
    softness, gamma, gain, offset, level, inverted = rng.random(6)
    sigma = max(0.0, 2 * softness - 1) * config.blur
    if sigma > _LEAST_BLUR:
        image = blur(image, sigma)
    gains = np.full(image.shape[2], _between(config.gain, gain))
    if image.shape[2] > 1:
        gains *= np.exp(config.tint * rng.standard_normal(image.shape[2]))
    shift = (2 * offset - 1) * config.shift
    if inverted < config.invert:
        gains, shift = -gains, 1 - shift
    # keep the sign: values below the background stay below
    return change_brightness(rng, image, _between(config.gamma, gamma), gains, shift, level**2 * config.noise)


def _between(limits: tuple[float, float], part: float) -> float:
    """Draw log-uniformly between the limits."""
    low, high = np.log(limits)
    return float(np.exp(low + part * (high - low)))
