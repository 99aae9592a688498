"""The statistics file of a result table: a table of intervals and one of differences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from avzsl.report.page.csv_tables import read_csv
from avzsl.report.page.records import NOTHING, Table, signed, text_table
from avzsl.report.statistics import COLUMNS
from avzsl.report.tables import LABELS, Row


def interval_tables(path: Path, name: str) -> tuple[Table, ...]:
    """Return intervals over test clips, and differences where there is more than one method.

    Args:
        path: From ``avzsl statistics``.
        name: Of the result table.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is another kind of file.
    """
    columns, rows = read_csv(path)
    if not set(COLUMNS) <= set(columns) or not rows:
        raise ValueError(f"{path} holds no statistics; its columns are {', '.join(columns)}.")
    methods = list(dict.fromkeys(row["method"] for row in rows))
    found = {(row["method"], row["metric"]): row for row in rows}
    first = rows[0]
    others = [method for method in methods if method != first["reference"]]
    heads = ["method", *LABELS.values()]
    intervals = text_table(
        f"{name}: 95 % intervals over test clips, percent",
        heads,
        [[m, *(_interval(found[m, k]) for k in LABELS)] for m in methods],
        notes=[
            f"Mean over {first['seeds']} run(s) and its bootstrap interval over {first['clips']} "
            f"test clips, drawn anew within classes {first['resamples']} times. Trained models and "
            "classes are held fixed: another training or other unseen classes are not in it."
        ],
    )
    if not others:
        return (intervals,)
    differences = text_table(
        f"{name}: difference to {first['reference']} on the same clips, percentage points",
        heads,
        [[m, *(_difference(found[m, k]) for k in LABELS)] for m in others],
        notes=[
            "With its 95 % interval; p is that of a permutation test over clips, adjusted for the "
            "number of methods (Holm)."
        ],
    )
    return intervals, differences


def _interval(row: Row) -> str:
    return f"{row['mean']} [{row['ci_low']}, {row['ci_high']}]"


def _difference(row: Row) -> str:
    ends: Sequence[str] = (row["difference_ci_low"], row["difference_ci_high"])
    if not (row["difference"] and all(ends)):
        return NOTHING
    low, high = (signed(float(end)) for end in ends)
    return (
        f"{signed(float(row['difference']))} [{low}, {high}], p = {float(row['p_clips_holm']):.2g}"
    )
