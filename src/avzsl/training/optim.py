"""The optimiser: Adam over all parameters of a method, none forgotten."""

from __future__ import annotations

import torch
from torch import nn

from avzsl.methods.base import Training


def make_optimiser(method: nn.Module, training: Training) -> torch.optim.Optimizer:
    """Return Adam with L2 weight decay (Kingma & Ba, 2015), one fused step for all parameters."""
    return torch.optim.Adam(
        method.parameters(),
        lr=training.learning_rate,
        weight_decay=training.weight_decay,
        fused=True,
    )
