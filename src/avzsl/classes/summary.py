"""A class-embedding optimisation in numbers, as JSON; imports no torch, for reports read it."""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np

from avzsl.classes.options import ClassOptimisation
from avzsl.classes.records import NeighbourChange, OptimisedClasses
from avzsl.provenance import write_json

FORMAT_VERSION = 1
"""Raised whenever a reader of the old version would misread the new one."""

_KIND = "class-optimisation-summary"


@dataclass(frozen=True, kw_only=True)
class ClassSummary:
    """What an optimisation was asked for, and what it did; distances in the options' distance."""

    classes_id: str
    """Id of the optimised embeddings."""
    classes: int
    """Number of classes."""
    objective: str
    """Which semantic term: Eq. 3 or Eq. 2."""
    distance: str
    """Which one."""
    alpha: float
    """Weight of the separation."""
    margin: float
    """Lead in Eq. 3; of no effect with Eq. 2."""
    nearest_before: float
    """Mean distance of a class to its nearest neighbour, in the original embeddings."""
    nearest_after: float
    """The same in the optimised ones."""
    nearest_smallest_before: float
    """Distance of the two classes that are nearest to each other."""
    nearest_smallest_after: float
    """The same in the optimised embeddings."""
    nearest_kept: float
    """Share of the classes, 0 to 1, whose nearest neighbour is the same class."""
    rank_correlation: float | None
    """Mean of Spearman's correlation over the classes, between the distances to all others before
    and after; None where it is defined for no class."""
    separation_before: float
    """Eq. 1."""
    separation_after: float
    """Eq. 1 of the embeddings that were kept."""
    semantic_before: float
    """Eq. 2 or 3."""
    semantic_after: float
    """Eq. 2 or 3 of the embeddings that were kept."""
    loss_before: float
    """Eq. 4."""
    loss_after: float
    """Eq. 4 of the embeddings that were kept."""
    steps: int
    """Steps of the optimiser."""
    best_step: int
    """The step whose embeddings were kept."""
    converged: bool
    """False where ``max_steps`` was reached first."""
    seconds: float
    """Wall time of the optimisation."""


def summarise(
    optimised: OptimisedClasses,
    changes: Sequence[NeighbourChange],
    options: ClassOptimisation,
    *,
    classes_id: str,
    seconds: float,
) -> ClassSummary:
    """Return the summary of an optimisation.

    Args:
        optimised: Its result.
        changes: From ``compare_neighbours``, in the distance of the options.
        options: What was asked for.
        classes_id: Id of the optimised embeddings.
        seconds: Wall time of the optimisation.
    """
    before = np.array([change.distance_before for change in changes])
    after = np.array([change.distance_after for change in changes])
    kept = [change.nearest_before == change.nearest_after for change in changes]
    known = [c.rank_correlation for c in changes if c.rank_correlation is not None]
    trace, best = optimised.trace, optimised.best_step
    return ClassSummary(
        classes_id=classes_id,
        classes=len(changes),
        objective=options.objective,
        distance=options.distance,
        alpha=options.alpha,
        margin=options.margin,
        nearest_before=float(before.mean()),
        nearest_after=float(after.mean()),
        nearest_smallest_before=float(before.min()),
        nearest_smallest_after=float(after.min()),
        nearest_kept=float(np.mean(kept)),
        rank_correlation=float(np.mean(known)) if known else None,
        separation_before=float(trace.separation[0]),
        separation_after=float(trace.separation[best]),
        semantic_before=float(trace.semantic[0]),
        semantic_after=float(trace.semantic[best]),
        loss_before=float(trace.loss[0]),
        loss_after=float(trace.loss[best]),
        steps=optimised.steps,
        best_step=best,
        converged=optimised.converged,
        seconds=seconds,
    )


def write_summary(path: Path, summary: ClassSummary) -> None:
    """Write a summary as JSON.

    Raises:
        OSError: If the file cannot be written.
    """
    head = {"kind": _KIND, "format_version": FORMAT_VERSION}
    write_json(path, head | dataclasses.asdict(summary))


def read_summary(path: Path, expected_id: str | None = None) -> ClassSummary:
    """Read a summary.

    Args:
        path: The file.
        expected_id: Refuse the summary of embeddings of another id; None takes any.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds no summary, is damaged, or has another id.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no summary of a class optimisation {path}.")
    again = "Delete the file and run the command that makes it again."
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is truncated or no JSON ({error}). {again}") from error
    is_dict = isinstance(held, dict)
    found = tuple(held.pop(key, None) if is_dict else None for key in ("kind", "format_version"))
    if found != (_KIND, FORMAT_VERSION):
        raise ValueError(
            f"{path} is not a summary of a class optimisation of format version {FORMAT_VERSION}, "
            f"got kind and version {found}."
        )
    wrong = _wrong_fields(held)
    if wrong:
        raise ValueError(f"{path} is damaged: {', '.join(wrong)}. {again}")
    if expected_id is not None and held["classes_id"] != expected_id:
        raise ValueError(
            f"{path} was made from something else: its id is {held['classes_id']!r}, "
            f"expected was {expected_id!r}. {again}"
        )
    return ClassSummary(**held)


def _wrong_fields(held: dict[str, Any]) -> list[str]:
    """Return what is missing, unknown, or of another type than a field of ``ClassSummary``."""
    expected = get_type_hints(ClassSummary)
    wrong = [f"{name} is missing" for name in expected if name not in held]
    for name, value in held.items():
        if name not in expected:
            wrong.append(f"{name} is unknown")
        elif not _fits(value, expected[name]):
            wrong.append(f"{name} is {value!r}")
    return wrong


def _fits(value: Any, kind: Any) -> bool:
    kinds = get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if float in kinds:
        kinds = (*kinds, int)
    # bool is an int to isinstance
    return isinstance(value, kinds) and (not isinstance(value, bool) or bool in kinds)
