"""Files of a study that were not computed: evaluations, summaries of classes, neighbours."""

from __future__ import annotations

import csv
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from avzsl.classes import summary
from avzsl.report.study.neighbours import WRITTEN


def write_evaluation(folder: Path, method: str, seed: int, **values: Any) -> Path:
    """Write what ``avzsl evaluate`` writes, for a run of two seen and two unseen classes."""
    content = {
        "run_id": f"{method}-{seed}",
        "method": method,
        "seed": seed,
        "epoch": 3,
        "seen": 17.0 + seed,
        "unseen": 8.0,
        "hm": 11.0,
        "zsl": 9.0,
        "zsl_chance": 50.0,
        "clips_seen": 10,
        "clips_unseen": 8,
        "classes_seen": 2,
        "classes_unseen": 2,
        "left_out": [],
        "candidates": {"seen": ["a", "b"], "unseen": ["c", "d"]},
        "confusions": {"a": {"a": 3}},
        **values,
    }
    return write(folder / f"{method}-{seed}.json", content)


def write_summary(folder: Path, name: str, **values: Any) -> Path:
    """Write what ``avzsl classes optimise --summary`` writes."""
    made: dict[str, Any] = {
        "classes_id": name,
        "classes": 4,
        "objective": "margin-ranking",
        "distance": "cosine",
        "alpha": 0.5,
        "margin": 1.0,
        "nearest_before": 0.3,
        "nearest_after": 0.612345,
        "nearest_smallest_before": 0.1,
        "nearest_smallest_after": 0.4,
        "nearest_kept": 0.75,
        "rank_correlation": 0.9,
        "separation_before": -0.3,
        "separation_after": -0.6,
        "semantic_before": 0.0,
        "semantic_after": 0.02,
        "loss_before": -0.15,
        "loss_after": -0.29,
        "steps": 400,
        "best_step": 390,
        "converged": True,
        "seconds": 1.5,
    }
    path = folder / f"{name}.json"
    summary.write_summary(path, summary.ClassSummary(**made | values))
    return path


def write_neighbours(folder: Path, name: str, rows: Sequence[tuple[str, ...]]) -> Path:
    """Write what ``avzsl classes optimise --neighbours`` writes, and beside it the summary."""
    path = folder / f"{name}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        empty = [""] * len(WRITTEN)
        csv.writer(file).writerows([WRITTEN, *([*row, *empty][: len(WRITTEN)] for row in rows)])
    before, after = (statistics.fmean(float(row[i]) for row in rows) for i in (2, 4))
    write_summary(folder, name, classes=len(rows), nearest_before=before, nearest_after=after)
    return path


def write(path: Path, content: Any) -> Path:
    """Write JSON and return its path."""
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
