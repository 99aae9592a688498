"""Hinge ranking losses of the linear baselines DeViSE, SJE and ALE.

Shapes: B clips, K classes that scores are given for.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name

from avzsl.losses.shapes import check_scores

Violations = Literal["all", "worst", "ranked"]


def hinge_ranking(
    scores_BK: Tensor, labels_B: Tensor, *, margin: float = 0.1, violations: Violations = "all"
) -> Tensor:
    r"""Return the mean over the batch of :math:`\sum_{k \ne y} \max(0, m + s_k - s_y)`.

    ``all`` adds up the wrong classes (DeViSE: Frome et al., NeurIPS 2013); ``worst`` keeps the
    largest term only (SJE: Akata et al., CVPR 2015). ``ranked`` weighs the sum of a clip with r > 0
    terms above 0 by :math:`(1 + 1/2 + \dots + 1/r) / r`, so that a term counts for more where
    few classes stand before the true one (ALE: Akata et al., TPAMI 2016). At the kink the
    sub-gradient is 0; equally bad classes share the gradient of ``worst`` evenly.

    Args:
        scores_BK: Compatibility of every clip with every class; higher is likelier.
        labels_B: Column of the true class, in [0, K) -- not a dataset-wide class id.
        margin: Lead m that the true class must keep, in units of the scores.
        violations: Which wrong classes count.

    Returns:
        A scalar, 0 where every true class leads by ``margin``.

    Raises:
        ValueError: If the shapes or types disagree or ``violations`` is none of the three.
    """
    check_scores(scores_BK, labels_B)
    if violations not in ("all", "worst", "ranked"):
        raise ValueError(f"violations must be 'all', 'worst' or 'ranked', got {violations!r}.")
    true_B1 = labels_B.unsqueeze(1)
    hinges_BK = F.relu(margin + scores_BK - scores_BK.gather(1, true_B1))
    hinges_BK = hinges_BK.scatter(1, true_B1, 0.0)
    if violations == "worst":
        return hinges_BK.amax(1).mean()
    per_clip_B = hinges_BK.sum(1)
    if violations == "ranked":
        per_clip_B = per_clip_B * _rank_weights(hinges_BK)
    return per_clip_B.mean()


def _rank_weights(hinges_BK: Tensor) -> Tensor:
    """Return (1 + 1/2 + ... + 1/r) / r for the r terms above 0 of each row, [B]; 0 for none."""
    ranks_B = (hinges_BK > 0).sum(1)
    exact = torch.promote_types(hinges_BK.dtype, torch.float32)
    places_K = torch.arange(1, hinges_BK.shape[1] + 1, device=hinges_BK.device, dtype=exact)
    means_K = F.pad(places_K.reciprocal().cumsum(0) / places_K, (1, 0))
    return means_K[ranks_B].to(hinges_BK.dtype)
