"""Ray distances of a label image: step along each ray until the label changes, for many neighbouring pixels at once.

A ray continues while each pixel has the label of the one before. Whether two neighbours have the same label is one bit; eight
bits hold it for all neighbours of a pixel. So a step tests one bit, whatever the labels are, and one vector instruction does it for
as many pixels as the vector has bytes.
"""

from __future__ import annotations

import numpy as np

from ._kernels import kernel

#: Neighbouring pixels (lanes) that step along a ray together, one byte each.
LANES = 1024
#: Moves between two checks whether any lane still continues.
AT_ONCE = 8
#: Moves counted in one byte, so below 256; a multiple of AT_ONCE.
_COUNTED = 248


@kernel
def same_as_neighbours(labels, grid_y, grid_x, spare, planes):
    """Fill ``planes`` with a bit for each of a pixel's eight neighbours that has its label.

    The neighbour at (dy, dx) has the bit ``3 * (dy + 1) + dx + 1``, less one after the middle. ``planes`` is flat: after
    ``spare`` bytes come the pixels of the grid, row by row, then those one column to the right, and so on for each pixel of a
    grid cell. Height and width of ``labels`` are multiples of the grid; its outermost pixels are left out.
    """
    height, width = labels.shape
    n_rows, n_columns = height // grid_y, width // grid_x
    bits = np.zeros(width, np.uint8)
    for y in range(1, height - 1):
        above, row, below = labels[y - 1], labels[y], labels[y + 1]
        for x in range(1, width - 1):
            value = row[x]
            upper = (
                np.uint8(above[x - 1] == value)
                | np.uint8(above[x] == value) << 1
                | np.uint8(above[x + 1] == value) << 2
            )
            middle = np.uint8(row[x - 1] == value) << 3 | np.uint8(row[x + 1] == value) << 4
            lower = (
                np.uint8(below[x - 1] == value) << 5
                | np.uint8(below[x] == value) << 6
                | np.uint8(below[x + 1] == value) << 7
            )
            bits[x] = np.uint8(upper | middle | lower)
        for phase in range(grid_x):
            at = spare + ((y % grid_y * grid_x + phase) * n_rows + y // grid_y) * n_columns
            there, here = planes[at : at + n_columns], bits[phase:]
            # a stride known at compile time, so that the loop is vectorised
            if grid_x == 2:
                for column in range(n_columns):
                    there[column] = here[2 * column]
            else:
                for column in range(n_columns):
                    there[column] = here[column * grid_x]


@kernel
def _go_together(same, start, state, first, stop, offsets, bits):
    """Count how many of the moves ``first .. stop - 1`` each lane makes in a row. Returns the move at which all had ended, or 0.

    ``state`` (2, LANES) holds 1 where a lane still continues, else 0, and the counts. A move starts ``offsets[move]`` from the
    lane's pixel and needs ``bits[move]`` there. ``stop - first`` is a multiple of AT_ONCE.
    """
    none = np.uint8(0)
    for move in range(first, stop, AT_ONCE):
        at_0, bit_0 = np.uint64(start + offsets[move + 0]), bits[move + 0]
        at_1, bit_1 = np.uint64(start + offsets[move + 1]), bits[move + 1]
        at_2, bit_2 = np.uint64(start + offsets[move + 2]), bits[move + 2]
        at_3, bit_3 = np.uint64(start + offsets[move + 3]), bits[move + 3]
        at_4, bit_4 = np.uint64(start + offsets[move + 4]), bits[move + 4]
        at_5, bit_5 = np.uint64(start + offsets[move + 5]), bits[move + 5]
        at_6, bit_6 = np.uint64(start + offsets[move + 6]), bits[move + 6]
        at_7, bit_7 = np.uint64(start + offsets[move + 7]), bits[move + 7]
        left = none
        # unsigned indices: numba checks signed ones for counting from the end
        for index in range(LANES):
            lane = np.uint64(index)
            now, total = state[0, lane], state[1, lane]
            now = now if same[at_0 + lane] & bit_0 else none
            total = np.uint8(total + now)
            now = now if same[at_1 + lane] & bit_1 else none
            total = np.uint8(total + now)
            now = now if same[at_2 + lane] & bit_2 else none
            total = np.uint8(total + now)
            now = now if same[at_3 + lane] & bit_3 else none
            total = np.uint8(total + now)
            now = now if same[at_4 + lane] & bit_4 else none
            total = np.uint8(total + now)
            now = now if same[at_5 + lane] & bit_5 else none
            total = np.uint8(total + now)
            now = now if same[at_6 + lane] & bit_6 else none
            total = np.uint8(total + now)
            now = now if same[at_7 + lane] & bit_7 else none
            total = np.uint8(total + now)
            state[0, lane], state[1, lane] = now, total
            left = np.uint8(left | now)
        if left == 0:
            return move + AT_ONCE
    return 0


@kernel
def _go_rounded(labels, row, column, margin_y, margin_x, step, path_y, path_x):
    """The first step from ``step`` on that leaves the object, one by one: here rounding makes it depend on (row, column).

    Sums are rounded to float32 and then half to even.
    """
    value, from_y, from_x = labels[row + margin_y, column + margin_x], np.float32(row), np.float32(column)
    while True:
        y, x = int(np.rint(from_y + path_y[step])), int(np.rint(from_x + path_x[step]))
        if labels[y + margin_y, x + margin_x] != value:
            return step
        step += 1


@kernel
def _begin_pixels(out, first, n_pixels, n_rays, behind, n_behind):
    """Set the distances of ``n_pixels`` pixels, from ``first`` on, to 0, and copy ``behind`` after them."""
    n = n_rays + n_behind
    out[first * n : (first + n_pixels) * n] = 0
    for pixel in range(first, first + n_pixels):
        for k in range(n_behind):
            out[pixel * n + n_rays + k] = behind[pixel * n_behind + k]


@kernel
def ray_distances(
    same, labels, margin_y, margin_x, grid_y, grid_x, path_y, path_x, n_clean, offsets, bits, n_moves, ends, lengths, first_row,
    last_row, behind, out,
):  # fmt: skip
    """Fill the rows ``first_row .. last_row - 1`` of ``out`` (h, w, n_rays + m) where pixels lie in objects.

    ``behind`` (h, w, m) is copied after the distances. With m = 0, ``out`` must be zero; else it is zeroed here, a few rows at a
    time while they are in the cache.

    ``labels`` is the image with margins of background, ``same`` its planes from :func:`same_as_neighbours` with LANES spare
    bytes. ``path_y``, ``path_x`` (n_rays, n_steps) hold the offset after each step of a ray, ``lengths`` the distance if the
    object ends at that step. The first ``n_clean`` (n_rays,) steps reach the same relative pixels from everywhere; they are
    ``n_moves`` (n_rays,) moves from one pixel to another, described by ``offsets`` and ``bits`` (n_rays, n), and ``ends`` is the
    distance if the object ends with that move.
    """
    n_rays, n_columns = path_y.shape[0], labels.shape[1] // grid_x
    before_y, before_x = margin_y // grid_y, margin_x // grid_x
    state, begin = np.empty((2, LANES), np.uint8), np.empty(LANES, np.uint8)
    counted = state[1]
    inside, made, at = np.empty(LANES, np.uint64), np.empty(LANES, np.uint64), np.empty(LANES, np.uint64)
    flat, flat_behind, n_behind = out.reshape(-1), behind.reshape(-1), behind.shape[2]
    first, stop = (first_row + before_y) * n_columns, (last_row + before_y) * n_columns
    for block in range(first, stop, LANES):
        begin[:] = 0
        n, n_pixels, pixel = 0, 0, 0
        row, column = block // n_columns, block % n_columns
        for lane in range(min(LANES, stop - block)):
            j = column - before_x
            if 0 <= j < out.shape[1]:
                pixel = (row - before_y) * out.shape[1] + j
                n_pixels += 1
                if labels[row * grid_y, column * grid_x] > 0:
                    begin[lane] = 1
                    inside[n], at[n] = lane, pixel * out.shape[2]
                    n += 1
            column += 1
            if column == n_columns:
                row, column = row + 1, 0
        if n_behind > 0:
            _begin_pixels(flat, pixel + 1 - n_pixels, n_pixels, n_rays, flat_behind, n_behind)
        if n == 0:
            continue
        for k in range(n_rays):
            # padded to a multiple of AT_ONCE; moves after the last one need bits that no pixel has
            n_padded = (n_moves[k] + AT_ONCE - 1) // AT_ONCE * AT_ONCE
            state[0], state[1] = begin, 0
            ended = _go_together(same, LANES + block, state, 0, min(_COUNTED, n_padded), offsets[k], bits[k])
            table, last, ray = ends[k], np.uint64(n_moves[k]), np.uint64(k)
            if 0 < ended <= n_moves[k]:
                for index in range(n):
                    flat[at[index] + ray] = table[counted[inside[index]]]
                continue
            made[:n] = 0
            for move in range(_COUNTED, n_padded + _COUNTED, _COUNTED):
                for index in range(n):
                    made[index] += counted[inside[index]]
                if ended > 0 or move >= n_padded:
                    break
                state[1] = 0
                ended = _go_together(
                    same, LANES + block, state, move, min(move + _COUNTED, n_padded), offsets[k], bits[k]
                )
            for index in range(n):
                if made[index] < last:
                    flat[at[index] + ray] = table[made[index]]
                else:
                    pixel = at[index] // np.uint64(out.shape[2])
                    row, column = int(pixel) // out.shape[1] * grid_y, int(pixel) % out.shape[1] * grid_x
                    step = _go_rounded(labels, row, column, margin_y, margin_x, n_clean[k], path_y[k], path_x[k])
                    flat[at[index] + ray] = lengths[k, step]
