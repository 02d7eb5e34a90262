"""One-to-one assignment of true and predicted objects, on a sparse score table."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Largest dense matrix, in entries, for a group of connected objects. Larger groups use a sparse graph.
DENSE_ENTRIES = 1 << 20


def assign(
    true_index: NDArray[np.int64], pred_index: NDArray[np.int64], scores: NDArray[Any], thresh: float
) -> NDArray[np.int64]:
    """Choose the matched pairs: as many as possible, then with the largest total score.

    The optimum equals that of the Hungarian algorithm with cost ``-[s >= thresh] - s / (2 n)`` over all n x m pairs,
    ``n <= m``, where disjoint pairs score 0. The second term sums to at most 1/2, so it only breaks ties between
    assignments with equally many pairs at or above the threshold. Scores below the threshold only break ties.

    Parameters
    ----------
    true_index, pred_index : (n_pairs,) int64
        Pairs with a score above 0, each once.
    scores : (n_pairs,) float32 or float64
        Their scores, in (0, 1]; compared with ``thresh`` in their own precision.
    thresh : float
        Smallest score of a match, inclusive.

    Returns
    -------
    matched : (n_matched,) int64
        Positions of the matched pairs, sorted by true object.

    Notes
    -----
    A good pair (score >= thresh) whose objects have no other good pair lies in every optimum: replacing it by pairs
    below the threshold loses a match. For the IoU and ``thresh > 0.5`` all good pairs are of this kind: an object
    cannot share more than half of itself with two others. The rest splits into small groups.
    """
    good = scores >= scores.dtype.type(thresh)
    alone = good & (_degree(true_index, good) == 1) & (_degree(pred_index, good) == 1)
    if alone.sum() == good.sum():
        matched = np.flatnonzero(alone)
    else:
        taken = _at_ends(true_index, alone) | _at_ends(pred_index, alone)
        groups = _groups(true_index, pred_index, np.flatnonzero(~taken), good)
        # At a threshold of 0, all assignments have equally many good pairs: only scores count.
        first = good if thresh > 0 else np.zeros_like(good)
        solved = [_solve(true_index[group], pred_index[group], scores[group], first[group]) for group in groups]
        chosen = [group[kept] for group, kept in zip(groups, solved, strict=True)]
        matched = np.concatenate([np.flatnonzero(alone), *(pairs[good[pairs]] for pairs in chosen)])
    return matched[np.argsort(true_index[matched], kind="stable")]


def _degree(index: NDArray[np.int64], marked: NDArray[np.bool_]) -> NDArray[np.int64]:
    """For each pair, the number of marked pairs of its object."""
    return np.bincount(index, weights=marked, minlength=1).astype(np.int64)[index]


def _at_ends(index: NDArray[np.int64], marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """For each pair, whether its object has a marked pair."""
    return _degree(index, marked) > 0


def _groups(
    true_index: NDArray[np.int64], pred_index: NDArray[np.int64], pairs: NDArray[np.int64], good: NDArray[np.bool_]
) -> list[NDArray[np.int64]]:
    """Split pairs into connected groups of objects. Groups without a good pair have no match."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    true, n_true = _compact(true_index[pairs])
    pred, n_pred = _compact(pred_index[pairs])
    n = n_true + n_pred
    graph = coo_array((np.ones(len(pairs), np.int8), (true, n_true + pred)), shape=(n, n))
    group = connected_components(graph, directed=False)[1][true]
    worth = _at_ends(group, good[pairs])
    pairs, group = pairs[worth], group[worth]
    order = np.argsort(group, kind="stable")
    return np.split(pairs[order], np.flatnonzero(np.diff(group[order])) + 1)


def _compact(index: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    labels, compact = np.unique(index, return_inverse=True)
    return compact, len(labels)


def _solve(
    true_index: NDArray[np.int64], pred_index: NDArray[np.int64], scores: NDArray[Any], first: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Positions of the assigned pairs of one group: as many of ``first`` as possible, then by score."""
    true, n_true = _compact(true_index)
    pred, n_pred = _compact(pred_index)
    gain = first + scores.astype(np.float64) / (2 * min(n_true, n_pred))
    solve = _solve_dense if n_true * n_pred <= DENSE_ENTRIES else _solve_sparse
    rows, columns = solve(true, pred, gain, n_true, n_pred)
    place = dict(zip(zip(true.tolist(), pred.tolist(), strict=True), range(len(true)), strict=True))
    assigned = zip(rows.tolist(), columns.tolist(), strict=True)
    return np.array([place[pair] for pair in assigned if pair in place], np.int64)


def _solve_dense(
    true: NDArray[np.int64], pred: NDArray[np.int64], gain: NDArray[np.float64], n_true: int, n_pred: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    from scipy.optimize import linear_sum_assignment

    gains = np.zeros((n_true, n_pred))
    gains[true, pred] = gain
    return linear_sum_assignment(gains, maximize=True)


def _solve_sparse(
    true: NDArray[np.int64], pred: NDArray[np.int64], gain: NDArray[np.float64], n_true: int, n_pred: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the same optimum in memory proportional to the number of pairs.

    The solver assigns every row, so each true object gets its own "no match" column. It treats a weight of 0 as no
    edge, so all weights grow by 1; every row is used once, which keeps the comparison.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    nothing = np.arange(n_true)
    weights = np.concatenate([1 + gain, np.ones(n_true)])
    ends = np.concatenate([true, nothing]), np.concatenate([pred, n_pred + nothing])
    # SciPy 1.14 takes 32-bit indices alone
    graph = csr_array((weights, tuple(end.astype(np.int32) for end in ends)), shape=(n_true, n_pred + n_true))
    return min_weight_full_bipartite_matching(graph, maximize=True)
