"""The optimiser: Adam over all parameters of a method, none forgotten, and its step sizes."""

from __future__ import annotations

import torch
from torch import nn

from avzsl.methods.base import Training


def make_optimiser(method: nn.Module, training: Training) -> torch.optim.Optimizer:
    """Return Adam with L2 weight decay (Kingma & Ba, 2015), one fused step for all parameters."""
    return torch.optim.Adam(
        method.parameters(),
        lr=training.learning_rate,
        betas=training.betas,
        weight_decay=training.weight_decay,
        fused=True,
    )


class Plateau:
    """Lowers the step size when the harmonic mean on validation stops rising.

    The rule is that of torch's ``ReduceLROnPlateau(mode="max")`` with its default threshold, as in
    the code of AVCA and TCaF.
    """

    THRESHOLD = 1e-4
    """Share by which a value must beat the best one to count as better."""

    def __init__(self, training: Training) -> None:
        """Begin with no value seen."""
        self._training = training
        self._best = float("-inf")
        self._bad_epochs = 0

    def after(self, hm: float, rate: float) -> float:
        """Return the step size for the epochs that follow.

        Args:
            hm: Harmonic mean on validation, at least 0.
            rate: The step size so far.
        """
        if self._training.schedule == "constant":
            return rate
        if hm > self._best * (1 + self.THRESHOLD):
            self._best, self._bad_epochs = hm, 0
        else:
            self._bad_epochs += 1
        if self._bad_epochs <= self._training.patience:
            return rate
        self._bad_epochs = 0
        return rate * self._training.decay

    def state(self) -> list[float]:
        """Return what the next step size depends on."""
        return [self._best, self._bad_epochs]

    def load(self, state: list[float]) -> None:
        """Go on from a state."""
        self._best, self._bad_epochs = state[0], int(state[1])
