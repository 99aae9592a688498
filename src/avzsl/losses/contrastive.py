r"""Supervised audio-visual language alignment (Eq. 5 of Mo & Morgado, ECCV 2024).

Cross-entropy of the similarity of a clip to its class among candidate classes:

.. math:: -\frac{1}{B} \sum_b \log \frac{\exp s(b, y_b)}{\sum_k n_k \exp s(b, k)}

The paper sums the denominator over the samples of the batch, so n_k is the number of clips of class
k in it, and further clips of the true class count as wrong. The three choices of candidates
differ in n_k alone.

Shapes: B clips, K classes that scores are given for.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from avzsl.losses.shapes import check_scores

Candidates = Literal["classes", "samples", "all"]


def contrastive_alignment(
    scores_BK: Tensor, labels_B: Tensor, *, candidates: Candidates = "classes"
) -> Tensor:
    """Return Eq. 5, the mean over the batch.

    Args:
        scores_BK: Similarity of every clip to every class, as logits; higher is likelier.
        labels_B: Column of the true class, in [0, K) -- not a dataset-wide class id.
        candidates: ``classes``: the distinct classes of the batch, n_k = 1 if k is in it.
            ``samples``: Eq. 5 to the letter, n_k = clips of class k in the batch. ``all``: all K
            classes, n_k = 1.

    Returns:
        A scalar; 0 where ``classes`` or ``samples`` meet a batch of one class alone or one clip.
        Half precision is computed in float32.

    Raises:
        ValueError: If the shapes or types disagree or ``candidates`` is none of the three.
    """
    check_scores(scores_BK, labels_B)
    logits_BK = scores_BK.to(torch.promote_types(scores_BK.dtype, torch.float32))
    true_B = logits_BK.gather(1, labels_B.unsqueeze(1)).squeeze(1)
    if candidates in ("classes", "samples"):
        # no bincount: it would wait for the GPU to learn the number of classes
        counts_K = torch.zeros_like(logits_BK[0])
        counts_K = counts_K.index_add(0, labels_B, torch.ones_like(true_B))
        if candidates == "classes":
            counts_K = counts_K.clamp(max=1)
        logits_BK = logits_BK + counts_K.log()  # log 0 = -inf: not a candidate
    elif candidates != "all":
        raise ValueError(f"candidates must be 'classes', 'samples' or 'all', got {candidates!r}.")
    return (logits_BK.logsumexp(1) - true_B).mean()
