"""Named catalogue of tiny label images and polygons, for tests at every level.

``LABELS[name]`` is a label image, ``POLYGONS[name]`` a set of polygons with ``N_RAYS`` rays; copy before writing.
``SEAM`` is the tile size for which objects lie on a seam, in a corner of four tiles or are larger than a tile.
"""

from __future__ import annotations

import numpy as np

from starpoly.polygons import StarPolygons

SEAM = 16
N_RAYS = 8


def picture(*rows: str) -> np.ndarray:
    """A label image drawn with characters: ``.`` is background, a digit or letter an id in base 36."""
    return np.array([[0 if pixel == "." else int(pixel, 36) for pixel in row] for row in rows], np.int32)


def with_discs(shape: tuple[int, int], *discs: tuple[float, float, float]) -> np.ndarray:
    """A label image of discs ``(y, x, radius)`` with ids 1, 2, ...; later ones lie on top."""
    labels = np.zeros(shape, np.int32)
    y, x = np.indices(shape)
    for index, (centre_y, centre_x, radius) in enumerate(discs, start=1):
        labels[(y - centre_y) ** 2 + (x - centre_x) ** 2 <= radius**2] = index
    return labels


LABELS = {
    "empty": np.zeros((7, 9), np.int32),
    "one_pixel": picture(".....", ".....", "..1..", "....."),
    "full": np.ones((9, 7), np.int32),
    "one_row": picture("..1112233.."),
    "one_column": picture(*"..1122."),
    "touching": picture(
        ".........",
        ".111222..",
        ".1112222.",
        ".1113322.",
        "..333333.",
        ".........",
    ),
    "diagonal": picture("11...", "11...", "..22.", "..22."),
    "ring": picture(
        ".......",
        ".11111.",
        ".1...1.",
        ".1.2.1.",
        ".1...1.",
        ".11111.",
        ".......",
    ),
    "two_parts": picture("11..1", "11..1", "....."),
    "border_cut": with_discs((20, 24), (0, 8, 5), (10, 23, 4), (19, 0, 6)),
    "in_corner": with_discs((12, 12), (0, 0, 4), (11, 11, 5)),
    "on_seam": with_discs((2 * SEAM, 2 * SEAM), (8, SEAM, 5), (SEAM, SEAM, 4), (24, SEAM - 0.5, 3)),
    "larger_than_a_tile": with_discs((3 * SEAM, 3 * SEAM), (24, 24, 20)),
    "chain": with_discs((SEAM, 4 * SEAM), *[(8, x, 5) for x in range(4, 4 * SEAM, 7)]),
    "crowd": with_discs((40, 40), *[(y, x, 4) for y in range(4, 40, 7) for x in range(3 + y % 2, 40, 6)]),
    # equal when cut to 16 bits
    "large_ids": picture("..112..", ".11122.", "..1122.") * np.array(65536, np.int64)
    + picture("..555..", ".55555.", "..5555."),
}


def stars(*stars: tuple[float, float, float | list[float]], probabilities: list[float] | None = None) -> StarPolygons:
    """Polygons ``(y, x, distance)`` or ``(y, x, distances)``; probabilities fall from 0.9 unless given."""
    distances = np.array([np.broadcast_to(np.asarray(d, np.float32), N_RAYS) for _, _, d in stars], np.float32)
    points = np.array([(y, x) for y, x, _ in stars], np.float32)
    if probabilities is None:
        probabilities = (0.9 / np.arange(1, len(stars) + 1)).tolist()
    return StarPolygons(points, distances.reshape(-1, N_RAYS), np.array(probabilities, np.float32))


POLYGONS = {
    "empty": StarPolygons.empty(N_RAYS),
    "one": stars((8, 9, 5)),
    "apart": stars((5, 5, 3), (5, 20, 4)),
    "same": stars((8, 8, 5), (8, 8, 5)),
    "ties": stars((8, 8, 5), (8, 9, 5), (9, 8, 5), probabilities=[0.5, 0.5, 0.5]),
    "nested": stars((8, 8, 6), (8, 8, 2)),
    "nested_eccentric": stars((8, 8, 6), (9, 10, 2)),
    # squares with a common edge or a common vertex: diagonals point along the odd rays
    "common_edge": stars((8, 8, [4, 32**0.5] * 4), (8, 16, [4, 32**0.5] * 4)),
    "common_vertex": stars((8, 8, 4), (8, 16, 4)),
    "half_shared": stars((8, 8, [4, 32**0.5] * 4), (8, 12, [4, 32**0.5] * 4)),
    "no_area": stars((8, 8, 0), (8, 8, [5, 0, 0, 0, 5, 0, 0, 0]), (8, 8, 3)),
    "half": stars((8, 8, [5, 5, 5, 5, 5, 0, 0, 0]), (8, 8, [5, 0, 0, 0, 5, 5, 5, 5])),
    "spiky": stars((8, 8, [9, 1, 9, 1, 9, 1, 9, 1]), (10, 8, [1, 9, 1, 9, 1, 9, 1, 9])),
    "border_cut": stars((0, 8, 5), (15, 31, 6), (-2, -1, 4)),
    "on_seam": stars((8, SEAM, 5), (SEAM, SEAM, 4), (8, SEAM - 0.5, 4)),
    "chain": stars(*[(8, x, 5) for x in range(4, 4 * SEAM, 7)]),
    "one_huge": stars((24, 24, 30), *[(y, x, 2) for y in range(4, 48, 8) for x in range(4, 48, 8)]),
}
