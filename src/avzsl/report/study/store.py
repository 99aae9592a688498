"""The files of a study's table: CSV, Markdown and LaTeX beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from avzsl.provenance import write_text
from avzsl.report.markup import Sheet, as_latex, as_markdown
from avzsl.report.tables import Row, write_rows


def write_study(
    path: Path,
    columns: Sequence[str],
    rows: Sequence[Row],
    sheets: Sequence[Sheet],
    *,
    table_id: str,
) -> None:
    """Write the table, and beside it the id of what it was made from.

    Args:
        path: The CSV file; the others have its name with ``.md`` and ``.tex``.
        columns: Of the CSV file.
        rows: Of the CSV file.
        sheets: What Markdown and LaTeX show.
        table_id: The id.

    Raises:
        ValueError: If the path does not end in ``.csv``.
        OSError: If a file cannot be written.
    """
    if path.suffix != ".csv":
        raise ValueError(f"A table is written to a .csv file, got {path}.")
    write_text(path.with_suffix(".md"), as_markdown(sheets))
    write_text(path.with_suffix(".tex"), as_latex(sheets))
    write_rows(path, columns, rows, table_id=table_id)
