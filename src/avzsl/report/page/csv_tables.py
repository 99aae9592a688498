"""CSV tables of the workflow as tables of the page, whatever columns they have.

What the columns are called says what they are: ``x_mean`` and ``x_sd`` are one number,
``published_x`` and ``difference_x`` stand beside it; ``published_source``, ``notes``, and what is
the same in all rows stand below.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from avzsl.report.page.records import NOTHING, Cell, Head, Table, is_number, signed
from avzsl.report.tables import BELOW, LABELS, Row, best_rows

PART_LABELS = {"ours": "ours", "published": "published", "difference": "Δ"}
NAMES = ("label", "method", "class")
"""Columns that name a row, the first of them that there is."""
FACTS = {
    "study": "",
    "dataset": "Dataset: {}.",
    "features": "Features: {}.",
    "seeds": "Runs (seeds) of each row: {}.",
    "zsl_chance": "Chance for ZSL: {} %.",
    "classes_seen": "Seen classes: {}.",
    "classes_unseen": "Unseen classes: {}.",
    "clips_seen": "Clips of seen classes: {}.",
    "clips_unseen": "Clips of unseen classes: {}.",
}
"""Columns that become a sentence where they are the same in all rows."""
MOST_ROWS = 60
"""Rows of a table that is not folded."""


def read_csv(path: Path) -> tuple[list[str], list[Row]]:
    """Return the columns and the rows of a CSV file.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it has no heading, or a row of another length.
    """
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        columns = list(reader.fieldnames or ())
        rows = list(reader)
    if not columns:
        raise ValueError(f"{path} is empty; make it anew with: snakemake {path}")
    for row in rows:
        if None in row or None in row.values():
            raise ValueError(f"{path} is damaged: expected {len(columns)} columns, got {row}.")
    return columns, rows


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """Which column of a file goes where."""

    before: tuple[str, ...]
    """Plain columns left of the metrics; the first names the row."""
    metrics: dict[str, list[str]]
    """Metric -> which of its numbers are shown."""
    after: tuple[str, ...]
    """Plain columns right of the metrics."""
    constant: tuple[str, ...]
    """The same in all rows: said below."""


def csv_table(path: Path, caption: str) -> Table:
    """Return the table that a CSV file holds.

    Args:
        path: The file.
        caption: What it shows.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is no table.
    """
    columns, rows = read_csv(path)
    layout = _lay_out(columns, rows)
    metrics = layout.metrics
    # accuracies in percent: more is better; of other measures nothing is known
    best = {name: best_rows(rows, name) if name in LABELS else set() for name in metrics}
    body = [
        (
            *_cells(layout.before, rows, row),
            *(
                cell
                for name, parts in metrics.items()
                for cell in _metric_cells(row, name, parts, is_best=i in best[name])
            ),
            *_cells(layout.after, rows, row),
        )
        for i, row in enumerate(rows)
    ]
    return Table(
        caption=caption,
        heads=(
            *_plain(layout.before, rows),
            *_metric_heads(metrics),
            *_plain(layout.after, rows),
        ),
        groups=_groups(layout),
        rows=tuple(body),
        notes=tuple(_notes(rows, layout, best)),
        folded=len(rows) > MOST_ROWS,
    )


def _lay_out(columns: Sequence[str], rows: Sequence[Row]) -> _Layout:
    metrics = [name.removesuffix("_mean") for name in columns if name.endswith("_mean")]
    filled = [name for name in columns if any(row[name] for row in rows)] if rows else [*columns]
    constant = [name for name in FACTS if name in filled and len({r[name] for r in rows}) == 1]
    taken = {f"{metric}_{part}" for metric in metrics for part in ("mean", "sd")}
    taken |= {f"{part}_{metric}" for metric in metrics for part in ("published", "difference")}
    plain = [name for name in filled if name not in taken | {*constant, *BELOW}]
    names_row = next((name for name in NAMES if name in plain), None)
    if names_row is not None:
        plain.remove(names_row)
        plain.insert(0, names_row)
    first = columns.index(f"{metrics[0]}_mean") if metrics else len(columns)
    before = [name for name in plain if columns.index(name) < first]
    return _Layout(
        before=tuple(before),
        metrics={metric: _related(metric, filled) for metric in metrics},
        after=tuple(name for name in plain if name not in before),
        constant=tuple(constant),
    )


def _related(metric: str, filled: Sequence[str]) -> list[str]:
    """Return which numbers of a metric there are: ours, published, difference."""
    has_published = f"published_{metric}" in filled
    return ["ours", *(["published", "difference"] if has_published else [])]


def _label(name: str) -> str:
    return LABELS.get(name, name.replace("_", " "))


def _plain(names: Sequence[str], rows: Sequence[Row]) -> list[Head]:
    return [Head(label=_label(name), is_number=_numeric(name, rows)) for name in names]


def _numeric(name: str, rows: Sequence[Row]) -> bool:
    return all(is_number(row[name] or NOTHING) for row in rows)


def _cells(names: Sequence[str], rows: Sequence[Row], row: Row) -> list[Cell]:
    return [Cell(text=row[n] or NOTHING, is_number=_numeric(n, rows)) for n in names]


def _metric_heads(parts: dict[str, list[str]]) -> list[Head]:
    return [
        Head(label=PART_LABELS[part] if len(own) > 1 else _label(metric), is_number=True)
        for metric, own in parts.items()
        for part in own
    ]


def _groups(layout: _Layout) -> tuple[Head, ...]:
    """Return the headings above ours, published and difference; none where all stand alone."""
    if all(len(parts) == 1 for parts in layout.metrics.values()):
        return ()
    groups = [
        Head(label="", span=len(layout.before)),
        *(
            Head(label=_label(metric) if len(parts) > 1 else "", span=len(parts))
            for metric, parts in layout.metrics.items()
        ),
        Head(label="", span=len(layout.after)),
    ]
    return tuple(group for group in groups if group.span)


def _metric_cells(row: Row, metric: str, parts: Sequence[str], *, is_best: bool) -> list[Cell]:
    mean, sd = row[f"{metric}_mean"], row.get(f"{metric}_sd")
    ours = f"{mean} ± {sd}" if mean and sd else mean
    texts = {"ours": ours, "published": row.get(f"published_{metric}", "")}
    texts["difference"] = _difference(row, metric)
    return [
        Cell(text=texts[part] or NOTHING, is_number=True, is_best=is_best and part == "ours")
        for part in parts
    ]


def _difference(row: Row, metric: str) -> str:
    """Return ours minus published, as the file says it, or as its two numbers do."""
    given = row.get(f"difference_{metric}", "")
    pair = (row[f"{metric}_mean"], row.get(f"published_{metric}", ""))
    if given:
        return signed(float(given))
    return signed(float(pair[0]) - float(pair[1])) if all(pair) else ""


def _notes(rows: Sequence[Row], layout: _Layout, best: Mapping[str, set[int]]) -> list[str]:
    facts = [FACTS[name].format(rows[0][name]) for name in layout.constant]
    notes = [" ".join(fact for fact in facts if fact)]
    if any("difference" in parts for parts in layout.metrics.values()):
        notes.append("Δ: ours minus published, in percentage points.")
    if any(best.values()):
        notes.append("★ and bold: the highest of our numbers in a column, of one dataset.")
    for column, form in (("published_source", "Published: {1}: {0}."), ("notes", "{0}: {1}")):
        groups: dict[str, list[str]] = defaultdict(list)
        for row in rows:
            if row.get(column):
                groups[row[column]].append(row[layout.before[0]] if layout.before else "")
        notes += [
            form.format(", ".join(dict.fromkeys(names)), text) for text, names in groups.items()
        ]
    return [note for note in notes if note]
