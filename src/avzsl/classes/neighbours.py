"""How optimisation changed each class's neighbours (Table 8 of Mo & Morgado, ECCV 2024).

Shapes: C classes, A classes of a block.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F  # noqa: N812 - its usual name

from avzsl.classes.distances import comparable, distance_blocks
from avzsl.classes.objectives import semantic_of_each
from avzsl.classes.options import ClassOptimisation, Distance
from avzsl.classes.ranking import neighbour_ranks
from avzsl.classes.records import NeighbourChange, OptimisedClasses
from avzsl.provenance import write_aside
from avzsl.types import ClassEmbeddings

_BLOCK_CELLS = 2**22
"""Distances in memory at once."""


def compare_neighbours(
    optimised: OptimisedClasses, *, distance: Distance, options: ClassOptimisation | None = None
) -> list[NeighbourChange]:
    """Return the change of every class, in the order of the classes.

    Args:
        optimised: The result of an optimisation.
        distance: Between class embeddings.
        options: What was asked for; None leaves the semantic terms out.
    """
    names = optimised.original.names
    changes: list[NeighbourChange] = []
    for (before_AC, ranks_AC), (after_AC, ranks_after_AC) in zip(
        _blocks(optimised.original, distance),
        _blocks(optimised.embeddings, distance),
        strict=True,
    ):
        nearest_before_A, distance_before_A = _nearest(before_AC, ranks_AC)
        nearest_after_A, distance_after_A = _nearest(after_AC, ranks_after_AC)
        correlation_A = rank_correlation(ranks_AC, ranks_after_AC)
        for row, correlation in enumerate(correlation_A.tolist()):
            changes.append(
                NeighbourChange(
                    name=names[len(changes)],
                    nearest_before=names[nearest_before_A[row]],
                    distance_before=float(distance_before_A[row]),
                    nearest_after=names[nearest_after_A[row]],
                    distance_after=float(distance_after_A[row]),
                    rank_correlation=None if np.isnan(correlation) else correlation,
                )
            )
    if options is None:
        return changes
    original_CW, after_CW = (
        F.normalize(torch.from_numpy(found.vectors).double(), dim=1)
        for found in (optimised.original, optimised.embeddings)
    )
    terms = (semantic_of_each(w_CW, original_CW, options) for w_CW in (original_CW, after_CW))
    pairs = zip(*(term_C.tolist() for term_C in terms), strict=True)
    return [
        dataclasses.replace(change, semantic_before=before, semantic_after=after)
        for change, (before, after) in zip(changes, pairs, strict=True)
    ]


def write_neighbours(path: Path, changes: Sequence[NeighbourChange]) -> None:
    """Write ``compare_neighbours`` as CSV, a row a class, four decimals.

    Raises:
        OSError: If the file cannot be written.
    """
    columns = [field.name for field in dataclasses.fields(NeighbourChange)]
    with write_aside(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        for change in changes:
            values = dataclasses.asdict(change).items()
            writer.writerow({k: f"{v:.4f}" if isinstance(v, float) else v for k, v in values})


def rank_correlation(
    first_AC: NDArray[np.int32], second_AC: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Return Spearman's correlation of each row: Pearson's, of the ranks from ``neighbour_ranks``.

    NaN where either row is constant but for the class itself.
    """
    # The mean of twice the ranks 1 ... C - 1, tied or not, is C.
    classes = first_AC.shape[1]
    one, two = (np.where(ranks > 0, ranks - float(classes), 0) for ranks in (first_AC, second_AC))
    norms_A = np.sqrt((one**2).sum(1) * (two**2).sum(1))
    products_A = (one * two).sum(1)
    return np.divide(products_A, norms_A, out=np.full(len(one), np.nan), where=norms_A > 0)


def _blocks(
    embeddings: ClassEmbeddings, distance: Distance
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.int32]]]:
    """Yield distances and twice the ranks, [A, C], of some classes after others."""
    rows_CW = comparable(torch.from_numpy(embeddings.vectors).double(), distance)
    for first, distances_AC in distance_blocks(rows_CW, distance, cells=_BLOCK_CELLS):
        yield distances_AC.numpy(), neighbour_ranks(distances_AC, first)[0].numpy()


def _nearest(
    distances_AC: NDArray[np.float64], ranks_AC: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the nearest class and its distance, which rounding must not make negative."""
    others_AC = np.where(ranks_AC > 0, ranks_AC, np.iinfo(np.int32).max)
    nearest_A = others_AC.argmin(1)
    distance_A = np.take_along_axis(distances_AC, nearest_A[:, None], axis=1)[:, 0]
    return nearest_A, np.maximum(distance_A, 0.0)
