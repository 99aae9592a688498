"""What class-embedding optimisation returns; imports no torch, for reports read it too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avzsl.types import ClassEmbeddings


@dataclass(frozen=True, kw_only=True)
class Trace:
    """The loss (Eq. 4) and its terms before each step, and after the last one: [steps + 1]."""

    loss: NDArray[np.float64]
    """(1 - alpha) semantic + alpha separation."""
    separation: NDArray[np.float64]
    """Eq. 1."""
    semantic: NDArray[np.float64]
    """Eq. 2 or 3."""

    def __post_init__(self) -> None:
        if (
            not self.loss.shape == self.separation.shape == self.semantic.shape
            or not self.loss.size
        ):
            raise ValueError(
                f"A trace needs three series of one length, got {self.loss.shape = }, "
                f"{self.separation.shape = }, {self.semantic.shape = }."
            )

    @property
    def nearest(self) -> NDArray[np.float64]:
        """Mean distance of a class to its nearest neighbour: minus the separation."""
        return -self.separation


@dataclass(frozen=True, kw_only=True)
class OptimisedClasses:
    """Class embeddings after optimisation, and how they came to be."""

    embeddings: ClassEmbeddings
    """w, unit rows: those of the step with the lowest loss."""
    original: ClassEmbeddings
    """t, unit rows, the same classes in the same order."""
    trace: Trace
    """Every step, with the original embeddings at its begin."""
    converged: bool
    """False where ``max_steps`` was reached first."""

    def __post_init__(self) -> None:
        if self.embeddings.names != self.original.names:
            raise ValueError("The optimised and the original embeddings name different classes.")
        if self.embeddings.vectors.shape != self.original.vectors.shape:
            raise ValueError(
                f"The optimised and the original embeddings differ in size, got "
                f"{self.embeddings.vectors.shape = }, {self.original.vectors.shape = }."
            )

    @property
    def steps(self) -> int:
        """Steps of the optimiser."""
        return len(self.trace.loss) - 1

    @property
    def best_step(self) -> int:
        """The step whose embeddings were kept; 0 where no step improved on the original ones."""
        return int(self.trace.loss.argmin())


@dataclass(frozen=True, kw_only=True)
class NeighbourChange:
    """A class, its nearest neighbour before and after, and how much of the order was kept."""

    name: str
    nearest_before: str
    """Of several equally near ones the first in the order of the classes."""
    distance_before: float
    nearest_after: str
    distance_after: float
    rank_correlation: float | None
    """Spearman's, between the distances to all other classes before and after, ties averaged;
    None where it is not defined: with one neighbour, or where all are equally far."""
    semantic_before: float | None = None
    """Its own semantic term (Eq. 2 or 3) before; None where it was not asked for. That of the
    separation (Eq. 1) is minus the distance."""
    semantic_after: float | None = None
    """The same after."""
