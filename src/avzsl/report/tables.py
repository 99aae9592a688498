"""Result tables: mean and standard deviation over seeds, a row a method."""

from __future__ import annotations

import csv
import json
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from avzsl.provenance import write_aside, write_json

if TYPE_CHECKING:
    from avzsl.report.collect import Evaluation
    from avzsl.report.published import Published

LABELS = {"seen": "S", "unseen": "U", "hm": "HM", "zsl": "ZSL"}
"""What the metrics are called, in the order in which they stand in tables."""
METRICS = tuple(LABELS)
NUMBERS = (
    "method",
    "seeds",
    *(f"{metric}_{part}" for metric in METRICS for part in ("mean", "sd")),
    "zsl_chance",
    "clips_seen",
    "clips_unseen",
    "classes_seen",
    "classes_unseen",
    *(f"published_{metric}" for metric in METRICS),
)
BELOW = ("published_source", "notes")
"""Columns of text, which stand below a table where it is shown."""
COLUMNS = (*NUMBERS, *BELOW)
"""Accuracies are percent with two decimals; sd is the sample standard deviation over seeds, empty
with one seed; published numbers are empty where there are none."""

Row = dict[str, str]


def result_rows(
    evaluations: Sequence[Evaluation], printed: Mapping[str, Published] | None = None
) -> list[Row]:
    """Return one row per method, in the order in which the methods come first.

    Args:
        evaluations: All runs.
        printed: Method -> what a paper prints for it (``avzsl.report.published``).

    Raises:
        ValueError: If the runs of a method were scored on different clips or classes.
    """
    groups: dict[str, list[Evaluation]] = defaultdict(list)
    for evaluation in evaluations:
        groups[evaluation.method].append(evaluation)
    rows = [summarise(method, runs) for method, runs in groups.items()]
    for row in rows:
        found = (printed or {}).get(row["method"])
        if found is not None:
            row |= {f"published_{metric}": getattr(found, metric) for metric in METRICS}
            row["published_source"] = found.printed_in + (f" ({found.note})" if found.note else "")
    return rows


def summarise(method: str, runs: Sequence[Evaluation]) -> Row:
    """Return the row of one method's seeds, without published numbers.

    Raises:
        ValueError: If they were scored on different clips or classes.
    """
    row: Row = dict.fromkeys(COLUMNS, "")
    row |= {"method": method, "seeds": str(len(runs))}
    for metric in METRICS:
        values = [getattr(run, metric) for run in runs]
        row[f"{metric}_mean"] = f"{statistics.fmean(values):.2f}"
        if len(values) > 1:
            row[f"{metric}_sd"] = f"{statistics.stdev(values):.2f}"
    for column in ("clips_seen", "clips_unseen", "classes_seen", "classes_unseen"):
        found = {getattr(run, column) for run in runs}
        if len(found) > 1:
            raise ValueError(
                f"The runs of {method} differ in {column}: {sorted(found)}. They were scored on "
                "different clips and cannot be averaged; run the workflow again."
            )
        row[column] = str(found.pop())
    row["zsl_chance"] = f"{runs[0].zsl_chance:.2f}"
    row["notes"] = "; ".join(sorted({note for run in runs for note in run.notes}))
    return row


def write_table(path: Path, rows: Sequence[Row], *, table_id: str) -> None:
    """Write the CSV file, and beside it a JSON file with the id of what it was made from."""
    write_rows(path, COLUMNS, rows, table_id=table_id)


def write_rows(path: Path, columns: Sequence[str], rows: Sequence[Row], *, table_id: str) -> None:
    """Write rows as CSV, and beside it a JSON file with the id of what they were made from."""
    with write_aside(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    write_json(id_file(path), {"table_id": table_id})


def id_file(table: Path) -> Path:
    """Return the file beside a table that says what the table was made from."""
    return table.with_name(f".{table.name}.id.json")


def set_aside_outdated(table: Path, table_id: str) -> None:
    """Rename a table that was made from anything else to ``*.csv.outdated``.

    What stands beside it as Markdown and LaTeX goes with it.
    """
    if not table.is_file():
        return
    try:
        found = json.loads(id_file(table).read_text(encoding="utf-8"))["table_id"]
    except (OSError, ValueError, KeyError):
        found = None
    if found != table_id:
        for path in (table, table.with_suffix(".md"), table.with_suffix(".tex")):
            if path.is_file():
                path.replace(path.with_name(f"{path.name}.outdated"))


def read_table(path: Path) -> list[Row]:
    """Read a table that ``write_table`` wrote.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is another kind of file.
    """
    return read_rows(path, COLUMNS, "result table")


def read_rows(path: Path, columns: Sequence[str], what: str) -> list[Row]:
    """Read a CSV file that must have certain columns.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If its columns are others.
    """
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != tuple(columns):
            raise ValueError(f"{path} is no {what}; its columns are {reader.fieldnames}.")
        return list(reader)


def as_text(rows: Sequence[Row], title: str) -> str:
    """Return the table for a terminal: mean ± sd in percent, and what chance is."""
    head = ["method", *LABELS.values(), "seeds"]
    body = [
        [row["method"], *(mean_sd(row, metric) for metric in METRICS), row["seeds"]] for row in rows
    ]
    if any(row["published_hm"] for row in rows):
        head.append(f"published {' / '.join(LABELS.values())}")
        for row, line in zip(rows, body, strict=True):
            cells = [row[f"published_{metric}"] or "-" for metric in METRICS]
            line.append(" / ".join(cells) if row["published_hm"] else "")
    widths = [max(len(line[i]) for line in [head, *body]) for i in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in [head, ["-" * width for width in widths], *body]
    ]
    return "\n".join([title, "", *lines, "", *_footnotes(rows)])


def mean_sd(row: Mapping[str, str], metric: str) -> str:
    """Return mean ± standard deviation; the mean alone with one seed."""
    sd = row[f"{metric}_sd"]
    return f"{row[f'{metric}_mean']} ± {sd}" if sd else row[f"{metric}_mean"]


def _footnotes(rows: Sequence[Row]) -> list[str]:
    notes = [
        "Mean class accuracy in percent, mean ± standard deviation over seeds. S, U: seen and "
        "unseen classes among all;\nHM: their harmonic mean; ZSL: unseen classes among unseen ones."
    ]
    if rows:
        row = rows[0]
        notes.append(
            f"Chance for ZSL: {row['zsl_chance']} ({row['classes_unseen']} unseen classes, "
            f"{row['clips_unseen']} clips; {row['classes_seen']} seen classes, "
            f"{row['clips_seen']} clips)."
        )
    by_source: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row["published_source"]:
            by_source[row["published_source"]].append(row["method"])
    notes += [f"Published: {source}: {', '.join(names)}." for source, names in by_source.items()]
    return notes + [f"{row['method']}: {row['notes']}" for row in rows if row["notes"]]


def best_rows(rows: Sequence[Row], metric: str) -> set[int]:
    """Return the rows with the highest number of their dataset; none where all are the same."""
    groups: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for i, row in enumerate(rows):
        if row[f"{metric}_mean"]:
            groups[row.get("dataset", "")].append((float(row[f"{metric}_mean"]), i))
    found = set()
    for group in groups.values():
        highest = max(value for value, _ in group)
        if any(value < highest for value, _ in group):
            found |= {i for value, i in group if value == highest}
    return found
