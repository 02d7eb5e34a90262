"""Slow, obviously right twins of what the package computes; used by the tests alone."""

from __future__ import annotations

import numpy as np

# --- network/losses -------------------------------------------------------------------------------


def _mean_over(values: list[float], weights: list[float]) -> float:
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / (sum(weights) + 1e-6)


def probability_loss(target: np.ndarray, predicted: np.ndarray) -> float:
    """Cross-entropy pixel by pixel; target ``[probability, weight]``."""
    values, weights = [], []
    for (probability, weight), (guess,) in zip(target.reshape(-1, 2), predicted.reshape(-1, 1), strict=True):
        values.append(-probability * np.log(guess) - (1 - probability) * np.log(1 - guess))
        weights.append(weight)
    return _mean_over(values, weights)


def distance_loss(
    target: np.ndarray,
    predicted: np.ndarray,
    *,
    mae_weight: float,
    iou_weight: float,
    background_weight: float,
    scale: float,
) -> float:
    """Pixel by pixel; target ``[distances ..., probability, weight]``."""
    n_rays = predicted.shape[-1]
    errors, misses, strays, inside, outside = [], [], [], [], []
    for truth, guess in zip(target.reshape(-1, n_rays + 2), predicted.reshape(-1, n_rays), strict=True):
        distances, probability, weight = truth[:n_rays], truth[n_rays], truth[n_rays + 1]
        positive = [max(d, 0.0) for d in guess]
        common = sum(min(a, b) ** 2 for a, b in zip(distances, positive, strict=True))
        either = sum(max(a, b) ** 2 for a, b in zip(distances, positive, strict=True))
        errors.append(sum(abs(a - b) for a, b in zip(distances, guess, strict=True)) / n_rays / scale)
        misses.append(1 - common / either)
        strays.append(sum(abs(d) for d in guess) / n_rays / scale)
        inside.append(probability * weight)
        outside.append(weight if probability <= 0 else 0.0)
    return (
        mae_weight * _mean_over(errors, inside)
        + iou_weight * _mean_over(misses, inside)
        + background_weight * _mean_over(strays, outside)
    )


def class_loss(target: np.ndarray, predicted: np.ndarray, class_weights: tuple[float, ...]) -> float:
    """Pixel by pixel; target ``[one-hot ..., weight]``, all zero where the class is unknown."""
    n = len(class_weights)
    values, weights = [], []
    for truth, guess in zip(target.reshape(-1, n + 1), predicted.reshape(-1, n), strict=True):
        if truth[:n].any():
            kind = int(truth[:n].argmax())
            values.append(-class_weights[kind] * np.log(guess[kind]))
            weights.append(truth[n])
    return _mean_over(values, weights)


def foreground_loss(target: np.ndarray, predicted: np.ndarray, factor: float) -> float:
    """Pixel by pixel; target ``[foreground ..., weights ...]`` of the pixels of a grid cell."""
    n = predicted.shape[-1]
    values, weights = [], []
    for truth, guess in zip(target.reshape(-1, 2 * n), predicted.reshape(-1, n), strict=True):
        for inside, weight, p in zip(truth[:n], truth[n:], guess, strict=True):
            values.append(-np.log(p) if inside else -np.log(1 - p))
            weights.append(weight)
    return factor * _mean_over(values, weights)


# --- end of network/losses ------------------------------------------------------------------------


# --- evaluation -----------------------------------------------------------------------------------


def shared_pixels(y_true: np.ndarray, y_pred: np.ndarray) -> dict[tuple[int, int], int]:
    """Pixels of every pair of objects that has some, pixel by pixel."""
    table: dict[tuple[int, int], int] = {}
    for pair in zip(y_true.ravel().tolist(), y_pred.ravel().tolist(), strict=True):
        if pair[0] and pair[1]:
            table[pair] = table.get(pair, 0) + 1
    return table


def object_ids(labels: np.ndarray) -> list[int]:
    """Ids of the objects, ascending."""
    return sorted(set(labels.ravel().tolist()) - {0})


def score_matrix(y_true: np.ndarray, y_pred: np.ndarray, criterion: str = "iou") -> np.ndarray:
    """Dense (n_true, n_pred) scores from one mask per object."""
    trues, preds = object_ids(y_true), object_ids(y_pred)
    scores = np.zeros((len(trues), len(preds)))
    for i, true in enumerate(trues):
        for j, pred in enumerate(preds):
            a, b = y_true == true, y_pred == pred
            size = {"iou": (a | b).sum(), "iot": a.sum(), "iop": b.sum()}[criterion]
            scores[i, j] = (a & b).sum() / size
    return scores


def hungarian(scores: np.ndarray, thresh: float) -> list[tuple[int, int]]:
    """Matched pairs of the assignment with cost -[s >= t] - s / (2 n) over all pairs of objects."""
    from scipy.optimize import linear_sum_assignment

    if not min(scores.shape):
        return []
    costs = -(scores >= thresh).astype(float) - scores / (2 * min(scores.shape))
    return [(int(i), int(j)) for i, j in zip(*linear_sum_assignment(costs), strict=True) if scores[i, j] >= thresh]


def remove_border_objects(labels: np.ndarray) -> np.ndarray:
    """Without every object that has a pixel in the first or last two rows or columns; relabelled to 1..n."""
    height, width = labels.shape
    inner = np.zeros_like(labels)
    new = 0
    for label in object_ids(labels):
        rows, columns = np.nonzero(labels == label)
        if rows.min() >= 2 and columns.min() >= 2 and rows.max() < height - 2 and columns.max() < width - 2:
            new += 1
            inner[labels == label] = new
    return inner


def challenge_counts(
    y_true: np.ndarray, y_pred: np.ndarray, thresh: float, large: int, window: int
) -> tuple[int, int, int]:
    """(tp, n_true, n_pred) of the NeurIPS 2022 challenge's score, step by step as its organisers state it."""
    if y_true.size < large:
        parts = [(y_true, y_pred)]
    else:
        pad = [(0, -size % window) for size in y_true.shape]
        y_true, y_pred = np.pad(y_true, pad), np.pad(y_pred, pad)
        corners = [(y, x) for y in range(0, y_true.shape[0], window) for x in range(0, y_true.shape[1], window)]
        parts = [tuple(image[y : y + window, x : x + window] for image in (y_true, y_pred)) for y, x in corners]
    tp = n_true = n_pred = 0
    for true, pred in parts:
        true, pred = remove_border_objects(true), remove_border_objects(pred)
        tp += len(hungarian(score_matrix(true, pred), thresh))
        n_true += int(true.max())
        n_pred += int(pred.max())
    return tp, n_true, n_pred


# --- end of evaluation ----------------------------------------------------------------------------


# --- geometry -------------------------------------------------------------------------------------


def ray_distances(labels: np.ndarray, n_rays: int, grid: tuple[int, int] = (1, 1)) -> np.ndarray:
    """Each pixel of the grid on its own."""
    out = np.zeros((-(-labels.shape[0] // grid[0]), -(-labels.shape[1] // grid[1]), n_rays), np.float32)
    for i, j in np.ndindex(out.shape[:2]):
        out[i, j] = ray_distances_of(labels, i * grid[0], j * grid[1], n_rays)
    return out


def ray_distances_of(labels: np.ndarray, y: int, x: int, n_rays: int) -> np.ndarray:
    """Unit steps from a pixel until the label changes, in float32, then back to the boundary."""
    f = np.float32
    out = np.zeros(n_rays, f)
    for k in range(n_rays if labels[y, x] > 0 else 0):
        angle = float(f(k) * f(2 * np.pi / n_rays))
        step_y, step_x = f(np.sin(angle)), f(np.cos(angle))
        dy = dx = f(0)
        while True:
            dy, dx = dy + step_y, dx + step_x
            row, column = round(float(f(y) + dy)), round(float(f(x) + dx))
            inside = 0 <= row < labels.shape[0] and 0 <= column < labels.shape[1]
            if not inside or labels[row, column] != labels[y, x]:
                back = f(1) - f(0.5) / max(abs(step_y), abs(step_x))
                dy, dx = dy - back * step_y, dx - back * step_x
                out[k] = np.sqrt(dy * dy + dx * dx)
                break
    return out


def triangles(polygon) -> list:
    """The triangles (centre, vertex k, vertex k + 1) of a set of one polygon, as shapely polygons."""
    from shapely.geometry import Polygon

    centre, corners = polygon.points[0].astype(float), polygon.vertices()[0].T
    return [Polygon([centre, corners[k - 1], corners[k]]) for k in range(len(corners))]


def intersection_area(a, b) -> float:
    """Area common to two sets of one polygon: every triangle of one with every triangle of the other."""
    pairs = [(s, t) for s in triangles(a) for t in triangles(b) if s.area > 0 and t.area > 0]
    return sum(s.intersection(t).area for s, t in pairs)


def render_labels(polygons, shape: tuple[int, int]) -> np.ndarray:
    """Worst polygon first, each painted over what is there; label = rank in score order."""
    from skimage.draw import polygon

    labels = np.zeros(shape, np.uint32)
    order = sorted(range(len(polygons)), key=lambda i: (-polygons.probabilities[i], *polygons.points[i].tolist(), i))
    for rank, i in reversed(list(enumerate(order, start=1))):
        labels[polygon(*polygons.vertices()[i], shape)] = rank
    return labels


def by_position(polygons) -> list[int]:
    """Indices in the order of ids: centres from above, in a row from the left, at one place the best first."""
    centres = polygons.points.tolist()
    return sorted(range(len(polygons)), key=lambda i: (*centres[i], -polygons.probabilities[i], i))


def largest_pieces(labels: np.ndarray) -> np.ndarray:
    """Each object alone: scipy numbers its pieces by row, then column; the first of the largest stays."""
    from scipy.ndimage import label as pieces_of

    out = np.zeros_like(labels)
    for label in np.unique(labels[labels > 0]):
        pieces, _ = pieces_of(labels == label)
        out[pieces == 1 + np.bincount(pieces[pieces > 0] - 1).argmax()] = label
    return out


def numbered_labels(polygons, shape: tuple[int, int]) -> np.ndarray:
    """The label image of a result: the best polygon owns a pixel and keeps its largest piece; those that show are numbered by position."""
    ranks = largest_pieces(render_labels(polygons, shape))
    rank_of = {i: rank for rank, i in enumerate(rank(polygons), start=1)}
    labels, n = np.zeros(shape, np.uint32), 0
    for i in by_position(polygons):
        if (ranks == rank_of[i]).any():
            n += 1
            labels[ranks == rank_of[i]] = n
    return labels


def boundary_probability(labels: np.ndarray) -> np.ndarray:
    """Each object alone: scipy's distance to the nearest pixel outside, over the largest; 1 if it fills the image."""
    from scipy.ndimage import distance_transform_edt

    out = np.zeros(labels.shape, np.float32)
    for label in {int(label) for label in np.unique(labels)} - {0}:
        inside = labels == label
        if label > 0:
            distance = np.ones(labels.shape) if inside.all() else distance_transform_edt(inside)
            out[inside] = (distance / distance.max())[inside]
    return out


def foreground_cells(labels: np.ndarray, grid: tuple[int, int], reach: int, near: float) -> np.ndarray:
    """Largest and least of each window by scipy; the pixels of a cell one by one."""
    from scipy.ndimage import maximum_filter, minimum_filter

    inside = labels > 0
    mixed = maximum_filter(inside, 2 * reach + 1) & ~minimum_filter(inside, 2 * reach + 1)
    weight = np.where(labels < 0, 0, np.where(mixed, near, 1))
    n = grid[0] * grid[1]
    out = np.zeros((-(-labels.shape[0] // grid[0]), -(-labels.shape[1] // grid[1]), 2 * n), np.float32)
    for y, x in np.ndindex(labels.shape):
        (i, down), (j, right) = divmod(y, grid[0]), divmod(x, grid[1])
        out[i, j, down * grid[1] + right] = inside[y, x]
        out[i, j, n + down * grid[1] + right] = weight[y, x]
    return out


def warp(
    image: np.ndarray, labels: np.ndarray, first, matrix: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Image and labels in a wide mirrored frame, looked up by scipy pixel by pixel."""
    from scipy.ndimage import map_coordinates

    wide = 4 * max(*size, *labels.shape)
    places = np.asarray(first)[:, None, None] + np.tensordot(matrix, np.indices(size), 1) + wide
    pad = [(wide, wide), (wide, wide)]
    channels = [map_coordinates(np.pad(image[..., c], pad, "reflect"), places, order=1) for c in range(image.shape[2])]
    nearest = np.floor(places + 0.5).astype(int)
    return np.stack(channels, axis=-1), np.pad(labels, pad, "reflect")[nearest[0], nearest[1]]


# --- end of geometry ------------------------------------------------------------------------------


# --- suppression ----------------------------------------------------------------------------------


def outline(polygon):
    """A set of one polygon as a shapely geometry: the union of its triangles."""
    from shapely import union_all

    return union_all([triangle for triangle in triangles(polygon) if triangle.area > 0])


def overlaps(polygons) -> np.ndarray:
    """Intersection area over the smaller area, for every pair; 0 where a polygon is empty. Less 1e-8, for rounding."""
    shapes = [outline(polygons.take(np.array([i]))) for i in range(len(polygons))]
    table = np.zeros((len(shapes), len(shapes)))
    for i, j in np.ndindex(table.shape):
        smaller = min(shapes[i].area, shapes[j].area)
        table[i, j] = shapes[i].intersection(shapes[j]).area / smaller - 1e-8 if smaller > 0 else 0.0
    return table


def rank(polygons) -> list[int]:
    """Indices by probability descending, then y, then x ascending, then as given."""
    return sorted(range(len(polygons)), key=lambda i: (-polygons.probabilities[i], *polygons.points[i].tolist(), i))


def greedy_suppression(polygons, nms_threshold: float) -> list[int]:
    """Indices of the kept polygons, best first: each against all that were kept before."""
    table = overlaps(polygons)
    has_area = [outline(polygons.take(np.array([i]))).area > 0 for i in range(len(polygons))]
    kept: list[int] = []
    for i in rank(polygons):
        if has_area[i] and all(table[i, j] <= nms_threshold for j in kept):
            kept.append(i)
    return kept


def decided_suppression(
    polygons, nms_threshold: float, max_distance: float, unseen: list
) -> tuple[list[int], list[int]]:
    """Indices kept for sure and indices pending, as long as any polygon may yet appear in the ``unseen`` boxes."""
    table = overlaps(polygons)
    kept, pending = [], []
    for i in rank(polygons):
        y, x = map(float, polygons.points[i])
        gaps = [np.hypot(max(b.y0 - y, 0, y - b.y1), max(b.x0 - x, 0, x - b.x1)) for b in unseen]
        known = all(gap >= float(polygons.distances[i].max()) + max_distance for gap in gaps)
        if any(table[i, j] > nms_threshold for j in kept):
            continue
        if known and not any(table[i, j] > nms_threshold for j in pending):
            kept.append(i)
        else:
            pending.append(i)
    return kept, pending


# --- end of suppression ---------------------------------------------------------------------------


# --- context along the rays ---------------------------------------------------------------------------------------


def refine_outlines(
    distances: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    foreground: np.ndarray,
    search: tuple[float, float],
    reach: float,
) -> np.ndarray:
    """Ray by ray: of all falls below one half on a list of points half a pixel apart, the nearest to the predicted end."""
    from scipy.ndimage import map_coordinates

    n_rays = distances.shape[1]
    out = distances.astype(float)
    for i, (row, column) in enumerate(zip(rows, columns, strict=True)):
        window = search[0] + search[1] * distances[i].astype(float).mean()
        for k in range(n_rays):
            start, angle = float(distances[i, k]), 2 * np.pi * k / n_rays
            if start + window + 0.5 > reach:
                continue
            r = start + 0.5 * np.arange(-np.ceil(2 * window), np.ceil(2 * window) + 1)
            r = r[r >= 0]
            f = map_coordinates(
                foreground, [row + r * np.sin(angle), column + r * np.cos(angle)], order=1, mode="nearest"
            )
            ends = [r[j] + 0.5 * (f[j] - 0.5) / (f[j] - f[j + 1]) for j in range(len(r) - 1) if f[j] >= 0.5 > f[j + 1]]
            ends = [end for end in ends if abs(end - start) <= window]
            if ends:
                out[i, k] = min(ends, key=lambda end: abs(end - start))
    return out


def ray_context(field, rows, columns, grid, fractions, reach):
    """Mean of the estimates along each ray, by scipy's linear interpolation, one sample at a time."""
    from scipy.ndimage import map_coordinates

    n_rays = field.shape[2]
    out = np.empty((len(rows), n_rays))
    for i, (row, column) in enumerate(zip(rows, columns, strict=True)):
        for k in range(n_rays):
            angle = 2 * np.pi * k / n_rays
            own = float(field[row, column, k])
            estimates = [own]
            for t in fractions:
                step = min(t * own, reach)
                at = [[row + step * np.sin(angle) / grid[0]], [column + step * np.cos(angle) / grid[1]]]
                layer = field[..., k].astype(np.float64)
                estimates.append(step + map_coordinates(layer, at, order=1, mode="nearest")[0])
            out[i, k] = np.mean(estimates)
    return out


def fewest_pixels_read(shape, stride, halo, most):
    """Pixels read by the cheapest lattice of equal windows of at most ``most`` pixels; None if there is none."""
    halos = sum(-(-side // stride) * stride for side in halo)
    sides = []
    for length in (-(-n // stride) * stride for n in shape):
        # every window that can be: the whole axis, or both halos and a core
        windows = [length, *range(halos + stride, length, stride)]
        sides.append(
            [(window, 1 if window == length else -(-(length - halos) // (window - halos))) for window in windows]
        )
    costs = [n * m * h * w for h, n in sides[0] for w, m in sides[1] if h * w <= most]
    return min(costs, default=None)


def rescaled(image: np.ndarray, factor: float) -> np.ndarray:
    """Pixel by pixel: a mean weighted by how near the original pixels lie, the nearest ones standing for those beyond the ends."""
    height, width = (max(1, round(factor * n)) for n in image.shape[:2])
    reach = max(1.0, 1 / factor)
    out = np.zeros((height, width, image.shape[2]))
    for i in range(height):
        for j in range(width):
            y, x = (i + 0.5) / factor - 0.5, (j + 0.5) / factor - 0.5
            total = 0.0
            for p in range(int(y - reach) - 2, int(y + reach) + 3):
                for q in range(int(x - reach) - 2, int(x + reach) + 3):
                    weight = max(0, 1 - abs(p - y) / reach) * max(0, 1 - abs(q - x) / reach)
                    inside = image[min(max(p, 0), image.shape[0] - 1), min(max(q, 0), image.shape[1] - 1)]
                    out[i, j] += weight * inside
                    total += weight
            out[i, j] /= total
    return out


def average_over_symmetries(network, batch: np.ndarray, n: int) -> dict[str, np.ndarray]:
    """What a network says of windows and their ``n`` symmetries, pixel by pixel and ray by ray, averaged where it says something."""
    choices = [(False, fy, fx) for fy in (False, True) for fx in (False, True)] + [
        (True, fy, fx) for fy in (False, True) for fx in (False, True)
    ]
    (gy, gx), phi = network.grid, 2 * np.pi * np.arange(network.n_rays) / network.n_rays
    n_windows, height, width = batch.shape[:3]
    fields = {name: np.zeros(getattr(network(batch), name).shape) for name in ("probability", "distances", "classes")}
    pixels, counts = np.zeros((n_windows, height, width)), np.zeros((height, width))
    for transposed, fy, fx in choices[:n]:
        tall, wide = (width, height) if transposed else (height, width)

        def seen_at(
            y, x, transposed=transposed, fy=fy, fx=fx, tall=tall, wide=wide
        ):  # a pixel's place in the symmetric image
            y, x = (x, y) if transposed else (y, x)
            return (tall - gy - y if fy else y), (wide - gx - x if fx else x)

        turned = np.zeros((n_windows, tall, wide, batch.shape[3]), np.float32)
        for y in range(tall):
            for x in range(wide):  # a place that no pixel comes to shows a reflected one
                there = (abs(tall - gy - y) if fy else y), (abs(wide - gx - x) if fx else x)
                turned[:, y, x] = batch[:, there[1], there[0]] if transposed else batch[:, there[0], there[1]]
        answer = network(turned)
        ray = []
        for k in range(network.n_rays):
            sine, cosine = (np.cos(phi[k]), np.sin(phi[k])) if transposed else (np.sin(phi[k]), np.cos(phi[k]))
            sine, cosine = (-sine if fy else sine), (-cosine if fx else cosine)
            ray.append(int(np.argmax(np.sin(phi) * sine + np.cos(phi) * cosine)))
        for y in range(0, height, gy):
            for x in range(0, width, gx):
                v, u = seen_at(y, x)
                here, there = (slice(None), y // gy, x // gx), (slice(None), v // gy, u // gx)
                fields["probability"][here] += answer.probability[there] / n
                fields["classes"][here] += answer.classes[there] / n
                fields["distances"][here] += answer.distances[there][:, ray] / n
        for y in range(height):
            for x in range(width):
                v, u = seen_at(y, x)
                if v >= 0 and u >= 0:
                    pixels[:, y, x] += answer.foreground[:, v // gy, u // gx, (v % gy) * gx + u % gx]
                    counts[y, x] += 1
    mean = pixels / counts
    cells = [
        [
            [[one[y + dy, x + dx] for dy in range(gy) for dx in range(gx)] for x in range(0, width, gx)]
            for y in range(0, height, gy)
        ]
        for one in mean
    ]
    return fields | {"foreground": np.array(cells)}


# --- geometry/label_expansion ------------------------------------------------------------------------------


def expand_labels(labels: np.ndarray, foreground: np.ndarray, steps: int) -> np.ndarray:
    """Step by step, every pixel looks at its four neighbours."""
    for _ in range(steps):
        before, labels = np.pad(labels, 1), labels.copy()
        for y, x in np.argwhere((labels == 0) & foreground):
            around = [before[y, x + 1], before[y + 2, x + 1], before[y + 1, x], before[y + 1, x + 2]]
            labels[y, x] = min((label for label in around if label), default=0)
    return labels


# --- geometry/nearest_label --------------------------------------------------------------------------------


def expand_to_nearest(labels: np.ndarray, distance: float, pixel: tuple[float, float] = (1.0, 1.0)) -> np.ndarray:
    """Every background pixel measures its distance from all labelled ones; the smallest label of the nearest wins."""
    out, at = labels.copy(), np.argwhere(labels)
    for y, x in np.argwhere(labels == 0) if len(at) else ():
        squared = (((at - (y, x)) * pixel) ** 2).sum(axis=1)
        if squared.min() <= distance**2 * (1 + 1e-9):
            out[y, x] = min(labels[there] for there in map(tuple, at[np.isclose(squared, squared.min(), rtol=1e-12)]))
    return out


def intensities(labels: np.ndarray, pixels: np.ndarray, gap: int, reach: int) -> dict[int, list[float]]:
    """Mean, median, standard deviation, minimum, maximum and sum of each object's finite pixels, and mean of the background
    around it."""
    found = {}
    for label in object_ids(labels):
        inside = pixels[(labels == label) & np.isfinite(pixels)]
        distance = chessboard_distance(labels == label)
        around = pixels[(labels == 0) & (distance > gap) & (distance <= reach) & np.isfinite(pixels)]
        statistics = [
            f(inside) if len(inside) else np.nan for f in (np.mean, np.median, np.std, np.min, np.max, np.sum)
        ]
        found[label] = [*statistics, np.mean(around) if len(around) else np.nan]
    return found


def neighbours(labels: np.ndarray, reach: int) -> dict[int, int]:
    """Number of other objects within reach of each object."""
    return {
        label: len(set(object_ids(labels[chessboard_distance(labels == label) <= reach])) - {label})
        for label in object_ids(labels)
    }


def chessboard_distance(mask: np.ndarray) -> np.ndarray:
    """The larger of the distances along rows and columns, to the nearest pixel of a mask."""
    pixels = np.argwhere(mask)
    every = np.indices(mask.shape).reshape(2, -1).T
    return np.abs(every[:, None] - pixels).max(axis=2).min(axis=1).reshape(mask.shape)


# --- geometry/painting, geometry/fields -----------------------------------------------------------


def nearest_seed(y: float, x: float, seeds: np.ndarray, weights: np.ndarray) -> tuple[int, float]:
    """The seed of least squared distance less weight, and the distance to the line where the second one takes over."""
    powers = [(y - sy) ** 2 + (x - sx) ** 2 - weight for (sy, sx), weight in zip(seeds, weights, strict=True)]
    first, second = np.argsort(powers)[:2]
    return int(first), (powers[second] - powers[first]) / (2 * np.hypot(*(seeds[first] - seeds[second])))


def pieces(labels: np.ndarray, least: int, every: bool) -> np.ndarray:
    """The largest piece of each object, or every piece, of at least ``least`` pixels, numbered by object or by first pixel."""
    from scipy import ndimage

    found = []
    for value in object_ids(labels):
        parts, n = ndimage.label(labels == value, np.ones((3, 3)))
        masks = [parts == k for k in range(1, n + 1)]
        masks = [mask for mask in masks if mask.sum() >= least]
        if not every and masks:
            masks = [max(masks, key=np.sum)]  # the first of equal ones
        found += masks
    if every:
        found.sort(key=lambda mask: np.flatnonzero(mask)[0])
    out = np.zeros_like(labels)
    for number, mask in enumerate(found, start=1):
        out[mask] = number
    return out


def star(shape: tuple[int, int], centre: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Pixels within a star-shaped outline, whose radius changes linearly with the angle between the given ones."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    angle = np.mod(np.arctan2(y - centre[0], x - centre[1]), 2 * np.pi)
    around = np.interp(angle, np.arange(len(radii) + 1) * 2 * np.pi / len(radii), [*radii, radii[0]])
    return np.hypot(y - centre[0], x - centre[1]) <= around


def limb(shape: tuple[int, int], points: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Pixels within discs along a line: many, close together."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    inside = np.zeros(shape, bool)
    for k in range(len(points) - 1):
        for part in np.linspace(0, 1, 400):
            py, px = (1 - part) * points[k] + part * points[k + 1]
            inside |= np.hypot(y - py, x - px) <= (1 - part) * widths[k] + part * widths[k + 1]
    return inside


def linked_stack(labels: np.ndarray, axis: int, min_iou: float) -> np.ndarray:
    """A stack of labels (T, Z, Y, X) whose objects are linked along an axis, from all pairs of masks."""
    out = np.zeros(labels.shape, int)
    largest = 0
    for index in np.ndindex(labels.shape[:2]):
        ids = [int(i) for i in np.unique(labels[index]) if i]
        found: dict[int, int] = {}
        if index[axis]:
            before = (*index[:axis], index[axis] - 1, *index[axis + 1 :])
            pairs = []
            for a in np.unique(out[before]):
                for b in ids:
                    first, second = out[before] == a, labels[index] == b
                    iou = (first & second).sum() / (first | second).sum()
                    if a and iou >= min_iou and iou > 0:
                        pairs.append((-iou, int(labels[before][first][0]), b, int(a)))
            taken = set()
            for _, _, b, a in sorted(pairs):
                if b not in found and a not in taken:
                    found[b] = a
                    taken.add(a)
        for i in ids:
            if i not in found:
                largest += 1
                found[i] = largest
            out[index][labels[index] == i] = found[i]
    return out


def projected(planes: np.ndarray, method: str, radius: int) -> np.ndarray:
    """The projection of planes (Z, Y, X, C) over z, pixel by pixel where it takes the sharpest."""
    if method == "max":
        return planes.max(axis=0)
    if method == "mean":
        return planes.mean(axis=0).astype(np.float32)
    energy = np.zeros(planes.shape[:3])
    values = planes.astype(float)
    energy[:, :-1] += (np.diff(values, axis=1) ** 2).sum(axis=-1)
    energy[:, :, :-1] += (np.diff(values, axis=2) ** 2).sum(axis=-1)
    out = np.zeros_like(planes[0])
    for y, x in np.ndindex(planes.shape[1:3]):
        window = energy[:, max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1]
        out[y, x] = planes[window.sum(axis=(1, 2)).argmax(), y, x]
    return out


def margin_of(channel: np.ndarray, low: float, high: float) -> tuple[float, float, float, float] | None:
    """What becomes 0 and 1 in the rest of a channel with a margin, the rest's median, and up to where pixels are margin."""
    value = min(channel[0, 0], channel[0, -1], channel[-1, 0], channel[-1, -1])
    rest = np.sort(channel[channel != value].astype(float))
    if not len(rest) or value > rest[0] or len(rest) < 0.4 * channel.size:
        return None
    stray, bottom, middle, top = np.percentile(rest, (0.01, low, 50, high))
    floor = (float(value) + bottom) / 2
    if bottom - float(value) < (top - bottom) / 4 or top == bottom or stray <= floor:
        return None
    return bottom, top, middle, floor
