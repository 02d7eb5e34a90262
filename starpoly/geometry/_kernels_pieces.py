"""Connected pieces of labels, by union of runs along rows."""

from __future__ import annotations

import numpy as np

from ._kernels import kernel


@kernel
def runs_beside_largest(labels, n):
    """Runs (row, start, stop, label) outside the largest piece of each label 1..n."""
    runs, parents = _find_runs(labels)
    sizes = np.zeros(len(runs), np.int64)
    for i in range(len(runs)):
        sizes[_root(parents, i)] += runs[i, 2] - runs[i, 1]
    largest = np.full(n + 1, -1, np.int64)  # roots; a root is the first run of its piece, so ties go to the first piece
    n_lost = 0
    for i in range(len(runs)):
        best = largest[runs[i, 3]]
        if parents[i] == i and (best < 0 or sizes[i] > sizes[best]):
            largest[runs[i, 3]] = i
    for i in range(len(runs)):
        n_lost += _root(parents, i) != largest[runs[i, 3]]
    lost, n_lost = np.empty((n_lost, 4), np.int64), 0
    for i in range(len(runs)):
        if _root(parents, i) != largest[runs[i, 3]]:
            lost[n_lost] = runs[i]
            n_lost += 1
    return lost


@kernel
def _find_runs(labels):
    """All runs of labels, row by row, and for each an earlier run that shares an edge with it, or itself."""
    runs = np.empty((_count_runs(labels), 4), np.int64)
    parents = np.arange(len(runs))
    n = above = above_stop = 0
    for y in range(labels.shape[0]):
        begin, x = n, 0
        while x < labels.shape[1]:
            label, start = labels[y, x], x
            while x < labels.shape[1] and labels[y, x] == label:
                x += 1
            if label > 0:
                runs[n, 0], runs[n, 1], runs[n, 2], runs[n, 3] = y, start, x, label
                while above < above_stop and runs[above, 2] <= start:
                    above += 1
                _join_above(runs, parents, above, above_stop, n)
                n += 1
        above, above_stop = begin, n
    return runs, parents


@kernel
def _count_runs(labels):
    n = 0
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            n += labels[y, x] > 0 and (x == 0 or labels[y, x] != labels[y, x - 1])
    return n


@kernel
def _join_above(runs, parents, above, above_stop, i):
    """Join a run with those of its label in the row above that it shares an edge with."""
    while above < above_stop and runs[above, 1] < runs[i, 2]:
        if runs[above, 3] == runs[i, 3]:
            first, second = _root(parents, above), _root(parents, i)
            parents[max(first, second)] = min(first, second)
        above += 1


@kernel
def _root(parents, i):
    """The first run of a piece; halves the way there."""
    while parents[i] != i:
        parents[i] = parents[parents[i]]
        i = parents[i]
    return i
