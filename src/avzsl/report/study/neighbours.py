"""The nearest class of each class before and after optimisation, as in EZ-AVGZL's Table 8."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from avzsl.classes.records import NeighbourChange
from avzsl.report.markup import Sheet
from avzsl.report.study.results import naming_columns
from avzsl.report.tables import Row, read_rows

if TYPE_CHECKING:
    from avzsl.report.study.spec import Spec

WRITTEN = tuple(field.name for field in dataclasses.fields(NeighbourChange))
"""Columns of what ``avzsl classes optimise --neighbours`` writes."""
COLUMNS = ("study", "label", "dataset", "features", "class", *WRITTEN[1:])
_HEAD = ("class", "nearest before", "distance", "nearest after", "distance", "rank correlation")
_NOTE = (
    "The {shown} of {all} classes that were nearest to another one before optimisation. Rank "
    "correlation: Spearman's, between the distances to all other classes before and after."
)
_MEASURES = ("distance_before", "distance_after", "rank_correlation")


def neighbour_rows(spec: Spec, paths: Sequence[Path]) -> list[Row]:
    """Return a row a class, for each row of a study.

    Args:
        spec: The study.
        paths: A file for each of its rows.

    Raises:
        ValueError: If there are more or fewer files than rows, or one is something else.
        OSError: If a file cannot be read.
    """
    if len(paths) != len(spec.rows):
        raise ValueError(
            f"{spec.study} has {len(spec.rows)} rows and wants a file of neighbours for each, got "
            f"{len(paths)}."
        )
    return [
        {"study": spec.study, "label": row.label, "dataset": row.dataset, "features": row.features}
        | {"class": found["name"], **{name: found[name] for name in WRITTEN[1:]}}
        for row, path in zip(spec.rows, paths, strict=True)
        for found in read_rows(path, WRITTEN, "file of neighbours")
    ]


def neighbour_sheets(spec: Spec, rows: Sequence[Row], *, most: int = 20) -> list[Sheet]:
    """Return a table for each row of the study: the classes that were the hardest to tell apart.

    Args:
        spec: The study.
        rows: Of ``neighbour_rows``.
        most: How many classes, those with the smallest distance before.
    """
    sheets = []
    apart = naming_columns([vars(row) for row in spec.rows])
    for number, row in enumerate(spec.rows):
        key = (row.label, row.dataset, row.features)
        mine = [r for r in rows if (r["label"], r["dataset"], r["features"]) == key]
        shown = sorted(mine, key=lambda r: float(r["distance_before"]))[:most]
        among = ", ".join([row.label, *(getattr(row, name) for name in apart)])
        mean = _means(mine)
        sheets.append(
            Sheet(
                name=spec.study if len(spec.rows) == 1 else f"{spec.study}-{number + 1}",
                title=f"{spec.title or spec.study} ({among})",
                caption=spec.caption,
                head=_HEAD,
                align="llrlrr",
                body=(
                    *((r["class"], *(r[name] for name in WRITTEN[1:])) for r in shown),
                    (f"mean of {len(mine)} classes", "", mean[0], "", *mean[1:]),
                ),
                rules=frozenset([len(shown)]),
                notes=(_NOTE.format(shown=len(shown), all=len(mine)),),
            )
        )
    return sheets


def _means(rows: Sequence[Row]) -> list[str]:
    """Return the mean of each measure over the classes that have it."""
    found = [[float(row[name]) for row in rows if row[name]] for name in _MEASURES]
    return [f"{statistics.fmean(values):.4f}" if values else "" for values in found]
