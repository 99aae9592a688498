r"""Eq. 3 exactly in O(C² log C) by tensor operations, for a GPU.

What has to be counted is, for an anchor with the classes in order of distance x, how many elements
of a stretch of their ranks are higher (or lower) than a given one. A wavelet matrix ("The wavelet
matrix", Information Systems 47, 2015) answers such a question in one step for each bit of a rank,
and every step is a cumulative sum and a few gathers over all classes of all anchors at once:

    at rest as the nearer one     ranks above r_i in the stretch where x_j >= x_i + m
    at rest as the farther one    ranks below r_j in the stretch where x_i + m <= x_j

Shapes: A anchors of a block, C classes, Q = C questions for each anchor.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from avzsl.classes.ranking import Ranking, own_columns


class TensorRanking(Ranking):
    """Eq. 3 by wavelet matrices, on the device of the distances."""

    block_cells: ClassVar[int] = 2**24
    """Enough to keep a GPU busy, in some 1.5 GB."""

    def count(self, distances_AC: Tensor, first: int, weights_AC: Tensor) -> tuple[int, int]:
        """Count for all anchors of the block at once."""
        A = slice(first, first + len(distances_AC))
        ranks_AC = self.ranks_CC[A].int()
        pairs = int(self.pairs_C[A].sum())
        balance_AC = (ranks_AC.shape[1] - ranks_AC) * (ranks_AC > 0)
        # Half of twice a rank is still another number for another rank, and below C.
        nearer_AC, farther_AC = self._at_rest(distances_AC, ranks_AC // 2, first)
        weights_AC.copy_(balance_AC - nearer_AC + farther_AC)
        return pairs - int(nearer_AC.sum()), pairs

    def _at_rest(self, x_AC: Tensor, ranks_AC: Tensor, first: int) -> tuple[Tensor, Tensor]:
        """Return the triplets at rest of each class, as the nearer and as the farther one."""
        x_AC = x_AC.scatter(1, own_columns(x_AC, first), -torch.inf)  # before all, of rank 0
        sorted_AC, order_AC = x_AC.sort(dim=1, stable=True)
        matrix = _WaveletMatrix(ranks_AC.gather(1, order_AC))
        classes = x_AC.shape[1]
        # Behind this place lie the partners j of i; before that one the partners i of j.
        far_AC = torch.searchsorted(sorted_AC, x_AC + self.margin, side="left")
        near_AC = torch.searchsorted(sorted_AC + self.margin, x_AC.contiguous(), side="right")
        ends_AC = torch.full_like(far_AC, classes)
        nearer_AC = (classes - far_AC) - matrix.below(far_AC, ends_AC, ranks_AC + 1)
        # The anchor, of rank 0 at the first place, is no class of lower rank.
        farther_AC = matrix.below(torch.ones_like(near_AC).minimum(near_AC), near_AC, ranks_AC)
        neighbour_AC = ranks_AC > 0
        return nearer_AC * neighbour_AC, farther_AC * neighbour_AC


class _WaveletMatrix:
    """Ranks of the classes of each anchor in order of distance, bit by bit."""

    def __init__(self, values_AC: Tensor) -> None:
        classes = values_AC.shape[1]
        self._bits = max(classes.bit_length(), 1)
        self._ones: list[Tensor] = []
        self._zeros: list[Tensor] = []
        places_C = torch.arange(classes, device=values_AC.device)
        for bit in reversed(range(self._bits)):
            is_one_AC = (values_AC >> bit) & 1
            ones_AC1 = torch.nn.functional.pad(is_one_AC.long().cumsum(1), (1, 0))
            zeros_A1 = classes - ones_AC1[:, -1:]
            before_AC = ones_AC1[:, :-1]
            to_AC = torch.where(is_one_AC.bool(), zeros_A1 + before_AC, places_C - before_AC)
            values_AC = torch.empty_like(values_AC).scatter_(1, to_AC, values_AC)
            self._ones.append(ones_AC1)
            self._zeros.append(zeros_A1)

    def below(self, begins_AQ: Tensor, ends_AQ: Tensor, values_AQ: Tensor) -> Tensor:
        """Return how many elements from ``begins`` to ``ends`` are below ``values``, [A, Q]."""
        total_AQ = torch.zeros_like(begins_AQ)
        for level, bit in enumerate(reversed(range(self._bits))):
            ones, zeros = self._ones[level], self._zeros[level]
            ones_begin, ones_end = ones.gather(1, begins_AQ), ones.gather(1, ends_AQ)
            zeros_between = (ends_AQ - ones_end) - (begins_AQ - ones_begin)
            is_one = ((values_AQ >> bit) & 1).bool()
            total_AQ += torch.where(is_one, zeros_between, 0)
            begins_AQ = torch.where(is_one, zeros + ones_begin, begins_AQ - ones_begin)
            ends_AQ = torch.where(is_one, zeros + ones_end, ends_AQ - ones_end)
        return total_AQ
