"""Protocol, runs and the versions of everything that wrote a file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avzsl.report.page.attributes import read_attributes
from avzsl.report.page.records import Table, text_table
from avzsl.shards.layout import ATTRIBUTES

MOST_ROWS = 20
"""Runs of a table that is not folded."""
RUN_HEADS = (
    "run",
    "dataset",
    "features",
    "seed",
    "epoch",
    "bias",
    "run id",
    "classes left out",
)

Origins = Counter[tuple[str, tuple[tuple[str, str], ...]]]
"""(What was made, versions of what made it) -> number of files."""


@dataclass(frozen=True, kw_only=True)
class RunFile:
    """An evaluation, as its file says."""

    dataset: str
    features: str
    method: str
    """Name in ``config.yaml``, or ``method@digits`` of a study."""
    facts: dict[str, Any]
    """The JSON."""


def read_runs(folder: Path, methods: Sequence[str], seeds: Sequence[int]) -> list[RunFile]:
    """Read the evaluations of one result table.

    Args:
        folder: ``results/evaluations/{dataset}/{features}``.
        methods: Names of the methods in the table.
        seeds: Of every method.

    Raises:
        FileNotFoundError: If one is missing.
        ValueError: If a file is no evaluation.
    """
    return [read_run(folder / method / f"seed{seed}.json") for method in methods for seed in seeds]


def read_run(path: Path) -> RunFile:
    """Read one evaluation.

    Args:
        path: ``.../{dataset}/{features}/{method}/seed{seed}.json``.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is no evaluation.
    """
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is no evaluation of avzsl ({error}).") from None
    if not isinstance(facts, dict) or "run_id" not in facts:
        raise ValueError(f"{path} is no evaluation of avzsl: it has no run_id.")
    dataset, features, method = path.parts[-4:-1]
    return RunFile(dataset=dataset, features=features, method=method, facts=facts)


def each_once(runs: Sequence[RunFile]) -> list[RunFile]:
    """Return the runs without those that came before."""
    found = {(r.dataset, r.features, r.method, r.facts.get("seed")): r for r in runs}
    return list(found.values())


def run_table(runs: Sequence[RunFile]) -> Table:
    """Return every run with the epoch that validation chose, its bias and its id."""
    body = [run_cells(run) for run in runs]
    return text_table(
        "Runs: what validation chose, and the id of all that a run depends on",
        RUN_HEADS,
        body,
        folded=len(body) > MOST_ROWS,
    )


def run_cells(run: RunFile) -> list[object]:
    """Return what stands under ``RUN_HEADS``."""
    return [
        run.method,
        run.dataset,
        run.features,
        str(run.facts.get("seed", "")),
        run.facts.get("epoch"),
        f"{float(run.facts.get('bias', 0.0)):.4g}",
        run.facts["run_id"],
        ", ".join(run.facts.get("left_out", [])) or "none",
    ]


def count_origins(runs: Sequence[RunFile], hdf5: Mapping[str, Sequence[Path]]) -> Origins:
    """Count which versions made which files.

    Args:
        runs: All evaluations.
        hdf5: What they are -> HDF5 files of the workflow.
    """
    found: Origins = Counter()
    for run in runs:
        for what, versions in run.facts.get("origin", {}).items():
            label = {"trained_by": "models", "evaluated_by": "evaluations"}.get(what, what)
            found[label, tuple(sorted(versions.items()))] += 1
    for what, paths in hdf5.items():
        for path in paths:
            versions = json.loads(read_attributes(path).get(ATTRIBUTES.origin, "{}"))
            found[what, tuple(sorted(versions.items()))] += 1
    return found


def version_table(origins: Origins) -> Table:
    """Return a row for each kind of file and set of versions that made such files."""
    names = ["avzsl", "git", "python", "numpy", "torch", "h5py", "av"]
    extra = sorted({name for _, versions in origins for name, _ in versions} - set(names))
    heads = ["files", "number", *names, *extra]
    body = [
        [what, count, *(dict(versions).get(name) for name in heads[2:])]
        for (what, versions), count in sorted(origins.items())
    ]
    notes = ["A dash: the library was not in use when the file was written."]
    if any(str(dict(versions).get("git", "")).endswith("+dirty") for _, versions in origins):
        notes.append("+dirty: the source tree had changes that the commit does not hold.")
    if len({dict(versions).get("git") for _, versions in origins}) > 1:
        notes.append(
            "The files are of more than one commit: each was made when it was first needed, and "
            "is made anew where its code's revision, options or inputs have changed."
        )
    return text_table("Versions that made the files, as these say", heads, body, notes=notes)
