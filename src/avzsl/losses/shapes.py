"""What every loss on scores asks of its input."""

from __future__ import annotations

import torch
from torch import Tensor


def check_scores(scores_BK: Tensor, labels_B: Tensor) -> None:
    """Check shapes and types; values are not looked at, for that would stall a GPU.

    Raises:
        ValueError: If there is not one int64 label per row, or if there are no rows or columns.
    """
    if scores_BK.ndim != 2 or labels_B.shape != scores_BK.shape[:1] or not scores_BK.numel():
        raise ValueError(
            f"Expected scores [B, K] and labels [B] with B, K > 0, got {scores_BK.shape = }, "
            f"{labels_B.shape = }."
        )
    if labels_B.dtype != torch.int64 or not scores_BK.is_floating_point():
        raise ValueError(
            f"Expected scores of a floating type and int64 labels, got {scores_BK.dtype = }, "
            f"{labels_B.dtype = }."
        )
