"""Search for the end of the foreground along rays."""

from __future__ import annotations

import math

from ._kernels import between, bilinear, kernel

STEP = 0.5
"""Pixels between two samples on a ray."""
_LEVEL = 0.5
"""Probability at which the foreground ends."""


@kernel
def _value(foreground, row, column, offset_y, offset_x, n_rows, n_columns):
    """The foreground, bilinear, at an offset from a pixel; continued at the image's ends."""
    r0, r1, down = between(row, offset_y, n_rows)
    c0, c1, right = between(column, offset_x, n_columns)
    return bilinear(foreground[r0, c0], foreground[r0, c1], foreground[r1, c0], foreground[r1, c1], down, right)


@kernel
def _end(foreground, row, column, start, window, sin, cos, n_rows, n_columns):
    """The nearest fall below one half on the ray, at most ``window`` from ``start``; -1 if there is none.

    Takes one step outwards, one inwards, the next outwards and so on, no further in than the centre.
    """
    n_steps = int(math.ceil(window / STEP))
    outer = inner = _value(foreground, row, column, start * sin, start * cos, n_rows, n_columns)
    for step in range(n_steps):
        best = -1.0
        near, far = start + step * STEP, start + (step + 1) * STEP
        value = _value(foreground, row, column, far * sin, far * cos, n_rows, n_columns)
        if outer >= _LEVEL > value:
            best = near + STEP * (outer - _LEVEL) / (outer - value)
        outer = value
        near, far = start - step * STEP, start - (step + 1) * STEP
        if far >= 0:
            value = _value(foreground, row, column, far * sin, far * cos, n_rows, n_columns)
            if value >= _LEVEL > inner:
                end = far + STEP * (value - _LEVEL) / (value - inner)
                if best < 0 or start - end < best - start:
                    best = end
            inner = value
        if best >= 0:
            return best if abs(best - start) <= window else -1.0
    return -1.0


@kernel
def end_at_foreground(distances, rows, columns, foreground, n_rows, n_columns, pixels, part, reach, sin, cos, out):
    """Fill ``out`` (n, n_rays) with distances that end where the foreground ends."""
    n_rays = sin.shape[0]
    for i in range(rows.shape[0]):
        mean = 0.0
        for k in range(n_rays):
            mean += distances[i, k]
        window = pixels + part * mean / n_rays
        for k in range(n_rays):
            start = float(distances[i, k])
            end = -1.0
            if start + window + STEP <= reach:
                end = _end(foreground, rows[i], columns[i], start, window, sin[k], cos[k], n_rows, n_columns)
            out[i, k] = start if end < 0 else end
