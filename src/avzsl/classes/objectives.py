"""Eq. 1, 2 and 4 of Mo & Morgado (ECCV 2024); Eq. 3 is in ``ranking``.

The paper writes sums. Here every term is the mean over what it sums: Eq. 1 and 2 have C terms and
Eq. 3 has C (C - 1) (C - 2) / 2, so that with plain sums no alpha but one very near 1 would give
the separation any weight, and another one for each number of classes.

Shapes: C classes, W size of an embedding.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from avzsl.classes.distances import (
    add_gradient,
    comparable,
    distance_blocks,
    of_rows,
    paired,
    weighted_sum,
)
from avzsl.classes.options import ClassOptimisation, Distance
from avzsl.classes.ranking import DenseRanking, Ranking, SampledRanking, own_columns

FEW_CLASSES = 100
"""Below, comparing all triplets is faster than sorting, and compiles nothing."""
SINGLE_PRECISION_CLASSES = 2000
"""From here on distances and weights are multiplied in float32, in half the time: the loss is then
within 1e-7 of that in float64, its gradient within 1e-4, each relative to its norm."""
_BLOCK_CELLS = 2**20
"""Distances in memory at once where they are only searched for the nearest."""
_PAIR_CELLS = 2**22
"""Numbers in memory at once of the rows of nearest neighbours."""


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


class Separation:
    """Eq. 1 with its gradient, from a block of distances after another.

    Nearest neighbours are looked for in the blocks, whose precision may be low; the distances to
    them alone are computed anew.

    Args:
        rows_CW: From ``comparable``.
        distance: Which one.
    """

    def __init__(self, rows_CW: Tensor, distance: Distance) -> None:
        self._rows_CW, self._distance = rows_CW.detach(), distance
        self._gradient_CW = torch.zeros_like(self._rows_CW)
        self._total = 0.0

    def add(self, distances_AC: Tensor, first: int) -> None:
        """Take in the nearest neighbours of the classes ``first``, ``first + 1`` ...

        Args:
            distances_AC: To all classes; that of a class to itself is set to 0.
            first: The class of the first row.
        """
        own_A1 = own_columns(distances_AC, first)
        distances_AC.scatter_(1, own_A1, torch.inf)
        nearest_AC = distances_AC == distances_AC.amin(1, keepdim=True)
        distances_AC.scatter_(1, own_A1, 0.0)
        row_P, other_P = nearest_AC.nonzero().unbind(1)
        share_P = 1 / row_P.bincount(minlength=len(distances_AC)).to(self._rows_CW.dtype)[row_P]
        pairs = max(1, _PAIR_CELLS // self._rows_CW.shape[1])  # as many as C² where all are tied
        for parts in zip(
            *(x_P.split(pairs) for x_P in (row_P + first, other_P, share_P)), strict=True
        ):
            self._add_pairs(*parts)

    def _add_pairs(self, own_P: Tensor, other_P: Tensor, share_P: Tensor) -> None:
        with torch.enable_grad():
            own_PW, other_PW = (self._rows_CW[x_P].requires_grad_() for x_P in (own_P, other_P))
            near = (of_rows(own_PW, other_PW, self._distance) * share_P).sum()
            gradients = torch.autograd.grad(near, (own_PW, other_PW))
        self._total += float(near.detach())
        for place_P, gradient_PW in zip((own_P, other_P), gradients, strict=True):
            self._gradient_CW.index_add_(0, place_P, gradient_PW)

    def value(self, rows_CW: Tensor) -> Tensor:
        """Return Eq. 1 as a function of the rows that were given, now with their graph."""
        classes = len(rows_CW)
        gradient_CW = self._gradient_CW / -classes
        value: Tensor = _Known.apply(rows_CW, -self._total / classes, gradient_CW)
        return value


def blocked_separation(classes_CW: Tensor, distance: Distance) -> Tensor:
    """Eq. 1 without a matrix of all distances: memory O(C W), value and gradient the same.

    Raises:
        ValueError: If there are fewer than two classes.
    """
    comparable_CW, rows_CW = _rows(classes_CW, distance)
    apart = Separation(comparable_CW, distance)
    for first, distances_AC in distance_blocks(rows_CW, distance, cells=_BLOCK_CELLS):
        apart.add(distances_AC, first)
    return apart.value(comparable_CW)


def _rows(classes_CW: Tensor, distance: Distance) -> tuple[Tensor, Tensor]:
    """Return the rows to compare: with their graph, and without it in the precision to multiply.

    Raises:
        ValueError: If there are fewer than two classes.
    """
    if len(classes_CW) < 2:
        raise ValueError(f"Separation needs at least two classes, got {classes_CW.shape = }.")
    comparable_CW = comparable(classes_CW, distance)
    single = len(classes_CW) >= SINGLE_PRECISION_CLASSES
    return comparable_CW, comparable_CW.detach().to(torch.float32 if single else classes_CW.dtype)


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
            apart, semantic = ranked_terms(classes_CW, self._ranking, self._distance)
        return Terms((1 - self._alpha) * semantic + self._alpha * apart, apart, semantic)


def semantic_of_each(classes_CW: Tensor, original_CW: Tensor, options: ClassOptimisation) -> Tensor:
    """Return [C]: the semantic term of each class alone.

    Of Eq. 3 the mean hinge of the triplets whose anchor it is (0 where no two of its neighbours are
    ordered), counted exactly; of Eq. 2 the distance to its original embedding.

    Args:
        classes_CW: The embeddings w, unit rows.
        original_CW: The original embeddings t, unit rows.
        options: Which semantic term, distance and margin.
    """
    ranking = _ranking(original_CW, replace(options, ranking="exact"))
    if ranking is None:
        distances_C = paired(classes_CW, original_CW, options.distance)
        return distances_C.clamp(min=0)  # rounding makes 1 - cos of equal rows negative
    rows_CW = comparable(classes_CW, options.distance)
    found_C = torch.zeros(len(rows_CW), dtype=rows_CW.dtype)
    for anchor, distances_1C in distance_blocks(rows_CW, options.distance, cells=len(rows_CW)):
        weights_1C = torch.empty_like(distances_1C)
        positive, triplets = ranking.count(distances_1C, anchor, weights_1C)
        total = (weights_1C * distances_1C).sum() + ranking.margin * positive
        found_C[anchor] = total / max(triplets, 1)
    return found_C


def ranked_terms(classes_CW: Tensor, ranking: Ranking, distance: Distance) -> tuple[Tensor, Tensor]:
    """Return Eq. 1 and Eq. 3 with their gradients, from a block of distances at a time.

    Eq. 3 is linear in the distances of a block (``ranking``), so that its gradient is known as soon
    as its value is, and no block need be kept.

    Raises:
        ValueError: If there are fewer than two classes.
    """
    comparable_CW, rows_CW = _rows(classes_CW, distance)
    gradient_CW = torch.zeros_like(rows_CW)
    apart, positive, triplets = Separation(comparable_CW, distance), 0, 0
    for first, distances_AC in distance_blocks(rows_CW, distance, cells=ranking.block_cells):
        apart.add(distances_AC, first)
        if first == 0:
            memory_AC = torch.empty_like(distances_AC)
        weights_AC = memory_AC[: len(distances_AC)]
        counts = ranking.count(distances_AC, first, weights_AC)
        positive, triplets = positive + counts[0], triplets + counts[1]
        add_gradient(gradient_CW, weights_AC, rows_CW, first, distance)
    mean = max(triplets, 1)
    total = weighted_sum(gradient_CW, rows_CW, distance) + ranking.margin * positive
    gradient_CW = (gradient_CW / mean).to(classes_CW.dtype)
    semantic: Tensor = _Known.apply(comparable_CW, total / mean, gradient_CW)
    return apart.value(comparable_CW), semantic


class _Known(torch.autograd.Function):
    """A number that was computed together with its gradient."""

    @staticmethod
    def forward(ctx: FunctionCtx, rows_CW: Tensor, value: float, gradient_CW: Tensor) -> Tensor:
        ctx.save_for_backward(gradient_CW)
        return rows_CW.new_tensor(value)

    @staticmethod
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor, None, None]:
        (gradient_CW,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return grad * gradient_CW, None, None


def _ranking(original_CW: Tensor, options: ClassOptimisation) -> Ranking | None:
    """Return Eq. 3 as the options want it counted; None where the semantic term is Eq. 2."""
    if options.objective == "proximity":
        return None
    rows_CW = comparable(original_CW, options.distance)
    blocks = distance_blocks(rows_CW, options.distance, cells=_BLOCK_CELLS)
    original = (distances_AC for _, distances_AC in blocks)
    if options.ranking == "sampled":
        samples = options.sampled_triplets
        return SampledRanking(original, margin=options.margin, samples=samples)
    if options.ranking == "dense" or len(rows_CW) < FEW_CLASSES:
        return DenseRanking(original, margin=options.margin)
    if original_CW.is_cuda:
        from avzsl.classes.tensor_ranking import TensorRanking

        return TensorRanking(original, margin=options.margin)
    from avzsl.classes.sorted_ranking import SortedRanking  # compiles, which takes seconds once

    return SortedRanking(original, margin=options.margin)
