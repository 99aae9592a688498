"""Class-embedding optimisation (Mo & Morgado, ECCV 2024, Section 3.2).

All class names, seen and unseen, are pushed apart while they keep their meaning. The paper names
neither optimiser nor step size nor stopping rule; ``docs/methods.md`` gives the measurements that
the defaults here rest on.

The rows stay on the unit sphere in two ways, and both are needed. The loss looks at normalised
rows, so that its gradient is tangential and Adam's moments hold no radial part. After each step
the rows are normalised again, for tangential steps make them longer, and a longer row turns less
by a step of the same size.

Shapes: C classes, W size of an embedding.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name

from avzsl.classes.embed import normalise, same_pairs
from avzsl.classes.objectives import ClassObjective
from avzsl.classes.options import ClassOptimisation
from avzsl.classes.records import OptimisedClasses, Trace
from avzsl.types import ClassEmbeddings

_log = logging.getLogger(__name__)

MANY_CLASSES = 1000
"""From here on a step is long enough to share it among cores."""
_SECONDS_BETWEEN_LINES = 60.0
"""Of the log, while it runs."""
_ROUNDING = 1e-12
"""Gains below this are none, even where the loss is 0."""


def optimise_classes(embeddings: ClassEmbeddings, options: ClassOptimisation) -> OptimisedClasses:
    """Return the class embeddings that minimise Eq. 4, starting from the original ones.

    Runs in float64 without random numbers (but for ``ranking: sampled``, which is seeded): the
    result depends on the input alone, up to the rounding of another machine's arithmetic; below
    1,000 classes not on the number of threads either.

    Raises:
        ValueError: If there are fewer than two classes, if a vector is zero or not finite, or if
            two classes have the same vector, for which no direction separates them.
    """
    original = normalise(embeddings)
    _check_distinct(original)
    original_CW = F.normalize(torch.from_numpy(original.vectors).double(), dim=1)
    with _few_threads(len(original.names)):
        objective = ClassObjective(original_CW, options)
        best_CW, trace, converged = _descend(original_CW, objective, options)
    result = OptimisedClasses(
        embeddings=replace(original, vectors=best_CW.float().numpy(), lengths=None),
        original=original,
        trace=trace,
        converged=converged,
    )
    _report(result, options)
    return result


def _check_distinct(original: ClassEmbeddings) -> None:
    if len(original.names) < 2:
        raise ValueError(
            f"Class-embedding optimisation needs at least two classes, got {original.names}."
        )
    same = same_pairs(original)
    if same:
        listed = "; ".join(f"{first!r} and {second!r}" for first, second in same[:10])
        raise ValueError(
            f"{len(same)} pair(s) of classes have the same vector, so that nothing can separate "
            f"them: {listed}. Rename or merge them, or choose another text encoder."
        )


@contextmanager
def _few_threads(classes: int) -> Iterator[None]:
    """Compute on one core where a step is many short operations, as it is below 1,000 classes.

    On a busy machine, waiting for the other threads after each took ten times as long as the work.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1 if classes < MANY_CLASSES else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _descend(
    original_CW: Tensor, objective: ClassObjective, options: ClassOptimisation
) -> tuple[Tensor, Trace, bool]:
    """Return the embeddings of the lowest loss, the trace, and whether it converged."""
    classes_CW = original_CW.clone().requires_grad_()
    adam = torch.optim.Adam([classes_CW], lr=options.learning_rate)
    plateau = _Plateau(options)
    rows: list[tuple[float, float, float]] = []
    lowest, best_CW, said = math.inf, original_CW, time.monotonic()
    while True:
        terms = objective(F.normalize(classes_CW, dim=1))
        row = (terms.loss.item(), terms.separation.item(), terms.semantic.item())
        assert math.isfinite(row[0]), f"the loss is {row[0]} at step {len(rows)}"
        rows.append(row)
        if time.monotonic() - said > _SECONDS_BETWEEN_LINES:
            said = time.monotonic()
            _log.info("step %d: loss %.4f, nearest class at %.4f", len(rows) - 1, row[0], -row[1])
        if row[0] < lowest:
            lowest, best_CW = row[0], classes_CW.detach().clone()
        stands_still = plateau.update(*row)
        if plateau.converged or len(rows) > options.max_steps:
            break
        if stands_still:
            adam.param_groups[0]["lr"] /= 2
        adam.zero_grad()
        terms.loss.backward()
        adam.step()
        with torch.no_grad():
            classes_CW.copy_(F.normalize(classes_CW, dim=1))
    loss, apart, semantic = np.array(rows).T
    return best_CW, Trace(loss=loss, separation=apart, semantic=semantic), plateau.converged


class _Plateau:
    """Tells when the loss stands still, and when a smaller step no longer helps.

    Adam with a fixed step ends in a random-looking walk around the minimum, the wider the larger
    the step, because Eq. 1 has a kink wherever the nearest neighbour changes. So "no more gain" at
    one step size is not convergence. The step is halved each time the loss stands still, and the
    optimisation has converged where two such plateaus in a row are equally low.
    """

    def __init__(self, options: ClassOptimisation) -> None:
        self.converged = False
        self._options = options
        self._rows: list[tuple[float, float, float]] = []
        self._window_before: float | None = None
        self._plateau_before: float | None = None

    def update(self, loss: float, apart: float, semantic: float) -> bool:
        """Take in the loss and terms of one step; return whether the loss stands still."""
        self._rows.append((loss, apart, semantic))
        if len(self._rows) < self._options.window:
            return False
        mean, apart, semantic = np.mean(self._rows, axis=0).tolist()
        self._rows.clear()
        # Relative to the terms, not to the loss: the loss is their difference and may be 0.
        alpha = self._options.alpha
        scale = (1 - alpha) * abs(semantic) + alpha * abs(apart)
        least_gain = self._options.tolerance * scale + _ROUNDING
        before, self._window_before = self._window_before, mean
        if before is None or before - mean > least_gain:
            return False
        above = self._plateau_before
        self.converged = above is not None and above - mean <= least_gain
        self._plateau_before, self._window_before = mean, None
        return True


def _report(result: OptimisedClasses, options: ClassOptimisation) -> None:
    nearest = result.trace.nearest
    _log.info(
        "%d classes: mean %s distance to the nearest class %.4f before, %.4f after %d steps",
        len(result.original.names),
        options.distance,
        nearest[0],
        nearest[result.best_step],
        result.steps,
    )
    if not result.converged:
        _log.warning(
            "Class-embedding optimisation stopped after max_steps = %d without having converged; "
            "raise max_steps or tolerance.",
            options.max_steps,
        )
