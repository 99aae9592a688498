r"""Cross-entropy with a margin that depends on the pair of classes.

.. math:: -\frac{1}{B} \sum_b \log \frac{\exp s(b, y_b)}
    {\exp s(b, y_b) + \sum_{k \ne y_b} \exp (s(b, k) + m(y_b, k))}

The true class must lead class k by more, the larger m(y, k) is. With
:math:`m(y, k) = \alpha \cos(w_y, w_k) + \beta` it must lead classes of like meaning by most (Li et
al., "Boosting Few-Shot Learning With Adaptive Margin Loss", CVPR 2020).

Shapes: B clips, K classes that scores are given for, W size of a class embedding.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name

from avzsl.losses.shapes import check_scores


def margin_cross_entropy(scores_BK: Tensor, labels_B: Tensor, margins_KK: Tensor) -> Tensor:
    """Return the cross-entropy under margins, the mean over the batch.

    Args:
        scores_BK: Similarity of every clip to every class, as logits; higher is likelier.
        labels_B: Column of the true class, in [0, K) -- not a dataset-wide class id.
        margins_KK: m(y, k) in row y and column k, in units of the scores; the diagonal is not read.

    Returns:
        A scalar, at least 0.

    Raises:
        ValueError: If the shapes or types disagree.
    """
    check_scores(scores_BK, labels_B)
    classes = scores_BK.shape[1]
    if margins_KK.shape != (classes, classes):
        raise ValueError(
            f"Expected margins [K, K] for scores of K = {classes} classes, got "
            f"{margins_KK.shape = }."
        )
    margins_BK = margins_KK[labels_B].scatter(1, labels_B.unsqueeze(1), 0.0)
    return F.cross_entropy(scores_BK + margins_BK, labels_B)


def similarity_margins(
    classes_KW: Tensor, *, scale: float | Tensor, offset: float | Tensor
) -> Tensor:
    """Return margins_KK, ``scale`` times the cosine of two class embeddings plus ``offset``.

    Args:
        classes_KW: Embeddings of the classes.
        scale: The factor alpha.
        offset: The summand beta.
    """
    unit_KW = F.normalize(classes_KW, dim=1)
    return scale * (unit_KW @ unit_KW.T) + offset
