"""Label images painted from shapes, and the distance of each pixel from the outlines."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .patch import blur

#: pixels of the mask; rounds the steps of an enlarged outline
_MASK_BLUR = 0.6


def paint_stars(
    labels: NDArray[np.int32],
    centres: NDArray[np.floating],
    radii: NDArray[np.floating],
    ids: NDArray[np.integer],
    *,
    most_shared: float = 0.1,
    gap: float = 0.0,
) -> NDArray[np.bool_]:
    """Paint star-shaped objects into the background of a label image, in order and in place.

    Parameters
    ----------
    labels : (Y, X) int32
    centres : (n, 2) float
        ``(y, x)`` of each object.
    radii : (n, k) float
        Distance of the outline at ``k`` equally spaced angles, in pixels.
    ids : (n,) integer
    most_shared : float
        An object that would lose a larger share of its pixels to others is left out.
    gap : float
        Pixels between two objects; together with ``most_shared`` 0 none come nearer.

    Returns
    -------
    (n,) bool
        Which objects were painted.
    """
    from . import _kernels_painting as kernels

    return _paint(kernels.stars, labels, centres, radii, ids, most_shared, gap)


def paint_limbs(
    labels: NDArray[np.int32],
    points: NDArray[np.floating],
    widths: NDArray[np.floating],
    ids: NDArray[np.integer],
    *,
    most_shared: float = 0.1,
    gap: float = 0.0,
) -> NDArray[np.bool_]:
    """As :func:`paint_stars`, for rods, chains and processes of cells: round-ended limbs of varying width.

    Parameters
    ----------
    labels : (Y, X) int32
    points : (n, p, 2) float
        Middle line of each limb.
    widths : (n, p) float
        Half its width at each point.
    ids : (n,) integer
        Limbs of the same object have the same.
    most_shared, gap : float
        See :func:`paint_stars`.
    """
    from . import _kernels_painting as kernels

    return _paint(kernels.limbs, labels, points, widths, ids, most_shared, gap)


def _paint(
    kernel: Callable[..., None],
    labels: NDArray[np.int32],
    places: NDArray[np.floating],
    sizes: NDArray[np.floating],
    ids: NDArray[np.integer],
    most_shared: float,
    gap: float,
) -> NDArray[np.bool_]:
    painted = np.zeros(len(places), bool)
    kernel(
        labels, np.asarray(places, np.float64), np.asarray(sizes, np.float64), np.asarray(ids, np.int32),
        float(most_shared), float(gap), painted,
    )  # fmt: skip
    return painted


def nearest_seeds(
    y: NDArray[np.float32],
    x: NDArray[np.float32],
    seeds: NDArray[np.floating],
    side: float,
    weights: NDArray[np.floating] | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Cells around seeds: Voronoi's, or Laguerre's with weights.

    Parameters
    ----------
    y, x : (Y, X) float32
        Where to look.
    seeds : (m, 2) float
        ``(y, x)``.
    side : float
        Owners are looked for up to this far, at least.
    weights : (m,) float, optional
        Taken off the squared distances.

    Returns
    -------
    owner : (Y, X) int32
        Index of the seed; -1 where none is near.
    border : (Y, X) float32
        Distance to the cell of the second nearest seed.
    """
    from . import _kernels_painting as kernels

    low = np.minimum(seeds.min(axis=0), (y.min(), x.min())) - 1
    n_cells = np.ceil((np.maximum(seeds.max(axis=0), (y.max(), x.max())) + 1 - low) / side).astype(np.int64)
    cell = ((seeds - low) / side).astype(np.int64)
    cell = cell[:, 0] * n_cells[1] + cell[:, 1]
    first = np.concatenate([[0], np.cumsum(np.bincount(cell, minlength=int(n_cells.prod())))])
    order = np.argsort(cell, kind="stable")
    # in the order of their cells, and relative to the first one
    table = np.concatenate([seeds - low, np.zeros((len(seeds), 1)) if weights is None else weights[:, None]], axis=1)
    owner, border = np.empty(y.shape, np.int32), np.empty(y.shape, np.float32)
    kernels.nearest_seeds(
        np.ascontiguousarray(y, np.float32), np.ascontiguousarray(x, np.float32), table[order].astype(np.float32),
        order.astype(np.int32), first, (int(n_cells[0]), int(n_cells[1])), (np.float32(low[0]), np.float32(low[1])),
        np.float32(1 / side), owner, border,
    )  # fmt: skip
    return owner, border


def paste_mask(
    labels: NDArray[np.int32],
    mask: NDArray[np.bool_],
    centre: tuple[float, float],
    matrix: NDArray[np.float64],
    value: int,
    *,
    most_shared: float = 0.1,
    gap: int = 0,
) -> bool:
    """Paint a mask, turned and scaled, into the background of a label image; its outline is smoothed.

    Parameters
    ----------
    labels : (Y, X) int32
        Changed in place.
    mask : (h, w) bool
    centre : (float, float)
        Where the middle of the mask comes to lie.
    matrix : (2, 2) float
        Maps offsets in the label image to offsets in the mask.
    value : int
        Its label.
    most_shared, gap
        See :func:`paint_stars`.

    Returns
    -------
    bool
        Whether it was painted.
    """
    from . import _kernels_painting as kernels

    smooth = blur(np.pad(mask, 2).astype(np.float32)[..., None], _MASK_BLUR)[..., 0]
    at = float(centre[0]), float(centre[1])
    matrix = np.ascontiguousarray(matrix, np.float64)
    return bool(kernels.paste(labels, smooth, at, matrix, np.int32(value), float(most_shared), int(gap)))


def keep_largest_pieces(labels: NDArray[np.int32], least: int = 1) -> int:
    """Keep the largest 8-connected piece of each object of at least ``least`` pixels; number them 1..n, in place.

    Returns
    -------
    int
        Their number.
    """
    from . import _kernels_painting as kernels

    return int(kernels.keep_pieces(labels, int(least), False))


def split_pieces(labels: NDArray[np.int32], least: int = 1) -> int:
    """Make each 8-connected piece of an object an object, as :func:`keep_largest_pieces` does with the largest."""
    from . import _kernels_painting as kernels

    return int(kernels.keep_pieces(labels, int(least), True))


def signed_distances(labels: NDArray[np.int32]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Distance of each pixel from the outlines of objects, by steps to the eight neighbours.

    Returns
    -------
    distance : (Y, X) float32
        Positive in objects, negative outside; far from all outlines up to 1e4.
    near : (Y, X) int32
        The object of the pixel, or the nearest one; 0 if there is none.
    """
    from . import _kernels_painting as kernels

    out, near = np.empty(labels.shape, np.float32), np.empty(labels.shape, np.int32)
    kernels.signed_distances(labels, out, near)
    return out, near
