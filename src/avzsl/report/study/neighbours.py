"""The nearest class of each class before and after optimisation, as in EZ-AVGZL's Table 8."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from avzsl.classes.records import NeighbourChange
from avzsl.report.markup import Sheet
from avzsl.report.study.results import naming_columns
from avzsl.report.study.spec import NAMES
from avzsl.report.tables import Row, read_rows

if TYPE_CHECKING:
    from avzsl.report.study.spec import Spec, SpecRow

WRITTEN = tuple(field.name for field in dataclasses.fields(NeighbourChange))
"""Columns of what ``avzsl classes optimise --neighbours`` writes."""
COLUMNS = (*NAMES, "class", *WRITTEN[1:])
_HEAD = {
    "nearest_before": "nearest before",
    "distance_before": "distance",
    "nearest_after": "nearest after",
    "distance_after": "distance",
    "rank_correlation": "rank correlation",
    "semantic_before": "L_sem before",
    "semantic_after": "L_sem after",
}
"""Columns of a table as it is shown; those that are empty are left out."""
_NOTE = (
    "The {shown} of {all} classes that were nearest to another one before optimisation. Rank "
    "correlation: Spearman's, between the distances to all other classes before and after."
)
_TERM = "L_sem: the class's own semantic term of the objective."
_ROUNDED = 1e-4
"""By how much a mean of distances with four decimals may differ from that of the exact ones."""


def neighbour_rows(spec: Spec, paths: Sequence[Path]) -> list[Row]:
    """Return a row a class, for each row of a study that optimises its class embeddings.

    Args:
        spec: The study.
        paths: A file for each of these rows.

    Raises:
        ValueError: If there are no such rows, or more or fewer files, or one is something else, or
            of other embeddings than the row's.
        OSError: If a file or a summary cannot be read.
    """
    rows = spec.optimising()
    if len(paths) != len(rows):
        raise ValueError(
            f"{spec.study} has {len(rows)} rows that optimise their class embeddings and wants a "
            f"file of neighbours for each, got {len(paths)}."
        )
    return [
        spec.named(row) | {"class": found["name"], **{name: found[name] for name in WRITTEN[1:]}}
        for row, path in zip(rows, paths, strict=True)
        for found in _read(row, path)
    ]


def _read(row: SpecRow, path: Path) -> list[Row]:
    """Read a file of neighbours, which must agree with the summary that the same job wrote.

    The file itself has no id; the summary does.
    """
    summary = row.summary()
    assert summary is not None, "only rows that optimise have neighbours"
    found = read_rows(path, WRITTEN, "file of neighbours")
    told = (summary.nearest_before, summary.nearest_after)
    means = [
        statistics.fmean(float(line[name]) for line in found) if found else math.inf
        for name in ("distance_before", "distance_after")
    ]
    far = any(abs(mean - own) > _ROUNDED for mean, own in zip(means, told, strict=True))
    if far or len(found) != summary.classes:
        raise ValueError(
            f"{path} and {row.classes} are not of the same class embeddings: the first has "
            f"{len(found)} classes with mean distances {means[0]:.4f} and {means[1]:.4f} before "
            f"and after, the second {summary.classes} with {told[0]:.4f} and {told[1]:.4f}. "
            "Files come row by row; if they did, delete both and make them again."
        )
    return found


def neighbour_sheets(spec: Spec, rows: Sequence[Row], *, most: int = 20) -> list[Sheet]:
    """Return a table for each of these rows: the classes that were the hardest to tell apart.

    Args:
        spec: The study.
        rows: Of ``neighbour_rows``.
        most: How many classes, those with the smallest distance before.
    """
    sheets = []
    shown = spec.optimising()
    apart = naming_columns([vars(row) for row in shown])
    for number, row in enumerate(shown):
        among = ", ".join([row.label, *(getattr(row, name) for name in apart)])
        name = spec.study if len(shown) == 1 else f"{spec.study}-{number + 1}"
        title = f"{spec.title or spec.study} ({among})"
        mine = [found for found in rows if spec.named(row).items() <= found.items()]
        sheets.append(_sheet(mine, most, name=name, title=title, caption=spec.caption))
    return sheets


def _sheet(rows: Sequence[Row], most: int, *, name: str, title: str, caption: str) -> Sheet:
    """Return the table of the hardest classes, and the mean over all."""
    columns = [column for column in _HEAD if any(row.get(column) for row in rows)]
    texts = [column for column in columns if column.startswith("nearest")]
    hardest = sorted(rows, key=lambda row: float(row["distance_before"]))[:most]
    means = ("" if column in texts else _mean(rows, column) for column in columns)
    note = _NOTE.format(shown=len(hardest), all=len(rows))
    has_term = any(column.startswith("semantic") for column in columns)
    return Sheet(
        name=name,
        title=title,
        caption=caption,
        head=("class", *(_HEAD[column] for column in columns)),
        align="l" + "".join("l" if column in texts else "r" for column in columns),
        body=(
            *((row["class"], *(row[column] for column in columns)) for row in hardest),
            (f"mean of {len(rows)} classes", *means),
        ),
        rules=frozenset([len(hardest)]),
        notes=(note, _TERM) if has_term else (note,),
    )


def _mean(rows: Sequence[Row], name: str) -> str:
    """Return the mean of a measure over the classes that have it."""
    return f"{statistics.fmean(float(row[name]) for row in rows if row[name]):.4f}"
