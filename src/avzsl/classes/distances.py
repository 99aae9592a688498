"""Distances between class embeddings: cosine, l2 and l1, with gradients that are always finite.

Where two vectors coincide l2 and l1 have no gradient; they return the sub-gradient 0, so that
coinciding vectors neither attract nor repel each other.

All distances of many classes do not fit into memory: ``distance_blocks`` gives them a few rows at a
time, and ``add_gradient`` differentiates them so.

Shapes: C and K classes, A classes of a block, W size of an embedding.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name

from avzsl.classes.options import Distance

_ORDERS = {"l2": 2.0, "l1": 1.0}


def pairwise(x_CW: Tensor, y_KW: Tensor, distance: Distance) -> Tensor:
    """Return the distances [C, K] of every row of ``x_CW`` to every row of ``y_KW``.

    ``cosine`` is 1 - cos, in [0, 2] up to rounding.

    Raises:
        ValueError: If the sizes disagree or ``distance`` is unknown.
    """
    _check(x_CW, y_KW, distance)
    if distance == "cosine":
        return 1 - comparable(x_CW, distance) @ comparable(y_KW, distance).T
    return _cdist(x_CW, y_KW, distance)


def paired(x_CW: Tensor, y_CW: Tensor, distance: Distance) -> Tensor:
    """Return the distances [C] of every row of ``x_CW`` to the same row of ``y_CW``.

    Raises:
        ValueError: If the shapes disagree or ``distance`` is unknown.
    """
    _check(x_CW, y_CW, distance)
    if len(x_CW) != len(y_CW):
        raise ValueError(f"Expected as many rows in both, got {x_CW.shape = }, {y_CW.shape = }.")
    return of_rows(comparable(x_CW, distance), comparable(y_CW, distance), distance)


def comparable(x_CW: Tensor, distance: Distance) -> Tensor:
    """Return the rows whose distances are simple: of unit length for ``cosine``, else as given."""
    return F.normalize(x_CW, dim=1) if distance == "cosine" else x_CW


def of_rows(x_CW: Tensor, y_CW: Tensor, distance: Distance) -> Tensor:
    """Return the distances [C] of rows from ``comparable``, each to the same row of the other."""
    if distance == "cosine":
        return 1 - (x_CW * y_CW).sum(1)
    return torch.linalg.vector_norm(x_CW - y_CW, ord=_ORDERS[distance], dim=1)


def distance_blocks(
    rows_CW: Tensor, distance: Distance, *, cells: int
) -> Iterator[tuple[int, Tensor]]:
    """Yield the distances of all rows to all rows, without a graph, a block of rows at a time.

    Args:
        rows_CW: From ``comparable``.
        distance: Which one.
        cells: Distances in a block, about.

    Yields:
        The number of the first row of the block, and its distances [A, C]. They may be changed, and
        hold until the next block: its memory is theirs.
    """
    classes = len(rows_CW)
    anchors = max(1, min(classes, cells // max(classes, 1)))
    rows_CW = rows_CW.detach()
    memory_AC = rows_CW.new_empty(anchors, classes)
    one = rows_CW.new_ones(1, 1)
    for first in range(0, classes, anchors):
        block_AW = rows_CW[first : first + anchors]
        if distance == "cosine":
            distances_AC = memory_AC[: len(block_AW)]
            torch.addmm(one, block_AW, rows_CW.T, alpha=-1, out=distances_AC)
        else:
            distances_AC = _cdist(block_AW, rows_CW, distance)
        yield first, distances_AC


def add_gradient(
    gradient_CW: Tensor, weights_AC: Tensor, rows_CW: Tensor, first: int, distance: Distance
) -> None:
    """Add the gradient of the weighted sum of a block of distances with respect to the rows.

    Args:
        gradient_CW: Added to.
        weights_AC: Weight of each distance of the block.
        rows_CW: From ``comparable``.
        first: The number of the first row of the block.
        distance: Which one.
    """
    rows_CW = rows_CW.detach()
    A = slice(first, first + len(weights_AC))
    if distance == "cosine":
        gradient_CW[A].addmm_(weights_AC, rows_CW, alpha=-1)
        gradient_CW.addmm_(weights_AC.T, rows_CW[A], alpha=-1)
        return
    with torch.enable_grad():
        block_AW, all_CW = rows_CW[A].clone().requires_grad_(), rows_CW.clone().requires_grad_()
        grads = torch.autograd.grad(
            _cdist(block_AW, all_CW, distance), (block_AW, all_CW), weights_AC
        )
    gradient_CW[A] += grads[0]
    gradient_CW += grads[1]


def weighted_sum(gradient_CW: Tensor, rows_CW: Tensor, distance: Distance) -> float:
    """Return the weighted sum of distances whose gradient ``add_gradient`` made.

    It follows from the gradient alone, by Euler's theorem on homogeneous functions: l2 and l1 are
    of degree 1 in the rows, and so is, of degree 2, ``cosine`` without its constant 1, which counts
    for nothing if the weights add up to 0. That saves reading all distances and weights once more.

    Args:
        gradient_CW: The gradient.
        rows_CW: From ``comparable``, those of the gradient.
        distance: Which one; for ``cosine`` the weights must add up to 0.
    """
    degree = 2 if distance == "cosine" else 1
    return float((gradient_CW * rows_CW).sum(dtype=torch.float64)) / degree


def _cdist(x_CW: Tensor, y_KW: Tensor, distance: Distance) -> Tensor:
    # The matrix product that cdist may use loses half the digits of small distances.
    exact = "donot_use_mm_for_euclid_dist"
    return torch.cdist(x_CW, y_KW, p=_ORDERS[distance], compute_mode=exact)


def _check(x_CW: Tensor, y_KW: Tensor, distance: str) -> None:
    if x_CW.ndim != 2 or y_KW.ndim != 2 or x_CW.shape[1] != y_KW.shape[1]:
        raise ValueError(
            f"Expected two matrices of vectors of one size, got {x_CW.shape = }, {y_KW.shape = }."
        )
    if distance not in ("cosine", *_ORDERS):
        raise ValueError(f"distance must be 'cosine', 'l2' or 'l1', got {distance!r}.")
