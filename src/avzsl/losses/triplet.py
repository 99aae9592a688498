r"""The triplet loss of the methods that learn a joint space of clips and classes.

.. math:: \frac{1}{B} \sum_b \max(0, m + \|a_b - p_b\| - \|a_b - n_b\|)

Shapes: B rows, D size of an embedding.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name


def triplets(
    anchor_BD: Tensor, positive_BD: Tensor, negative_BD: Tensor, *, margin: float = 1.0
) -> Tensor:
    """Return the loss of every row, [B].

    Distances are Euclidean; as in ``torch.nn.TripletMarginLoss``, which the released code of AVCA,
    AVGZSLNet and CJME calls, 1e-6 is added to every difference of two entries.

    Args:
        anchor_BD: What is compared.
        positive_BD: What it should be near to.
        negative_BD: What it should be farther from, by ``margin``.
        margin: Lead m that the negative must have, in units of the distance.

    Raises:
        ValueError: If the three differ in shape or have no rows.
    """
    shapes = [tuple(part.shape) for part in (anchor_BD, positive_BD, negative_BD)]
    if len(set(shapes)) > 1 or anchor_BD.ndim != 2 or not len(anchor_BD):
        raise ValueError(f"Expected three embeddings [B, D] with B > 0, got shapes {shapes}.")
    return F.triplet_margin_loss(
        anchor_BD, positive_BD, negative_BD, margin=margin, reduction="none"
    )


def triplet(
    anchor_BD: Tensor, positive_BD: Tensor, negative_BD: Tensor, *, margin: float = 1.0
) -> Tensor:
    """Return the mean over the rows of :func:`triplets`, a scalar."""
    return torch.mean(triplets(anchor_BD, positive_BD, negative_BD, margin=margin))
