"""How optimisation changed each class's neighbours (Table 8 of Mo & Morgado, ECCV 2024)."""

from __future__ import annotations

import csv
import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from avzsl.classes.distances import pairwise
from avzsl.classes.options import Distance
from avzsl.classes.ranking import neighbour_ranks
from avzsl.classes.records import OptimisedClasses
from avzsl.provenance import write_aside
from avzsl.types import ClassEmbeddings


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


def compare_neighbours(optimised: OptimisedClasses, *, distance: Distance) -> list[NeighbourChange]:
    """Return the change of every class, in the order of the classes."""
    names = optimised.original.names
    before, after = (
        _Neighbours(embeddings, distance)
        for embeddings in (optimised.original, optimised.embeddings)
    )
    changes = []
    for row, name in enumerate(names):
        nearest_before, distance_before = before.nearest(row)
        nearest_after, distance_after = after.nearest(row)
        changes.append(
            NeighbourChange(
                name=name,
                nearest_before=names[nearest_before],
                distance_before=distance_before,
                nearest_after=names[nearest_after],
                distance_after=distance_after,
                rank_correlation=rank_correlation(before.others(row), after.others(row)),
            )
        )
    return changes


def write_neighbours(path: Path, optimised: OptimisedClasses, *, distance: Distance) -> None:
    """Write ``compare_neighbours`` as CSV, a row a class, four decimals.

    Raises:
        OSError: If the file cannot be written.
    """
    columns = [field.name for field in dataclasses.fields(NeighbourChange)]
    with write_aside(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        for change in compare_neighbours(optimised, distance=distance):
            values = dataclasses.asdict(change).items()
            writer.writerow({k: f"{v:.4f}" if isinstance(v, float) else v for k, v in values})


def rank_correlation(first_N: NDArray[np.int32], second_N: NDArray[np.int32]) -> float | None:
    """Return Spearman's correlation: Pearson's, of ranks that are averaged over ties.

    None where either series is constant.
    """
    centred = [
        ranks - ranks.mean() for ranks in (_average_ranks(first_N), _average_ranks(second_N))
    ]
    norms = [float(np.linalg.norm(series)) for series in centred]
    if min(norms) == 0:
        return None
    return float(centred[0] @ centred[1]) / (norms[0] * norms[1])


def _average_ranks(values_N: NDArray[np.int32]) -> NDArray[np.float64]:
    _, place_N, counts = np.unique(values_N, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[place_N]


class _Neighbours:
    """Distances and ranks of the neighbours of each class."""

    def __init__(self, embeddings: ClassEmbeddings, distance: Distance) -> None:
        vectors_CW = torch.from_numpy(embeddings.vectors).double()
        distances_CC = pairwise(vectors_CW, vectors_CW, distance)
        self._ranks_CC = neighbour_ranks(distances_CC).numpy()
        self._distances_CC = distances_CC.numpy()

    def nearest(self, row: int) -> tuple[int, float]:
        """Return the nearest class and its distance, which rounding must not make negative."""
        column = int(np.argmax(self._ranks_CC[row] == 1))
        return column, max(0.0, float(self._distances_CC[row, column]))

    def others(self, row: int) -> NDArray[np.int32]:
        """Return the ranks of all other classes."""
        return np.delete(self._ranks_CC[row], row)
