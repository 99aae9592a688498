"""The class embeddings of a study's rows: how far optimisation moved classes apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from avzsl.report.markup import Sheet
from avzsl.report.study.results import naming_columns
from avzsl.report.study.spec import NAMES
from avzsl.report.tables import Row

if TYPE_CHECKING:
    from avzsl.report.study.spec import Spec

SUMMARISED = (
    "objective",
    "distance",
    "alpha",
    "margin",
    "nearest_before",
    "nearest_after",
    "nearest_kept",
    "rank_correlation",
    "separation_after",
    "semantic_after",
    "steps",
    "converged",
)
COLUMNS = (*NAMES, "encoder", *SUMMARISED)
"""Distances are in the row's own ``distance``; ``nearest_kept`` is a share of the classes."""

_HEAD = {
    "nearest_before": "nearest before",
    "nearest_after": "nearest after",
    "nearest_kept": "kept",
    "rank_correlation": "rank correlation",
    "separation_after": "L_sep",
    "semantic_after": "L_sem",
}
_NOTES = (
    "Nearest: mean distance of a class to its nearest neighbour, before and after optimisation. "
    "Kept: share of classes whose nearest neighbour is the same. Rank correlation: Spearman's, "
    "between the distances to all other classes before and after, mean over classes. L_sep, L_sem: "
    "the two terms of the objective at the end.",
    "Distances of rows with different distance measures cannot be compared.",
)


def class_rows(spec: Spec) -> list[Row]:
    """Return a row for each row of the study that optimises its class embeddings.

    Raises:
        ValueError: If none does, or a file is no summary, or that of other embeddings.
        OSError: If a summary cannot be read.
    """
    rows = []
    for row in spec.optimising():
        summary = row.summary()
        texts = {name: _text(name, getattr(summary, name)) for name in SUMMARISED}
        rows.append(spec.named(row) | {"encoder": row.encoder} | texts)
    return rows


def _text(name: str, value: Any) -> str:
    """Return a value of a summary as text: settings as they are, measures with four decimals."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name in ("alpha", "margin"):
        return f"{value:g}"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def classes_sheet(spec: Spec, rows: Sequence[Row]) -> Sheet:
    """Return the table as it is shown in Markdown and LaTeX."""
    texts = [*naming_columns(rows), "objective", "distance"]
    measures = [name for name in SUMMARISED if name not in texts]
    several = len({row["distance"] for row in rows}) > 1
    return Sheet(
        name=f"{spec.study}-classes",
        title=f"{spec.title or spec.study}: class embeddings",
        caption=spec.caption,
        head=("variant", *texts, *(_HEAD.get(name, name) for name in measures)),
        align="l" * (1 + len(texts)) + "r" * len(measures),
        body=tuple((row["label"], *(row[name] for name in (*texts, *measures))) for row in rows),
        notes=_NOTES if several else _NOTES[:1],
    )
