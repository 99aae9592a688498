"""Accuracies of a study's rows: mean and deviation over seeds, beside what a paper prints."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from avzsl.report.markup import Sheet
from avzsl.report.published import find_published, published_rows
from avzsl.report.study.spec import NAMES
from avzsl.report.tables import (
    BELOW,
    LABELS,
    METRICS,
    NUMBERS,
    Row,
    best_rows,
    mean_sd,
    summarise,
)

if TYPE_CHECKING:
    from avzsl.report.collect import Evaluation
    from avzsl.report.study.spec import Spec, SpecRow

GEOMETRY = ("nearest_before", "nearest_after", "rank_correlation")
COLUMNS = (
    *NAMES,
    *NUMBERS,
    *(f"difference_{metric}" for metric in METRICS),
    *BELOW,
    *GEOMETRY,
)
"""As those of result tables. Differences are ours minus published, in percentage points. The last
three describe the class embeddings, where the row optimises them."""


def study_rows(spec: Spec, evaluations: Sequence[Evaluation]) -> list[Row]:
    """Return the rows of a study's table, in its order.

    Args:
        spec: The study.
        evaluations: Row by row, the seeds of each together.

    Raises:
        ValueError: If evaluations are missing, left over, or of several methods in one row, or a
            summary of class embeddings is of others.
        LookupError: If a row names published numbers that there are not.
        OSError: If a summary of class embeddings cannot be read.
    """
    wanted = sum(row.runs for row in spec.rows)
    if wanted != len(evaluations) or not all(row.runs for row in spec.rows):
        counts = ", ".join(f"{row.label}: {row.runs}" for row in spec.rows)
        raise ValueError(
            f"{spec.study} wants {wanted} evaluations, at least one a row ({counts}), and got "
            f"{len(evaluations)}."
        )
    left = iter(evaluations)
    return [_row(spec, row, list(itertools.islice(left, row.runs))) for row in spec.rows]


def _row(spec: Spec, row: SpecRow, runs: Sequence[Evaluation]) -> Row:
    if len({run.method for run in runs}) > 1 or len({run.seed for run in runs}) < len(runs):
        found = ", ".join(f"{run.method} seed {run.seed}" for run in runs)
        raise ValueError(
            f"{spec.study}, row {row.label!r}: its runs must be one method with different seeds, "
            f"got {found}. Evaluations come row by row."
        )
    found_row = dict.fromkeys(COLUMNS, "") | summarise(f"{row.label} on {row.dataset}", runs)
    found_row |= spec.named(row) | {"method": row.method or runs[0].method}
    found_row |= _published(row, found_row)
    summary = row.summary()
    if summary is not None:
        found_row |= {name: number(getattr(summary, name)) for name in GEOMETRY}
    return {column: found_row[column] for column in COLUMNS}


def _published(row: SpecRow, ours: Mapping[str, str]) -> Row:
    """Return the cells of the published numbers; a note where they are of other data."""
    if row.published is None:
        return {}
    rows = published_rows(row.published)  # a wrong id is an error on any data
    if row.benchmark is None:
        return {}
    found = find_published(
        row.published, benchmark=row.benchmark, features=row.features, split=row.split
    )
    if found is None:
        places: dict[str, list[str]] = defaultdict(list)
        for other in rows:
            places[other.printed_in].append(other.data)
        there = "; ".join(f"{place} is of {' or '.join(data)}" for place, data in places.items())
        note = f"no published number, {there}"
        return {"notes": "; ".join(filter(None, [ours["notes"], note]))}
    cells = {"published_source": found.printed_in + (f" ({found.note})" if found.note else "")}
    for metric in METRICS:
        printed = cells[f"published_{metric}"] = getattr(found, metric)
        if printed:
            # Of the rounded mean, so that a reader finds the same from the printed table; adding
            # 0.0 turns a negative zero into zero.
            difference = round(float(ours[f"{metric}_mean"]) - float(printed), 2) + 0.0
            cells[f"difference_{metric}"] = f"{difference:.2f}"
    return cells


def number(value: float | None) -> str:
    """Return four decimals, or nothing for None; adding 0.0 turns a negative zero into zero."""
    return "" if value is None else f"{round(value, 4) + 0.0:.4f}"


def results_sheet(spec: Spec, rows: Sequence[Row]) -> Sheet:
    """Return the table as it is shown in Markdown and LaTeX."""
    apart = naming_columns(rows)
    head = ["variant", *apart, *LABELS.values()]
    body = [
        [row["label"], *(row[name] for name in apart), *(mean_sd(row, m) for m in METRICS)]
        for row in rows
    ]
    if any(row["published_source"] for row in rows):
        head += [f"published {' / '.join(LABELS.values())}", "difference"]
        for row, cells in zip(rows, body, strict=True):
            cells += [_four(row, "published"), _four(row, "difference")]
    texts = 1 + len(apart)
    return Sheet(
        name=spec.study,
        title=spec.title or spec.study,
        caption=spec.caption,
        head=tuple(head),
        align="l" * texts + "r" * (len(head) - texts),
        body=tuple(map(tuple, body)),
        bold=frozenset(_best(rows, texts)),
        rules=frozenset(
            i for i in range(1, len(rows)) if rows[i]["dataset"] != rows[i - 1]["dataset"]
        ),
        notes=tuple(_notes(rows)),
    )


def naming_columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return which of dataset and features must be shown because there are several."""
    return [name for name in ("dataset", "features") if len({row[name] for row in rows}) > 1]


def _four(row: Row, what: str) -> str:
    """Return S / U / HM / ZSL, a dash where there is none; nothing where there is none at all."""
    cells = [row[f"{what}_{metric}"] for metric in METRICS]
    if what == "difference":
        cells = [f"{float(cell):+.2f}".replace("-", "−") if cell else "" for cell in cells]
    return " / ".join(cell or "–" for cell in cells) if any(cells) else ""


def _best(rows: Sequence[Row], first_column: int) -> Iterator[tuple[int, int]]:
    """Yield row and column of the best mean of each dataset that has rows to choose from."""
    for j, metric in enumerate(METRICS):
        yield from ((i, first_column + j) for i in best_rows(rows, metric))


def _notes(rows: Sequence[Row]) -> Iterator[str]:
    yield (
        "Mean class accuracy in percent, mean ± standard deviation over seeds "
        f"({_counts(rows, 'seeds')} a row). S, U: seen and unseen classes among all; HM: their "
        "harmonic mean; ZSL: unseen classes among unseen ones. Best of each column in bold."
    )
    yield from _chances(rows)
    if any(row["published_source"] for row in rows):
        yield "Difference: ours minus published, in percentage points."
    sources = [row["published_source"].partition(" (") for row in rows]
    for place, names in _grouped(rows, [place for place, _, _ in sources]).items():
        yield f"Published: {place}: {names}."
    for note, names in _grouped(rows, [note.removesuffix(")") for _, _, note in sources]).items():
        yield f"Published for {names}: {note}."
    for note, names in _grouped(rows, [row["notes"] for row in rows]).items():
        yield f"{names}: {note}."


def _chances(rows: Sequence[Row]) -> Iterator[str]:
    """Yield what chance is, once for all rows that were scored on the same clips."""
    parts = ("zsl_chance", "classes_unseen", "clips_unseen", "classes_seen", "clips_seen")
    groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[part] for part in parts)].append(row)
    for (chance, *counts), members in groups.items():
        of = "" if len(groups) == 1 else f" ({_names(members, rows)})"
        yield (
            f"Chance for ZSL{of}: {chance}; {counts[0]} unseen classes with {counts[1]} clips, "
            f"{counts[2]} seen classes with {counts[3]} clips."
        )


def _counts(rows: Sequence[Row], column: str) -> str:
    found = sorted({int(row[column]) for row in rows})
    return str(found[0]) if len(found) == 1 else f"{found[0]} to {found[-1]}"


def _grouped(rows: Sequence[Row], texts: Sequence[str]) -> dict[str, str]:
    """Return text -> the names of the rows that have it; rows without a text are left out."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row, text in zip(rows, texts, strict=True):
        if text:
            groups[text.rstrip(".")].append(row)
    return {text: _names(members, rows) for text, members in groups.items()}


def _names(members: Sequence[Row], rows: Sequence[Row]) -> str:
    """Return what some of the rows are called, as shortly as nobody can take them for others."""
    if len(members) == len(rows) > 1:
        return "all rows"
    apart = naming_columns(rows)
    for column in apart:
        if [row for row in rows if row[column] == members[0][column]] == list(members):
            return members[0][column]
    among: dict[str, dict[str, None]] = defaultdict(dict)  # where -> labels, in their order
    for row in members:
        whole = all(other in members for other in rows if other["label"] == row["label"])
        among["" if whole else ", ".join(row[name] for name in apart)][row["label"]] = None
    return "; ".join(
        ", ".join(labels) + (f" ({where})" if where else "") for where, labels in among.items()
    )
