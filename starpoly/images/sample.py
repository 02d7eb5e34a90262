"""The part of a large image that stands for the whole."""

from __future__ import annotations

from ..tiling import Box

SAMPLE_SIDE = 1024
"""Largest side of the sample, in pixels: enough objects to judge, quickly read."""


def middle(shape: tuple[int, int], side: int = SAMPLE_SIDE) -> Box:
    """The middle of an image, at most ``side`` pixels a side."""
    sides = [min(length, side) for length in shape]
    y, x = ((length - side) // 2 for length, side in zip(shape, sides, strict=True))
    return Box(y, x, y + sides[0], x + sides[1])
