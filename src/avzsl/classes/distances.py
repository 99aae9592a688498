"""Distances between class embeddings: cosine, l2 and l1, with gradients that are always finite.

Where two vectors coincide l2 and l1 have no gradient; they return the sub-gradient 0, so that
coinciding vectors neither attract nor repel each other.

Shapes: C and K classes, W size of an embedding.
"""

from __future__ import annotations

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
        return 1 - F.normalize(x_CW, dim=1) @ F.normalize(y_KW, dim=1).T
    # The matrix product that cdist may use loses half the digits of small distances.
    exact = "donot_use_mm_for_euclid_dist"
    return torch.cdist(x_CW, y_KW, p=_ORDERS[distance], compute_mode=exact)


def paired(x_CW: Tensor, y_CW: Tensor, distance: Distance) -> Tensor:
    """Return the distances [C] of every row of ``x_CW`` to the same row of ``y_CW``.

    Raises:
        ValueError: If the shapes disagree or ``distance`` is unknown.
    """
    _check(x_CW, y_CW, distance)
    if len(x_CW) != len(y_CW):
        raise ValueError(f"Expected as many rows in both, got {x_CW.shape = }, {y_CW.shape = }.")
    if distance == "cosine":
        return 1 - (F.normalize(x_CW, dim=1) * F.normalize(y_CW, dim=1)).sum(1)
    return torch.linalg.vector_norm(x_CW - y_CW, ord=_ORDERS[distance], dim=1)


def _check(x_CW: Tensor, y_KW: Tensor, distance: str) -> None:
    if x_CW.ndim != 2 or y_KW.ndim != 2 or x_CW.shape[1] != y_KW.shape[1]:
        raise ValueError(
            f"Expected two matrices of vectors of one size, got {x_CW.shape = }, {y_KW.shape = }."
        )
    if distance not in ("cosine", *_ORDERS):
        raise ValueError(f"distance must be 'cosine', 'l2' or 'l1', got {distance!r}.")
