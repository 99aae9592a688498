r"""The margin-ranking objective (Eq. 3 of Mo & Morgado, ECCV 2024), exact over all triplets.

For an anchor c and two other classes i, j of which i was nearer to c in the original embeddings,
the hinge :math:`\max(0, d(w_c,w_i) - d(w_c,w_j) + m)` asks that i stays nearer by the margin m.
The hinge is linear where it is positive. The sum over all triplets is therefore linear in the
distances, with whole numbers as weights: d(w_c, w_k) counts once for each positive hinge in which
k is the nearer class, and minus once for each in which k is the farther one. Counting needs no
gradient, which is why no graph over C³ numbers is ever built. An anchor's weights depend on its own
distances alone, so that they are counted a block of anchors at a time.

Four ways to count give the same numbers:

- ``DenseRanking`` compares all triplets: O(C³), the reference, and the fastest below 100 classes;
- ``SortedRanking`` (``sorted_ranking``) sorts and counts with a tree: O(C² log C), compiled, on all
  cores;
- ``TensorRanking`` (``tensor_ranking``) does the same with tensor operations, for a GPU;
- ``SampledRanking`` draws triplets anew in each step, as the paper proposes for many classes; its
  loss is an estimate.

Shapes: C classes; A anchors of a block.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar

import torch
from torch import Tensor

TIE_TOLERANCE = 1e-6
"""Distances closer than this are tied: the noise of float32 embeddings must not order classes."""

_CHUNK_TRIPLETS = 2**19
"""Triplets compared at once; they fit the cache, which is twice as fast as larger chunks."""
_SHORT_CLASSES = 2**15
"""Up to so many classes twice a rank fits into 16 bits."""


def neighbour_ranks(
    distances_AC: Tensor, first: int = 0, *, tie_tolerance: float = TIE_TOLERANCE
) -> tuple[Tensor, Tensor]:
    """Return how the classes stand in the order of distance to each anchor.

    Neighbours are tied where their sorted distances follow each other by no more than
    ``tie_tolerance``; tied ones share their mean rank.

    Args:
        distances_AC: Of the anchors ``first``, ``first + 1`` ... to all classes.
        first: The class that is the first anchor.
        tie_tolerance: In units of the distance.

    Returns:
        ranks_AC int32: twice the rank, from 2 for a nearest neighbour to 2 (C - 1); 0 for the
        anchor itself. C minus that is the number of classes that are farther, less those that
        are nearer.
        pairs_A int64: pairs (i, j) of which i is nearer.
    """
    classes = distances_AC.shape[1]
    places_C = torch.arange(classes, dtype=torch.int32, device=distances_AC.device)
    lonely_AC = distances_AC.detach().clone()
    lonely_AC.scatter_(1, own_columns(lonely_AC, first), -torch.inf)
    sorted_AC, order_AC = lonely_AC.sort(dim=1)
    begins_AC = torch.ones_like(sorted_AC, dtype=torch.bool)  # first of those that are tied
    begins_AC[:, 1:] = sorted_AC.diff(dim=1) > tie_tolerance
    ends_AC = begins_AC.roll(-1, dims=1)  # the first one always begins, so the last one ends
    begin_AC = torch.where(begins_AC, places_C, 0).cummax(1).values
    end_AC = torch.where(ends_AC, places_C, classes).flip(1).cummin(1).values.flip(1)
    ranks_AC = torch.empty_like(begin_AC).scatter_(1, order_AC, begin_AC + end_AC)
    return ranks_AC, (begin_AC[:, 1:].long() - 1).sum(1)


def own_columns(distances_AC: Tensor, first: int) -> Tensor:
    """Return [A, 1]: where the distance of each anchor of a block to itself stands."""
    last = first + len(distances_AC)
    return torch.arange(first, last, device=distances_AC.device)[:, None]


class Ranking(ABC):
    """Eq. 3: the hinges of the triplets that the original distances order.

    Args:
        original: Distances d(t_c, t_k) of the original embeddings; they give the order. Either
            [C, C], or blocks [A, C] of their rows, one after the other.
        margin: m, in units of the distance.
        tie_tolerance: Pairs (i, j) whose distances to c differ by no more are not ordered.
    """

    block_cells: ClassVar[int] = 2**20
    """Distances to count for at a time: they fit the cache of a processor."""

    def __init__(
        self,
        original: Tensor | Iterable[Tensor],
        *,
        margin: float,
        tie_tolerance: float = TIE_TOLERANCE,
    ) -> None:
        if isinstance(original, Tensor) and (
            original.ndim != 2 or original.shape[0] != original.shape[1]
        ):
            raise ValueError(f"Expected distances [C, C], got {original.shape = }.")
        self.margin = margin
        first, pairs = 0, []
        for block_AC in (original,) if isinstance(original, Tensor) else original:
            if first == 0:
                classes = block_AC.shape[-1]
                short = classes <= _SHORT_CLASSES
                self.ranks_CC = torch.empty(
                    (classes, classes),
                    dtype=torch.uint16 if short else torch.int32,
                    device=block_AC.device,
                )
            ranks_AC, pairs_A = neighbour_ranks(block_AC, first, tie_tolerance=tie_tolerance)
            self.ranks_CC[first : first + len(ranks_AC)] = ranks_AC
            pairs.append(pairs_A)
            first += len(ranks_AC)
        self.pairs_C = torch.cat(pairs)
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
        fixed_CC = distances_CC.detach().contiguous()
        weights_CC = torch.empty_like(fixed_CC)
        positive, triplets = self.count(fixed_CC, 0, weights_CC)
        total: Tensor = (distances_CC * weights_CC).sum()
        return (total + self.margin * positive) / max(triplets, 1)

    @abstractmethod
    def count(self, distances_AC: Tensor, first: int, weights_AC: Tensor) -> tuple[int, int]:
        """Count the positive hinges of the anchors ``first``, ``first + 1`` ...

        Args:
            distances_AC: Their distances d(w_c, w_k) to all classes.
            first: The class that is the first anchor.
            weights_AC: Written: how often each distance counts; that of a class to itself 0 times.

        Returns:
            Positive hinges, and triplets looked at.
        """


class DenseRanking(Ranking):
    """Eq. 3 by comparing all triplets: O(C³) time, O(C²) memory."""

    def count(self, distances_AC: Tensor, first: int, weights_AC: Tensor) -> tuple[int, int]:
        """Compare all triplets, some anchors at a time."""
        classes = distances_AC.shape[1]
        nearer_AC = distances_AC + self.margin
        nearer_AC.scatter_(1, own_columns(distances_AC, first), -torch.inf)  # never i = c
        block_ranks_AC = self.ranks_CC[first : first + len(distances_AC)].float()
        positive = 0
        anchors = max(1, _CHUNK_TRIPLETS // max(classes**2, 1))
        # Comparing into float32 is three times as fast as into bits, and sums of up to 2^24 ones
        # are exact.
        buffers = torch.empty(
            2, anchors, classes, classes, dtype=torch.float32, device=weights_AC.device
        )
        for start in range(0, len(distances_AC), anchors):
            A = slice(start, start + anchors)
            ranks_AC = block_ranks_AC[A]
            ordered_ACC, hinges_ACC = buffers[:, : len(ranks_AC)]
            torch.lt(ranks_AC[:, :, None], ranks_AC[:, None, :], out=ordered_ACC)
            torch.gt(nearer_AC[A, :, None], distances_AC[A, None, :], out=hinges_ACC)
            hinges_ACC.mul_(ordered_ACC)
            as_nearer_AC = hinges_ACC.sum(2)
            weights_AC[A] = as_nearer_AC - hinges_ACC.sum(1)
            positive += int(as_nearer_AC.sum(dtype=torch.float64))
        return positive, int(self.pairs_C[first : first + len(distances_AC)].sum())


class SampledRanking(Ranking):
    """Eq. 3 on triplets that are drawn anew, with replacement, each time it is asked for.

    Args:
        samples: Triplets (c, i, j) drawn a time, evenly over the blocks of anchors; of those, the
            ones that are not ordered drop out.
        seed: Of the draws.
    """

    def __init__(
        self,
        original: Tensor | Iterable[Tensor],
        *,
        margin: float,
        samples: int,
        seed: int = 0,
        tie_tolerance: float = TIE_TOLERANCE,
    ) -> None:
        super().__init__(original, margin=margin, tie_tolerance=tie_tolerance)
        self._samples = samples
        self._generator = torch.Generator().manual_seed(seed)

    def count(self, distances_AC: Tensor, first: int, weights_AC: Tensor) -> tuple[int, int]:
        """Draw triplets and count their positive hinges."""
        anchors, classes = distances_AC.shape
        begin, end = (self._samples * row // classes for row in (first, first + anchors))
        samples = end - begin
        a_S = torch.randint(anchors, (samples,), generator=self._generator)
        i_S, j_S = torch.randint(classes, (2, samples), generator=self._generator)
        ranks_AC = self.ranks_CC[first : first + anchors].int()
        ordered_S = (ranks_AC[a_S, i_S] < ranks_AC[a_S, j_S]) & (i_S != a_S + first)
        a_S, i_S, j_S = a_S[ordered_S], i_S[ordered_S], j_S[ordered_S]
        positive_S = distances_AC[a_S, i_S] + self.margin > distances_AC[a_S, j_S]
        ones_S = positive_S.to(weights_AC.dtype)
        weights_AC.zero_()
        weights_AC.index_put_((a_S, i_S), ones_S, accumulate=True)
        weights_AC.index_put_((a_S, j_S), -ones_S, accumulate=True)
        return int(positive_S.sum()), len(a_S)
