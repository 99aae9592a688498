"""The only training loop: draw a batch, add up the terms of the loss, step.

Shapes: C training clips, K classes that are seen in the stage, W size of a class embedding.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avzsl.datasets.batches import draw_negatives, epoch_batches
from avzsl.methods.base import Method, Training
from avzsl.seeding import stream
from avzsl.training.feeding import Feeder
from avzsl.training.optim import make_optimiser

_log = logging.getLogger(__name__)


class Fit:
    """One method being fitted to the training clips of one stage.

    Everything that changes is in :meth:`state_dict`, between any two steps.

    Attributes:
        epoch: Epochs that are complete.
    """

    def __init__(
        self,
        method: Method,
        feeder: Feeder,
        rows_C: NDArray[np.int64],
        classes_KW: Tensor,
        training: Training,
        *,
        seed: int,
        stage: int,
    ) -> None:
        """Prepare the first step.

        Args:
            method: On the device where it is trained.
            feeder: Makes batches; its candidates are the seen classes.
            rows_C: The training clips.
            classes_KW: Embeddings of the seen classes: no other class enters a loss.
            training: Step size, batches and epochs.
            seed: Of the batches.
            stage: 1 or 2; the stages draw different batches.
        """
        self.method = method
        self.epoch = 0
        self._step = 0
        self._sums: dict[str, Tensor] = {}
        self._feeder = feeder
        self._rows_C = rows_C
        self._labels_C = feeder.labels(rows_C)
        self._classes_KW = classes_KW
        self._training = training
        self._seed = seed
        self._stage = stage
        self._optimiser = make_optimiser(method, training)

    def run_epoch(self, after_step: Callable[[], None]) -> dict[str, float]:
        """Train for the rest of an epoch.

        Args:
            after_step: Called after every step but the last, when the state is fit to be saved.

        Returns:
            Mean over the steps of each term of the loss, and of their sum under ``loss``.

        Raises:
            ValueError: If a term is not finite.
        """
        generator = stream(self._seed, "batches", self._stage, self.epoch + 1)
        batches = epoch_batches(
            self._labels_C,
            batch_size=self._training.batch_size,
            steps=self._training.steps_per_epoch,
            sampling=self._training.sampling,
            generator=generator,
        )
        drawn = list(zip(batches, self._negatives(batches), self._places(batches), strict=True))
        self.method.train()
        for positions, other, places in drawn[self._step :]:
            negatives = None if other is None else self._rows_C[other]
            self._take_step(self._rows_C[positions], negatives, places)
            if self._step < len(batches):
                after_step()
        means = {name: value.item() / len(batches) for name, value in self._sums.items()}
        self.epoch, self._step, self._sums = self.epoch + 1, 0, {}
        if not all(np.isfinite(value) for value in means.values()):
            raise ValueError(
                f"Training diverged in epoch {self.epoch} of stage {self._stage}: mean losses are "
                f"{means}. Lower training.learning_rate, or set protocol.standardise to true."
            )
        return means

    @property
    def learning_rate(self) -> float:
        """Step size of the optimiser."""
        rate: float = self._optimiser.param_groups[0]["lr"]
        return rate

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        for group in self._optimiser.param_groups:
            group["lr"] = rate

    def _negatives(self, batches: list[NDArray[np.int64]]) -> list[NDArray[np.int64]] | list[None]:
        """Draw the negatives of an epoch, where the method wants any."""
        if not self.method.needs_negatives:
            return [None] * len(batches)
        generator = stream(self._seed, "negatives", self._stage, self.epoch + 1)
        return [draw_negatives(self._labels_C, batch, generator) for batch in batches]

    def _places(self, batches: list[NDArray[np.int64]]) -> list[NDArray[np.float64]] | list[None]:
        """Draw where the stretches of long clips begin, where clips are cut at all."""
        if not self._feeder.cuts:
            return [None] * len(batches)
        generator = stream(self._seed, "stretches", self._stage, self.epoch + 1)
        return [generator.random((2, len(batch))) for batch in batches]

    def _take_step(
        self,
        rows: NDArray[np.int64],
        negatives: NDArray[np.int64] | None,
        places: NDArray[np.float64] | None,
    ) -> None:
        batch = self._feeder.batch(rows, negatives, places)
        terms = self.method.losses(batch, self._classes_KW)
        loss = torch.stack(list(terms.values())).sum()
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self._optimiser.step()
        with torch.no_grad():
            self.method.after_step(batch, self._classes_KW)
        for name, term in {**terms, "loss": loss}.items():
            # Added up where it is: reading it here would make a GPU wait in every step.
            before = self._sums.get(name, 0.0)
            self._sums[name] = before + term.detach().double()
        self._step += 1

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the next step depends on, as containers of tensors and numbers."""
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
        return {
            "method": self.method.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "epoch": self.epoch,
            "step": self._step,
            "sums": self._sums,
            "random_cpu": torch.get_rng_state(),
            "random_cuda": cuda,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.method.load_state_dict(state["method"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.epoch, self._step, self._sums = state["epoch"], state["step"], dict(state["sums"])
        torch.set_rng_state(state["random_cpu"])
        if state["random_cuda"]:
            torch.cuda.set_rng_state_all(state["random_cuda"])
