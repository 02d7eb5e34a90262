"""Distances from each pixel of an object to the object's boundary along rays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError, StarpolyError
from ..parallel import in_parts, n_threads

_MARGIN = 8
"""Pixels of background around the image, so that no ray is checked against its border: eight moves are made at once."""


def ray_distances(
    labels: ArrayLike, n_rays: int = 32, grid: tuple[int, int] = (1, 1), *, parallel: bool = False
) -> NDArray[np.float32]:
    """Distance from each labelled pixel to the boundary of its object, along each ray.

    Parameters
    ----------
    labels : (height, width) bool or integer array
        Label image, axes YX; 0 and negative values are background.
    n_rays : int
        Number of rays, at least 3; ray ``k`` has the angle ``2 pi k / n_rays``.
    grid : (int, int)
        Only every ``grid[0]``-th row and ``grid[1]``-th column, from pixel (0, 0), is evaluated.
    parallel : bool
        Compute rows in several threads. The values are the same.

    Returns
    -------
    (ceil(height / grid[0]), ceil(width / grid[1]), n_rays) float32
        Distances in pixels of the full-resolution image; 0 on background.

    Raises
    ------
    DataError
        If ``labels`` is not two-dimensional or not of integers.
    StarpolyError
        For fewer than three rays or a grid below one.

    Notes
    -----
    The definition is that of StarDist (U. Schmidt, M. Weigert, C. Broaddus and G. Myers, "Cell Detection with Star-convex
    Polygons", MICCAI 2018; ``star_dist`` of version 0.9.2 gives equal values; for some
    numbers of rays above 48 its directions, and so the values, differ in the last bit of float32): from the pixel's
    centre go in unit steps along the ray, adding in float32, until the nearest pixel carries another label or lies
    outside the image; then go back by ``1 - 0.5 / max(|sin|, |cos|)`` of a step.
    """
    labels = _check_labels(labels)
    grid_y, grid_x = (int(step) for step in grid)
    if n_rays < 3 or min(grid_y, grid_x) < 1:
        raise StarpolyError(f"ray distances: expected n_rays >= 3 and a grid >= 1, got {n_rays} and {grid}")
    height, width = labels.shape
    out = np.zeros((-(-height // grid_y), -(-width // grid_x), n_rays), np.float32)
    fill_ray_distances(labels, n_rays, (grid_y, grid_x), out, threads=n_threads() if parallel else 1)
    return out


def fill_ray_distances(
    labels: NDArray,
    n_rays: int,
    grid: tuple[int, int],
    out: NDArray[np.float32],
    behind: NDArray[np.float32] | None = None,
    *,
    threads: int = 1,
) -> None:
    """Write :func:`ray_distances` into ``out``; nothing is checked.

    Without ``behind``, ``out`` is (h, w, n_rays) and zero. With ``behind`` (h, w, m), ``out`` is (h, w, n_rays + m), of any values,
    and ``behind`` is copied after the distances of each pixel.
    """
    from . import _kernels_distances as kernels

    if out.size == 0:
        return
    if behind is None:
        behind = np.empty((*out.shape[:2], 0), np.float32)
    moves = _moves(n_rays, labels.shape, grid)
    (margin_y, margin_x), framed_shape = _frame(labels.shape, grid)
    # one of two dtypes, so that few variants are compiled
    framed = np.zeros(framed_shape, np.int32 if np.can_cast(labels.dtype, np.int32) else np.int64)
    framed[margin_y : margin_y + labels.shape[0], margin_x : margin_x + labels.shape[1]] = labels
    same = np.zeros(framed.size + 2 * kernels.LANES, np.uint8)
    kernels.same_as_neighbours(framed, *grid, kernels.LANES, same)

    def fill(start: int, stop: int) -> None:
        kernels.ray_distances(
            same, framed, margin_y, margin_x, *grid, moves.path_y, moves.path_x, moves.n_clean, moves.offsets, moves.bits,
            moves.n_moves, moves.ends, moves.lengths, start, stop, behind, out,
        )  # fmt: skip

    in_parts(fill, len(out), threads)


def _frame(shape: tuple[int, int], grid: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Margin of background above and to the left of an image, and the shape with margins; multiples of the grid."""
    margin = [-(-_MARGIN // step) * step for step in grid]
    whole = [-(-(n + 2 * m) // step) * step for n, m, step in zip(shape, margin, grid, strict=True)]
    return (margin[0], margin[1]), (whole[0], whole[1])


@dataclass(frozen=True)
class _Moves:
    """Steps and moves of all rays, the same for every pixel, as the kernel takes them."""

    path_y: NDArray[np.float32]
    path_x: NDArray[np.float32]
    lengths: NDArray[np.float32]
    n_clean: NDArray[np.int64]
    n_moves: NDArray[np.int64]
    offsets: NDArray[np.int64]
    bits: NDArray[np.uint8]
    ends: NDArray[np.float32]


@lru_cache(maxsize=16)
def _moves(n_rays: int, shape: tuple[int, int], grid: tuple[int, int]) -> _Moves:
    """Steps and moves of ``n_rays`` rays through an image of a shape, in the memory layout of ``same_as_neighbours``."""
    height, width = shape
    # no ray stays inside longer than the diagonal; the margin is for the drift of float32 sums
    path_y, path_x, lengths = _ray_paths(n_rays, int(1.01 * np.hypot(height, width)) + 4)
    dy, dx = (np.rint(path).astype(np.int64) for path in (path_y, path_x))
    step_y, step_x = (np.diff(offset, axis=1, prepend=0) for offset in (dy, dx))
    far = np.maximum(np.abs(step_y), np.abs(step_x)) > 1
    n_clean = _steps_before(_near_half(path_y, height) | _near_half(path_x, width) | far)
    framed = _frame(shape, grid)[1]
    n_rows, n_columns = framed[0] // grid[0], framed[1] // grid[1]
    (row, phase_y), (column, phase_x) = np.divmod(dy - step_y, grid[0]), np.divmod(dx - step_x, grid[1])
    offsets = ((phase_y * grid[1] + phase_x) * n_rows + row) * n_columns + column
    direction = 3 * (step_y + 1) + step_x + 1
    bits = (1 << (direction - (direction > 4))).astype(np.uint8)
    # steps that stay on a pixel are no moves
    moving = ((step_y != 0) | (step_x != 0)) & (np.arange(dy.shape[1]) < n_clean[:, None])
    order = np.argsort(~moving, axis=1, kind="stable")
    n_moves = moving.sum(axis=1)
    behind = np.arange(dy.shape[1]) >= n_moves[:, None]
    padding = ((0, 0), (0, 8))
    sorted_offsets, sorted_bits, ends = (
        np.take_along_axis(values, order, axis=1) for values in (offsets, bits, lengths)
    )
    sorted_bits[behind] = 0
    # entries after the last move are read and ignored, so they must be valid
    last = np.take_along_axis(sorted_offsets, np.maximum(n_moves - 1, 0)[:, None], axis=1)
    sorted_offsets = np.where(behind, last, sorted_offsets)
    return _Moves(
        path_y, path_x, lengths, n_clean, n_moves, np.pad(sorted_offsets, padding, "edge"), np.pad(sorted_bits, padding), ends,
    )  # fmt: skip


def _check_labels(labels: ArrayLike) -> NDArray:
    """Labels as an array; DataError unless they are a label image whose values fit into int64."""
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.dtype.kind not in "bui":
        raise DataError(
            f"labels: expected a two-dimensional array of integers, got {labels.dtype} of shape {labels.shape}; "
            "convert with labels.astype(int) if the values are whole numbers"
        )
    if labels.dtype == np.uint64 and labels.size and labels.max() > np.iinfo(np.int64).max:
        raise DataError("labels: expected values below 2**63, got larger ones; relabel the image")
    return labels


def _near_half(path: NDArray[np.float32], length: int) -> NDArray[np.bool_]:
    """Steps at which adding an integer below ``length``, in float32, may change the nearest pixel."""
    return np.abs(path - np.floor(path) - 0.5) <= np.spacing(np.float32(2 * length))


def _ray_paths(n_rays: int, n_steps: int) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Offsets (y, x) after 1..n_steps steps along each ray, and the distance if the object ends at that step.

    The same for all pixels. float32 throughout: the last bit is part of the definition.
    """
    # float32 angles, then correctly rounded sines: numpy's own float32 sine may be off by a bit
    angles = (np.arange(n_rays, dtype=np.float32) * np.float32(2 * np.pi / n_rays)).astype(np.float64)
    step_y, step_x = (direction.astype(np.float32)[:, None] for direction in (np.sin(angles), np.cos(angles)))
    path_y, path_x = (
        np.cumsum(np.repeat(step, n_steps, axis=1), axis=1, dtype=np.float32) for step in (step_y, step_x)
    )
    back = np.float32(1) - np.float32(0.5) / np.maximum(np.abs(step_y), np.abs(step_x))
    end_y, end_x = path_y - back * step_y, path_x - back * step_x
    return path_y, path_x, np.sqrt(end_y * end_y + end_x * end_x)


def _steps_before(marked: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number of steps of each ray before the first marked one; ``marked`` is (n_rays, n_steps)."""
    return np.where(marked.any(axis=1), marked.argmax(axis=1), marked.shape[1])
