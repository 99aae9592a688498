r"""Eq. 3 exactly in O(C² log C): the same counts as ``DenseRanking`` without comparing triplets.

For an anchor c let x be the distances of the other classes and r their ranks in the original
order. A triplet (i, j), r_i < r_j, is *at rest* where its hinge is zero: :math:`x_j \ge x_i + m`.
All others are positive, so it is enough to count, for every class, the triplets at rest in which
it is the nearer or the farther one. With the classes sorted by x, the partners of i that are far
enough away are those behind a place that only moves one way as i does; among them, those of higher
rank are counted by a Fenwick tree over the ranks (Fenwick, 1994), in O(log C) a class:

    pass 1   i from far to near; every j with x_j >= x_i + m enters the tree; i asks how many
             entered have a higher rank
    pass 2   j from near to far; every i with x_i + m <= x_j enters; j asks how many have a
             lower rank

Only classes that are a margin away from the farthest or from the nearest one can have partners, so
that no others are sorted; where all distances to an anchor lie within m of one another, none are.

Shapes: C classes.
"""

from __future__ import annotations

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avzsl.classes.ranking import Ranking


class SortedRanking(Ranking):
    """Eq. 3 by sorting the distances to each anchor: O(C² log C) time, O(C²) memory."""

    def count(self, distances_AC: Tensor, first: int, weights_AC: Tensor) -> tuple[int, int]:
        """Count on as many cores as torch has threads."""
        A = slice(first, first + len(distances_AC))
        rest_A = np.empty(len(distances_AC), np.int64)
        before = numba.get_num_threads()
        most = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
        numba.set_num_threads(min(torch.get_num_threads(), most))
        try:
            count_weights(
                distances_AC.numpy(),
                self.ranks_CC[A].numpy(),
                first,
                self.margin,
                weights_AC.numpy(),
                rest_A,
            )
        finally:
            numba.set_num_threads(before)
        pairs = int(self.pairs_C[A].sum())
        return pairs - int(rest_A.sum()), pairs


@numba.njit(parallel=True, cache=True, fastmath=False)
def count_weights(
    distances_AC: NDArray[np.floating],
    ranks_AC: NDArray[np.integer],
    first: int,
    margin: float,
    weights_AC: NDArray[np.floating],
    rest_A: NDArray[np.int64],
) -> None:
    """Count how often each distance is in a positive hinge, one anchor a thread at a time.

    Args:
        distances_AC: Distances of the embeddings that are optimised.
        ranks_AC: Twice the ranks in the original order; 0 is the anchor itself.
        first: The class that is the first anchor.
        margin: m.
        weights_AC: Written: how often each distance counts.
        rest_A: Written: number of triplets at rest.
    """
    anchors, classes = distances_AC.shape
    for a in numba.prange(anchors):
        x, weights, anchor = distances_AC[a], weights_AC[a], first + a
        low, high = np.inf, -np.inf
        for k in range(classes):
            # as if no triplet were at rest: once for each farther class, less each nearer one
            weights[k] = classes - np.int64(ranks_AC[a, k])
            if k != anchor:
                low, high = min(low, x[k]), max(high, x[k])
        weights[anchor] = 0
        rest_A[a] = 0
        if high < low + margin:
            continue
        # Half of twice a rank is still another number for another rank, and below C.
        ranks = ranks_AC[a].astype(np.int32) // 2
        # Only these can have a partner: no other is a margin away from anything.
        near = _sorted_where(x, anchor, -np.inf, high - margin)
        far = _sorted_where(x, anchor, low + margin, np.inf)
        tree = np.zeros(classes + 1, np.int32)
        rest_A[a] = _rest_as_nearer(x, ranks, near, far, tree, margin, weights)
        tree[:] = 0
        _rest_as_farther(x, ranks, near, far, tree, margin, weights)


@numba.njit(cache=True)
def _sorted_where(x, anchor, least, most):  # type: ignore[no-untyped-def]
    """Return the classes within a stretch of distances, the nearest first.

    The stretch is a little wider than asked for, since rounding must lose no class.
    """
    slack = 1e-9 * (1.0 + np.abs(x).max())
    found = np.empty(len(x), np.int64)
    count = 0
    for k in range(len(x)):
        if k != anchor and least - slack <= x[k] <= most + slack:
            found[count] = k
            count += 1
    found = found[:count]
    return found[np.argsort(x[found], kind="mergesort")]


@numba.njit(cache=True)
def _rest_as_nearer(x, ranks, near, far, tree, margin, weights):  # type: ignore[no-untyped-def]
    """Pass 1: take from each class the triplets at rest in which it is the nearer one."""
    last, entered, rest = len(far) - 1, 0, 0
    for place in range(len(near) - 1, -1, -1):
        i = near[place]
        while last >= 0 and x[far[last]] >= x[i] + margin:
            _add(tree, ranks[far[last]])
            last -= 1
            entered += 1
        if entered:
            higher = entered - _up_to(tree, ranks[i])
            weights[i] -= higher
            rest += higher
    return rest


@numba.njit(cache=True)
def _rest_as_farther(x, ranks, near, far, tree, margin, weights):  # type: ignore[no-untyped-def]
    """Pass 2: give to each class the triplets at rest in which it is the farther one."""
    first = 0
    for place in range(len(far)):
        j = far[place]
        while first < len(near) and x[j] >= x[near[first]] + margin:
            _add(tree, ranks[near[first]])
            first += 1
        if first:
            weights[j] += _up_to(tree, ranks[j] - 1)


@numba.njit(cache=True, inline="always")
def _add(tree, rank):  # type: ignore[no-untyped-def]
    """Enter a class of a rank of at least 1."""
    while rank < len(tree):
        tree[rank] += 1
        rank += rank & -rank


@numba.njit(cache=True, inline="always")
def _up_to(tree, rank):  # type: ignore[no-untyped-def]
    """Return how many of the classes that entered have at most this rank."""
    total = 0
    while rank > 0:
        total += tree[rank]
        rank &= rank - 1
    return total
