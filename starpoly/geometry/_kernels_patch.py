"""Pieces of images: mirrored beyond the border, rotated, scaled, blurred, changed in brightness."""

from __future__ import annotations

import numpy as np

from ._kernels import bilinear, kernel


@kernel
def _mirrored(index, length):
    """An index folded into [0, length) by reflection about the border pixels, as often as needed."""
    if 0 <= index < length:
        return index
    if length == 1:
        return 0
    folded = abs(index) % (2 * length - 2)
    return folded if folded < length else 2 * length - 2 - folded


@kernel
def copy(image, labels, rows, columns, transposed, out, out_labels):
    """Fill ``out`` (h, w, C) with some rows and columns of ``image`` (Y, X, C), or their transpose; ``out_labels`` alike."""
    for i in range(out.shape[0]):
        for c in range(out.shape[2]):
            if transposed:
                for j in range(out.shape[1]):
                    out[i, j, c] = image[rows[j], columns[i], c]
            else:
                for j in range(out.shape[1]):
                    out[i, j, c] = image[rows[i], columns[j], c]
        if transposed:
            for j in range(out.shape[1]):
                out_labels[i, j] = labels[rows[j], columns[i]]
        else:
            for j in range(out.shape[1]):
                out_labels[i, j] = labels[rows[i], columns[j]]


@kernel
def prefetch(image, labels, first_row, stop_row, first_column, stop_column):
    """Bring a part of ``image`` and ``labels`` into the processor's cache, row by row; the value means nothing.

    A rotated patch reads memory in an order that the processor cannot predict, and would wait for each line.
    """
    total = np.float64(0)
    n = image.shape[2]
    for y in range(first_row, stop_row):
        pixels, row = image[y].reshape(-1), labels[y]
        for at in range(first_column * n, stop_column * n, 16):
            total += pixels[at]
        for x in range(first_column, stop_column, 16):
            total += row[x]
    return total


@kernel
def warp(image, labels, rows, columns, first_y, first_x, matrix, out, out_labels):
    """Fill ``out`` (h, w, C): pixel (i, j) is the image at ``first + matrix @ (i, j)``, interpolated linearly.

    The place (y, x), neither negative, is the pixel ``rows[y], columns[x]`` of ``image`` (Y, X, C) and of ``labels`` (Y, X), of
    which ``out_labels`` gets the nearest.
    """
    n, one, half = np.uint64(image.shape[2]), np.uint64(1), np.float32(0.5)
    flat, flat_labels, width = image.reshape(-1), labels.reshape(-1), np.uint64(image.shape[1])
    for i in range(out.shape[0]):
        start_y, start_x = first_y + matrix[0, 0] * i, first_x + matrix[1, 0] * i
        for j in range(out.shape[1]):
            y, x = start_y + matrix[0, 1] * j, start_x + matrix[1, 1] * j
            top, left = np.uint64(int(y)), np.uint64(int(x))
            upper, lower = rows[top] * width, rows[top + one] * width
            before, behind = columns[left], columns[left + one]
            down, right = np.float32(y - int(y)), np.float32(x - int(x))
            out_labels[i, j] = flat_labels[(lower if down >= half else upper) + (behind if right >= half else before)]
            for c in range(out.shape[2]):
                k = np.uint64(c)
                out[i, j, c] = bilinear(
                    flat[(upper + before) * n + k], flat[(upper + behind) * n + k],
                    flat[(lower + before) * n + k], flat[(lower + behind) * n + k], down, right,
                )  # fmt: skip


@kernel
def blur_down(image, weights, out):
    """Each pixel of ``image`` (Y, n) as a mean over its column, with ``weights`` (2 r + 1,), mirrored at the ends."""
    height, width = image.shape
    reach = weights.shape[0] // 2
    for y in range(height):
        line = out[y]
        line[:] = 0
        for step in range(weights.shape[0]):
            weight, row = weights[step], image[_mirrored(y + step - reach, height)]
            for x in range(width):
                line[x] += weight * row[x]


@kernel
def blur_across(image, weights, out):
    """Each pixel of ``image`` (Y, X, C) as a mean over its row, with ``weights`` (2 r + 1,), mirrored at the ends."""
    height, width, n_channels = image.shape
    reach = weights.shape[0] // 2
    for y in range(height):
        row, line = image[y].reshape(-1), out[y].reshape(-1)
        line[:] = 0
        # where no pixel of the window lies beyond the border
        first, stop = min(reach, width), max(width - reach, min(reach, width))
        n = (stop - first) * n_channels
        for step in range(weights.shape[0]):
            weight = weights[step]
            here, there = line[first * n_channels :], row[(first + step - reach) * n_channels :] if n > 0 else row
            for at in range(n):
                here[at] += weight * there[at]
            for edge in range(first + width - stop):
                x = edge if edge < first else stop + edge - first
                near = _mirrored(x + step - reach, width)
                for c in range(n_channels):
                    line[x * n_channels + c] += weight * row[near * n_channels + c]


@kernel
def change_pixels(image, magnitude, gains, shift, level, normal, bits):
    """Set ``magnitude`` (n, C) to ``sign(image) * magnitude * gains + shift + level * noise``.

    ``normal`` holds 2**12 quantiles of the noise; each quarter of one of the ``bits`` (uint64) chooses one.
    """
    n, n_channels = image.shape
    part = np.uint64(0xFFF)
    for c in range(n_channels):
        gain = gains[c]
        for at in range(n):
            value = magnitude[at, c] if image[at, c] >= 0 else -magnitude[at, c]
            k = np.uint64(at * n_channels + c)
            which = bits[k >> np.uint64(2)] >> ((k & np.uint64(3)) << np.uint64(4)) & part
            magnitude[at, c] = value * gain + shift + level * normal[which]
