"""Eq. 1, 2 and 4 of Mo & Morgado (ECCV 2024); Eq. 3 is in ``ranking``.

The paper writes sums. Here every term is the mean over what it sums: Eq. 1 and 2 have C terms and
Eq. 3 has C (C - 1) (C - 2) / 2, so that with plain sums no alpha but one very near 1 would give
the separation any weight, and another one for each number of classes.

Shapes: C classes, W size of an embedding.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from avzsl.classes.distances import paired, pairwise
from avzsl.classes.options import ClassOptimisation, Distance
from avzsl.classes.ranking import DenseRanking, Ranking, SampledRanking

FEW_CLASSES = 100
"""Below, comparing all triplets is faster than sorting, and compiles nothing."""
_BLOCK_CELLS = 2**24
"""Distances in memory at once where they are only searched for the nearest."""


def separation(distances_CC: Tensor) -> Tensor:
    """Eq. 1: minus the mean distance of a class to its nearest neighbour.

    Where several neighbours are equally near, they share the gradient evenly.

    Raises:
        ValueError: If there are fewer than two classes.
    """
    if len(distances_CC) < 2:
        raise ValueError(f"Separation needs at least two classes, got {distances_CC.shape = }.")
    itself_CC = torch.eye(len(distances_CC), dtype=torch.bool, device=distances_CC.device)
    return -distances_CC.masked_fill(itself_CC, torch.inf).amin(1).mean()


def blocked_separation(classes_CW: Tensor, distance: Distance) -> Tensor:
    """Eq. 1 without a matrix of all distances: memory O(C W), value and gradient the same.

    The nearest neighbours are searched block by block, without a graph; the distances to them alone
    are then computed with one.

    Raises:
        ValueError: If there are fewer than two classes.
    """
    classes = len(classes_CW)
    if classes < 2:
        raise ValueError(f"Separation needs at least two classes, got {classes_CW.shape = }.")
    found = []
    rows = max(1, _BLOCK_CELLS // classes)
    with torch.no_grad():
        for start in range(0, classes, rows):
            near_AC = pairwise(classes_CW[start : start + rows], classes_CW, distance)
            own_A1 = torch.arange(start, start + len(near_AC), device=near_AC.device)[:, None]
            near_AC.scatter_(1, own_A1, torch.inf)
            nearest_AC = near_AC == near_AC.amin(1, keepdim=True)
            places = nearest_AC.nonzero()
            shares = 1 / nearest_AC.sum(1).to(near_AC.dtype)
            found.append((places[:, 0] + start, places[:, 1], shares[places[:, 0]]))
    own_P, other_P, share_P = (torch.cat(parts) for parts in zip(*found, strict=True))
    distances_P = paired(classes_CW[own_P], classes_CW[other_P], distance)
    return -(distances_P * share_P).sum() / classes


class Terms(NamedTuple):
    """The value of Eq. 4 and of its two terms."""

    loss: Tensor
    """(1 - alpha) semantic + alpha separation."""
    separation: Tensor
    """Eq. 1; minus the mean distance to the nearest neighbour."""
    semantic: Tensor
    """Eq. 2 or 3."""


class ClassObjective:
    """Eq. 4 as a function of the embeddings that are optimised.

    Args:
        original_CW: Original embeddings t, unit rows.
        options: Which semantic term, distance and weights.
    """

    def __init__(self, original_CW: Tensor, options: ClassOptimisation) -> None:
        self._alpha = options.alpha
        self._distance = options.distance
        self._original_CW = original_CW
        self._ranking = _ranking(original_CW, options)

    def __call__(self, classes_CW: Tensor) -> Terms:
        """Return Eq. 4 and its terms at the embeddings w."""
        if self._ranking is None:
            semantic = paired(classes_CW, self._original_CW, self._distance).mean()
            apart = blocked_separation(classes_CW, self._distance)
        else:
            distances_CC = pairwise(classes_CW, classes_CW, self._distance)
            apart, semantic = separation(distances_CC), self._ranking(distances_CC)
        return Terms((1 - self._alpha) * semantic + self._alpha * apart, apart, semantic)


def _ranking(original_CW: Tensor, options: ClassOptimisation) -> Ranking | None:
    """Return Eq. 3 as the options want it counted; None where the semantic term is Eq. 2."""
    if options.objective == "proximity":
        return None
    original_CC = pairwise(original_CW, original_CW, options.distance)
    if options.ranking == "sampled":
        samples = options.sampled_triplets
        return SampledRanking(original_CC, margin=options.margin, samples=samples)
    if options.ranking == "dense" or len(original_CC) < FEW_CLASSES:
        return DenseRanking(original_CC, margin=options.margin)
    if original_CC.is_cuda:
        from avzsl.classes.tensor_ranking import TensorRanking

        return TensorRanking(original_CC, margin=options.margin)
    from avzsl.classes.sorted_ranking import SortedRanking  # compiles, which takes seconds once

    return SortedRanking(original_CC, margin=options.margin)
