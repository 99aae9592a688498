"""Scores of many clips, a batch at a time.

Shapes: V clips, K candidate classes, W size of a class embedding.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avzsl.methods.base import Method
from avzsl.training.feeding import Feeder


@torch.no_grad()
def score_clips(
    method: Method,
    feeder: Feeder,
    rows: NDArray[np.int64],
    classes_KW: Tensor,
    *,
    batch_size: int,
) -> Tensor:
    """Return scores_VK on the CPU; how the clips fall into batches makes no difference.

    Args:
        method: Is put into evaluation mode.
        feeder: Makes batches; its candidates are the classes.
        rows: [V] the clips.
        classes_KW: Embeddings of the candidates.
        batch_size: Clips at a time.
    """
    method.eval()
    starts = range(0, len(rows), batch_size)
    batches = (feeder.batch(rows[start : start + batch_size]) for start in starts)
    return torch.cat([method(batch, classes_KW).float().cpu() for batch in batches])
