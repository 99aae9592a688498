r"""The margin-ranking objective (Eq. 3 of Mo & Morgado, ECCV 2024), exact over all triplets.

For an anchor c and two other classes i, j of which i was nearer to c in the original embeddings,
the hinge :math:`\max(0, d(w_c,w_i) - d(w_c,w_j) + m)` asks that i stays nearer by the margin m.
The hinge is linear where it is positive. The sum over all triplets is therefore linear in the
distances, with whole numbers as weights: d(w_c, w_k) counts once for each positive hinge in which
k is the nearer class, and minus once for each in which k is the farther one. Counting needs no
gradient, which is why no graph over C³ numbers is ever built.

Four ways to count give the same numbers:

- ``DenseRanking`` compares all triplets: O(C³), the reference, and the fastest below 100 classes;
- ``SortedRanking`` (``sorted_ranking``) sorts and counts with a tree: O(C² log C), compiled, on all
  cores;
- ``TensorRanking`` (``tensor_ranking``) does the same with tensor operations, for a GPU;
- ``SampledRanking`` draws triplets anew in each step, as the paper proposes for many classes; its
  loss is an estimate.

Shapes: C classes; A anchors of a chunk.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

TIE_TOLERANCE = 1e-6
"""Distances closer than this are tied: the noise of float32 embeddings must not order classes."""

_CHUNK_ROWS = 1024
"""Anchors whose neighbours are sorted at once: bounds the memory for many classes."""
_CHUNK_TRIPLETS = 2**19
"""Triplets compared at once; they fit the cache, which is twice as fast as larger chunks."""


def neighbour_ranks(distances_CC: Tensor, *, tie_tolerance: float = TIE_TOLERANCE) -> Tensor:
    """Return int32 [C, C]: the rank of each class among the neighbours of each anchor.

    The anchor itself has rank 0, its nearest neighbours 1. Neighbours share a rank where their
    sorted distances follow each other by no more than ``tie_tolerance``.
    """
    classes = len(distances_CC)
    ranks_CC = torch.empty(classes, classes, dtype=torch.int32, device=distances_CC.device)
    for start in range(0, classes, _CHUNK_ROWS):
        lonely_AC = distances_CC[start : start + _CHUNK_ROWS].detach().clone()
        own_A1 = torch.arange(start, start + len(lonely_AC), device=lonely_AC.device)[:, None]
        lonely_AC.scatter_(1, own_A1, -torch.inf)
        sorted_AC, order_AC = lonely_AC.sort(dim=1)
        steps_AC = torch.zeros_like(sorted_AC, dtype=torch.int32)
        steps_AC[:, 1:] = sorted_AC.diff(dim=1) > tie_tolerance
        ranks_AC = ranks_CC[start : start + len(lonely_AC)]
        ranks_AC.scatter_(1, order_AC, steps_AC.cumsum(1, dtype=torch.int32))
    return ranks_CC


def rank_balance(ranks_CC: Tensor) -> tuple[Tensor, Tensor]:
    """Return how the classes stand in the original order of each anchor.

    Returns:
        balance_CC int32: classes of higher rank minus classes of lower rank, 0 for the anchor;
        pairs_C int64: ordered pairs (i, j) of each anchor.
    """
    balance_CC = torch.empty_like(ranks_CC)
    pairs = []
    for start in range(0, len(ranks_CC), _CHUNK_ROWS):
        ranks_AC = ranks_CC[start : start + _CHUNK_ROWS].long()
        counts_AC = torch.zeros_like(ranks_AC).scatter_add_(1, ranks_AC, torch.ones_like(ranks_AC))
        counts_AC[:, 0] = 0  # the anchor is no neighbour
        up_to_AC = counts_AC.cumsum(1)
        higher_AC = up_to_AC[:, -1:] - up_to_AC.gather(1, ranks_AC)
        lower_AC = up_to_AC.gather(1, (ranks_AC - 1).clamp(min=0))
        neighbour_AC = ranks_AC > 0
        balance_CC[start : start + len(ranks_AC)] = (higher_AC - lower_AC) * neighbour_AC
        pairs.append((higher_AC * neighbour_AC).sum(1))
    return balance_CC, torch.cat(pairs)


class _LinearInDistances(torch.autograd.Function):
    """(sum of weights x distances + constant) / triplets, with no [C, C] product in memory."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, distances_CC: Tensor, weights_CC: Tensor, constant: float, triplets: int
    ) -> Tensor:
        ctx.save_for_backward(weights_CC)
        ctx.triplets = triplets  # type: ignore[attr-defined]
        total = torch.dot(distances_CC.flatten(), weights_CC.flatten())
        return (total + constant) / triplets

    @staticmethod
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor, None, None, None]:
        (weights_CC,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return weights_CC * (grad / ctx.triplets), None, None, None  # type: ignore[attr-defined]


class Ranking(ABC):
    """Eq. 3: the mean hinge over the triplets that the original distances order.

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
        self.ranks_CC = neighbour_ranks(original_CC, tie_tolerance=tie_tolerance)
        self.balance_CC, self.pairs_C = rank_balance(self.ranks_CC)
        self.triplets = int(self.pairs_C.sum())

    def __call__(self, distances_CC: Tensor) -> Tensor:
        """Return the mean hinge over all ordered triplets; 0 where no triplet is ordered.

        At the kink, where a hinge is exactly 0, the sub-gradient is 0.

        Args:
            distances_CC: Distances d(w_c, w_k) of the embeddings that are optimised.

        Raises:
            ValueError: If there are not as many classes as in the original embeddings.
        """
        if distances_CC.shape != self.ranks_CC.shape:
            raise ValueError(
                f"Expected distances of {len(self.ranks_CC)} classes, got {distances_CC.shape = }."
            )
        weights_CC, positive, triplets = self.count(distances_CC.detach())
        value: Tensor = _LinearInDistances.apply(
            distances_CC,
            weights_CC.to(distances_CC.dtype),
            self.margin * positive,
            max(triplets, 1),
        )
        return value

    @abstractmethod
    def count(self, distances_CC: Tensor) -> tuple[Tensor, int, int]:
        """Return how often each distance counts, [C, C], positive hinges, and triplets looked at.

        A distance of a class to itself counts 0 times.
        """


def count_triplets(ranks_CC: Tensor) -> int:
    """Return the number of triplets (c, i, j) in which i ranks before j among c's neighbours."""
    return int(rank_balance(ranks_CC)[1].sum())


class DenseRanking(Ranking):
    """Eq. 3 by comparing all triplets: O(C³) time, O(C²) memory."""

    def count(self, distances_CC: Tensor) -> tuple[Tensor, int, int]:
        """Compare all triplets, some anchors at a time."""
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
            ranks_AC = self.ranks_CC[A].float()
            ordered_ACC, hinges_ACC = buffers[:, : len(ranks_AC)]
            torch.lt(ranks_AC[:, :, None], ranks_AC[:, None, :], out=ordered_ACC)
            torch.gt(nearer_CC[A, :, None], distances_CC[A, None, :], out=hinges_ACC)
            hinges_ACC.mul_(ordered_ACC)
            as_nearer_AC = hinges_ACC.sum(2)
            weights_CC[A] = as_nearer_AC - hinges_ACC.sum(1)
            positive += int(as_nearer_AC.sum(dtype=torch.float64))
        return weights_CC, positive, self.triplets


class SampledRanking(Ranking):
    """Eq. 3 on triplets that are drawn anew, with replacement, each time it is asked for.

    Args:
        samples: Triplets (c, i, j) drawn a time; of those, the ones that are not ordered drop out.
        seed: Of the draws.
    """

    def __init__(
        self,
        original_CC: Tensor,
        *,
        margin: float,
        samples: int,
        seed: int = 0,
        tie_tolerance: float = TIE_TOLERANCE,
    ) -> None:
        super().__init__(original_CC, margin=margin, tie_tolerance=tie_tolerance)
        self._samples = samples
        self._generator = torch.Generator().manual_seed(seed)

    def count(self, distances_CC: Tensor) -> tuple[Tensor, int, int]:
        """Draw triplets and count their positive hinges."""
        classes = len(distances_CC)
        c_S, i_S, j_S = torch.randint(classes, (3, self._samples), generator=self._generator)
        ordered_S = (self.ranks_CC[c_S, i_S] < self.ranks_CC[c_S, j_S]) & (i_S != c_S)
        c_S, i_S, j_S = c_S[ordered_S], i_S[ordered_S], j_S[ordered_S]
        positive_S = distances_CC[c_S, i_S] + self.margin > distances_CC[c_S, j_S]
        weights_CC = torch.zeros_like(distances_CC)
        ones_S = positive_S.to(weights_CC.dtype)
        weights_CC.index_put_((c_S, i_S), ones_S, accumulate=True)
        weights_CC.index_put_((c_S, j_S), -ones_S, accumulate=True)
        return weights_CC, int(positive_S.sum()), len(c_S)
