"""Eq. 1, 2 and 4 of Mo & Morgado (ECCV 2024); Eq. 3 is in ``ranking``.

The paper writes sums. Here every term is the mean over what it sums: Eq. 1 and 2 have C terms and
Eq. 3 has C (C - 1) (C - 2) / 2, so that with plain sums no alpha but one very near 1 would give
the separation any weight, and another one for each number of classes.

Shapes: C classes, W size of an embedding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from avzsl.classes.distances import paired, pairwise
from avzsl.classes.options import ClassOptimisation
from avzsl.classes.ranking import DenseRanking


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
        self._semantic = _semantic(original_CW, options)

    def __call__(self, classes_CW: Tensor) -> Terms:
        """Return Eq. 4 and its terms at the embeddings w."""
        distances_CC = pairwise(classes_CW, classes_CW, self._distance)
        apart = separation(distances_CC)
        semantic = self._semantic(classes_CW, distances_CC)
        return Terms((1 - self._alpha) * semantic + self._alpha * apart, apart, semantic)


def _semantic(
    original_CW: Tensor, options: ClassOptimisation
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the semantic term as a function of the embeddings and of their distances."""
    if options.objective == "proximity":
        return lambda classes_CW, _: paired(classes_CW, original_CW, options.distance).mean()
    original_CC = pairwise(original_CW, original_CW, options.distance)
    ranking = DenseRanking(original_CC, margin=options.margin)
    return lambda _, distances_CC: ranking(distances_CC)
