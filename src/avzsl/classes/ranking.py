r"""The margin-ranking objective (Eq. 3 of Mo & Morgado, ECCV 2024), exact over all triplets.

For an anchor c and two other classes i, j of which i was nearer to c in the original embeddings,
the hinge :math:`\max(0, d(w_c,w_i) - d(w_c,w_j) + m)` asks that i stays nearer by the margin m.
The hinge is linear where it is positive. The sum over all triplets is therefore linear in the
distances, with whole numbers as weights: d(w_c, w_k) counts once for each positive hinge in which
k is the nearer class, and minus once for each in which k is the farther one. Counting needs no
gradient, which is why no graph over C³ numbers is ever built.

Shapes: C classes; A anchors of a chunk.
"""

from __future__ import annotations

import torch
from torch import Tensor

TIE_TOLERANCE = 1e-6
"""Distances closer than this are tied: the noise of float32 embeddings must not order classes."""

_CHUNK_TRIPLETS = 2**19
"""Triplets compared at once; they fit the cache, which is twice as fast as larger chunks."""


def neighbour_ranks(distances_CC: Tensor, *, tie_tolerance: float = TIE_TOLERANCE) -> Tensor:
    """Return int32 [C, C]: the rank of each class among the neighbours of each anchor.

    The anchor itself has rank 0, its nearest neighbours 1. Neighbours share a rank where their
    sorted distances follow each other by no more than ``tie_tolerance``.
    """
    lonely_CC = distances_CC.detach().clone().fill_diagonal_(-torch.inf)
    sorted_CC, order_CC = lonely_CC.sort(dim=1)
    steps_CC = torch.zeros(sorted_CC.shape, dtype=torch.int32)
    steps_CC[:, 1:] = sorted_CC.diff(dim=1) > tie_tolerance
    ranks_CC = steps_CC.cumsum(1, dtype=torch.int32)
    return torch.empty_like(ranks_CC).scatter_(1, order_CC, ranks_CC)


def count_triplets(ranks_CC: Tensor) -> int:
    """Return the number of triplets (c, i, j) in which i ranks before j among c's neighbours."""
    classes = len(ranks_CC)
    rows_C1 = torch.arange(classes).unsqueeze(1)
    shared = torch.bincount((rows_C1 * classes + ranks_CC).flatten(), minlength=classes**2)
    shared = shared.reshape(classes, classes)[:, 1:]  # rank 0 is the anchor
    return (classes * (classes - 1) ** 2 - int(shared.square().sum())) // 2


class DenseRanking:
    """Eq. 3 by comparing all triplets: O(C³) time, O(C²) memory.

    Args:
        original_CC: Distances d(t_c, t_k) of the original embeddings; they give the order.
        margin: m, in units of the distance.
        tie_tolerance: Pairs (i, j) whose distances to c differ by no more are not ordered.
    """

    def __init__(
        self, original_CC: Tensor, *, margin: float, tie_tolerance: float = TIE_TOLERANCE
    ) -> None:
        if original_CC.ndim != 2 or original_CC.shape[0] != original_CC.shape[1]:
            raise ValueError(f"Expected distances [C, C], got {original_CC.shape = }.")
        self.margin = margin
        ranks_CC = neighbour_ranks(original_CC, tie_tolerance=tie_tolerance)
        self.triplets = count_triplets(ranks_CC)
        self._ranks_CC = ranks_CC.float()

    def __call__(self, distances_CC: Tensor) -> Tensor:
        """Return the mean hinge over all ordered triplets; 0 where no triplet is ordered.

        At the kink, where a hinge is exactly 0, the sub-gradient is 0.

        Args:
            distances_CC: Distances d(w_c, w_k) of the embeddings that are optimised.

        Raises:
            ValueError: If there are not as many classes as in the original embeddings.
        """
        if distances_CC.shape != self._ranks_CC.shape:
            raise ValueError(
                f"Expected distances of {len(self._ranks_CC)} classes, got {distances_CC.shape = }."
            )
        weights_CC, positive = self._count(distances_CC.detach())
        return ((distances_CC * weights_CC).sum() + self.margin * positive) / max(self.triplets, 1)

    def _count(self, distances_CC: Tensor) -> tuple[Tensor, int]:
        """Return how often each distance counts, [C, C], and the number of positive hinges."""
        classes = len(distances_CC)
        nearer_CC = (distances_CC + self.margin).fill_diagonal_(-torch.inf)  # never i = c
        weights_CC = torch.empty_like(distances_CC)
        positive = 0
        anchors = max(1, _CHUNK_TRIPLETS // max(classes**2, 1))
        # Comparing into float32 is three times as fast as into bits, and sums of up to 2^24 ones
        # are exact.
        buffers = torch.empty(2, anchors, classes, classes, dtype=torch.float32)
        for start in range(0, classes, anchors):
            A = slice(start, start + anchors)
            ranks_AC = self._ranks_CC[A]
            ordered_ACC, hinges_ACC = buffers[:, : len(ranks_AC)]
            torch.lt(ranks_AC[:, :, None], ranks_AC[:, None, :], out=ordered_ACC)
            torch.gt(nearer_CC[A, :, None], distances_CC[A, None, :], out=hinges_ACC)
            hinges_ACC.mul_(ordered_ACC)
            as_nearer_AC = hinges_ACC.sum(2)
            weights_CC[A] = as_nearer_AC - hinges_ACC.sum(1)
            positive += int(as_nearer_AC.sum(dtype=torch.float64))
        return weights_CC, positive
