"""One rendered image with its labels, a pure function of the generator's state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ...geometry.fields import quick_normal
from ...geometry.painting import keep_largest_pieces
from .camera import photograph
from .draws import chance, log_uniform, pick
from .kinds import KINDS, Kind
from .scene import Scene
from .shapes import SHAPES, Shape

#: Share of the images that hold dirt alone.
_EMPTY = 0.03
#: Smaller objects, in pixels, are dropped: no diameter under 8 is asked for, and cut ones at the border may be smaller.
_LEAST_AREA = 8


@dataclass(frozen=True)
class RenderedImage:
    """A rendered image.

    Parameters
    ----------
    image : (Y, X, C) uint8
    labels : (Y, X) int32
        0 background, 1..n objects, each one 8-connected piece.
    kind, shape : str
        Names of its look and its shapes.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.int32]
    kind: str
    shape: str


def render_patch(
    rng: Generator,
    size: tuple[int, int] = (256, 256),
    n_channels: int = 3,
    *,
    kind: str | None = None,
    real: Shape | None = None,
) -> RenderedImage:
    """Render a random image of cells.

    Parameters
    ----------
    rng : Generator
        Decides everything else.
    size : (int, int)
        Height and width in pixels.
    n_channels : int
        1: grey, of colour the mean; 3: colour, or three equal channels; others: the first ones of colour, repeated.
    kind : str, optional
        One of :func:`kind_names`; random by default.
    real : callable, optional
        Shape that makes label maps from real masks.

    Returns
    -------
    RenderedImage
    """
    name = kind or pick(rng, list(KINDS), [each.share for each in KINDS.values()])
    chosen = KINDS[name]
    shape, scene = _scene(rng, size, chosen, real)
    bodies = scene.inset(rng.uniform(0.05, 0.25) * scene.narrow) if chance(rng, chosen.rim) else scene
    light = chosen.look(rng, bodies).astype(np.float32)
    pixels = photograph(rng, light, bright=chosen.bright, widest=0.4 + 0.1 * scene.narrow)
    image = _with_channels(rng, pixels, n_channels, chosen.bright).astype(np.uint8)
    return RenderedImage(image, scene.labels, name, shape)


def _scene(rng: Generator, size: tuple[int, int], kind: Kind, real: Shape | None) -> tuple[str, Scene]:
    shapes: dict[str, Callable] = dict(SHAPES) if real is None else {**SHAPES, "real": real}
    names = [name for name in kind.shapes if name in shapes]
    name = pick(rng, names, [kind.shapes[name] for name in names])
    low, high = kind.diameters
    diameter = log_uniform(rng, low, max(low, min(high, 0.6 * min(size))))
    labels = np.zeros(size, np.int32) if chance(rng, _EMPTY) else shapes[name](rng, size, diameter)
    n = keep_largest_pieces(labels, _LEAST_AREA)
    return name, Scene(labels, n, diameter)


def _with_channels(rng: Generator, pixels: NDArray[np.float32], n: int, bright: bool) -> NDArray[np.float32]:
    if pixels.shape[2] == n:
        return pixels
    if n == 1:
        return pixels.mean(axis=2, keepdims=True)
    if n == 3 and chance(rng, 0.02 if bright else 0.1):  # grey saved as one colour
        return pixels * rng.dirichlet((0.6, 0.6, 0.6)).astype(np.float32)
    repeated = np.ascontiguousarray(pixels[..., np.arange(n) % pixels.shape[2]])
    if n == 3 and chance(rng, 0.12):  # a colour camera, whose channels have noise of their own
        noise = np.float32(log_uniform(rng, 0.5, 12)) * quick_normal(rng, repeated.shape)
        repeated = np.clip(repeated * rng.uniform(0.7, 1.0, 3).astype(np.float32) + noise, 0, 255)
    return repeated
