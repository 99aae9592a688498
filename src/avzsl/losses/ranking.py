"""Hinge ranking losses of the linear baselines DeViSE and SJE.

Shapes: B clips, K classes that scores are given for.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name

from avzsl.losses.shapes import check_scores

Violations = Literal["all", "worst"]


def hinge_ranking(
    scores_BK: Tensor, labels_B: Tensor, *, margin: float = 0.1, violations: Violations = "all"
) -> Tensor:
    r"""Return the mean over the batch of :math:`\sum_{k \ne y} \max(0, m + s_k - s_y)`.

    ``all`` adds up the wrong classes (DeViSE: Frome et al., NeurIPS 2013); ``worst`` keeps the
    largest term only (SJE: Akata et al., CVPR 2015). At the kink the sub-gradient is 0; equally
    bad classes share the gradient of ``worst`` evenly.

    Args:
        scores_BK: Compatibility of every clip with every class; higher is likelier.
        labels_B: Column of the true class, in [0, K) -- not a dataset-wide class id.
        margin: Lead m that the true class must keep, in units of the scores.
        violations: Which wrong classes count.

    Returns:
        A scalar, 0 where every true class leads by ``margin``.

    Raises:
        ValueError: If the shapes or types disagree or ``violations`` is neither of the two.
    """
    check_scores(scores_BK, labels_B)
    if violations not in ("all", "worst"):
        raise ValueError(f"violations must be 'all' or 'worst', got {violations!r}.")
    true_B1 = labels_B.unsqueeze(1)
    hinges_BK = F.relu(margin + scores_BK - scores_BK.gather(1, true_B1))
    hinges_BK = hinges_BK.scatter(1, true_B1, 0.0)
    per_clip_B = hinges_BK.sum(1) if violations == "all" else hinges_BK.amax(1)
    return per_clip_B.mean()
