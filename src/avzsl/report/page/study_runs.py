"""The runs and class embeddings behind the rows of studies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from avzsl.report.page.records import Section, Table, text_table
from avzsl.report.page.runs import RUN_HEADS, RunFile, read_run, run_cells


@dataclass(frozen=True, kw_only=True)
class StudyRowFiles:
    """A row of a study, and the files that its numbers are from."""

    study: str
    """``{study}``, or ``{dataset}_{features}/{study}``."""
    label: str
    """What the study's table calls the row."""
    classes: str
    """Class embeddings of its runs: ``{text encoder}/optimised@digits`` and the like."""
    classes_file: Path
    """The file that holds them; it need not be there where ``summary`` is."""
    summary: Path | None = None
    """Of the class-embedding optimisation; None where there was none."""
    evaluations: tuple[Path, ...] = ()
    """One for each seed; empty where the study's accuracies are not shown."""


def read_row_runs(rows: Sequence[StudyRowFiles]) -> dict[Path, RunFile]:
    """Read the evaluations of all rows, each once.

    Raises:
        FileNotFoundError: If one is missing.
        ValueError: If a file is no evaluation.
    """
    paths = dict.fromkeys(path for row in rows for path in row.evaluations)
    return {path: read_run(path) for path in paths}


def study_runs_section(
    rows: Sequence[StudyRowFiles], runs: Mapping[Path, RunFile]
) -> Section | None:
    """Return a folded table of runs for each study; None where no row has any.

    A run that several studies share stands under the first of them, with the rows of all.

    Args:
        rows: Of all studies, in the order of the page.
        runs: From ``read_row_runs``.
    """
    users: dict[Path, list[StudyRowFiles]] = defaultdict(list)
    for row in rows:
        for path in row.evaluations:
            users[path].append(row)
    if not users:
        return None
    tables, elsewhere = [], []
    for study in dict.fromkeys(row.study for row in rows if row.evaluations):
        own = {path: by for path, by in users.items() if by[0].study == study}
        if own:
            tables.append(_table(study, own, runs))
        shared = dict.fromkeys(
            f"{row.label} (under {users[path][0].study})"
            for row in rows
            for path in row.evaluations
            if row.study == study and path not in own
        )
        if shared:
            elsewhere.append(f"{study} shares the runs of: {', '.join(shared)}.")
    about = (
        "The runs behind each row of a study. One that several studies share stands once, under "
        "the first of them, with all rows that it counts for."
    )
    return Section(title="Runs of studies", paragraphs=(about, *elsewhere), tables=tuple(tables))


def _table(
    study: str, own: Mapping[Path, Sequence[StudyRowFiles]], runs: Mapping[Path, RunFile]
) -> Table:
    body = [
        [row_names(by, study), by[0].classes, *run_cells(runs[path])] for path, by in own.items()
    ]
    heads = ["rows", "class embeddings", *RUN_HEADS]
    return text_table(f"Runs of the study {study}", heads, body, folded=True)


def row_names(rows: Sequence[StudyRowFiles], study: str | None = None) -> str:
    """Return the labels of rows; before those of another study than ``study`` stands its name."""
    names = (row.label if row.study == study else f"{row.study}: {row.label}" for row in rows)
    return "; ".join(dict.fromkeys(names))
