"""Statistics of a table: intervals over test clips, and differences between methods on them.

What the figures mean, and what they do not: ``metrics/resampling.py``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from avzsl.metrics.resampling import (
    METRICS,
    Outcomes,
    bootstrap,
    flip_seeds,
    holm,
    interval,
    metrics_by_seed,
    permute_clips,
)
from avzsl.provenance import write_text
from avzsl.report.markup import markdown_table
from avzsl.report.tables import LABELS, write_rows

if TYPE_CHECKING:
    from avzsl.report.collect import Evaluation
    from avzsl.report.tables import Row

COLUMNS = (
    "method",
    "metric",
    "mean",
    "ci_low",
    "ci_high",
    "reference",
    "difference",
    "difference_ci_low",
    "difference_ci_high",
    "p_clips",
    "p_clips_holm",
    "p_seeds",
    "seeds",
    "clips",
    "resamples",
)
"""A row for every method and metric; percent and percentage points with two decimals."""


def statistics_rows(
    evaluations: Sequence[Evaluation],
    *,
    reference: str | None = None,
    resamples: int = 5_000,
    seed: int = 0,
) -> list[Row]:
    """Return the statistics of all methods of a table.

    Args:
        evaluations: Of all methods, with the same seeds and on the same clips.
        reference: The method that others are compared with; None takes that of the highest mean HM.
        resamples: Bootstrap draws, and permutations.
        seed: Of both.

    Raises:
        ValueError: If the evaluations do not keep the outcomes of single clips, or methods differ
            in clips, classes or seeds.
        LookupError: If there is no such method.
    """
    methods, outcomes = join_outcomes(evaluations)
    by_seed = metrics_by_seed(outcomes)
    mean_M4 = by_seed.mean(axis=1)
    chosen = _reference(methods, reference, mean_M4)
    drawn_RM4 = bootstrap(outcomes, resamples=resamples, seed=seed)
    clips_M4 = permute_clips(outcomes, chosen, permutations=resamples, seed=seed)
    others = [m for m in range(len(methods)) if m != chosen]
    holm_M4 = np.ones_like(clips_M4)
    for k in range(len(METRICS)):
        holm_M4[others, k] = holm(clips_M4[others, k])
    cells: dict[str | tuple[str, str], np.ndarray] = {
        "mean": mean_M4,
        ("ci_low", "ci_high"): interval(drawn_RM4),
        "difference": mean_M4 - mean_M4[chosen],
        ("difference_ci_low", "difference_ci_high"): interval(
            drawn_RM4 - drawn_RM4[:, chosen : chosen + 1]
        ),
        "p_clips": clips_M4,
        "p_clips_holm": holm_M4,
        "p_seeds": flip_seeds(outcomes, chosen),
    }
    fixed = {
        "reference": methods[chosen],
        "seeds": str(by_seed.shape[1]),
        "clips": str(len(outcomes.labels)),
        "resamples": str(resamples),
    }
    return [
        _row(methods[m], m, k, cells, fixed, is_reference=m == chosen)
        for m in range(len(methods))
        for k in range(len(METRICS))
    ]


def join_outcomes(evaluations: Sequence[Evaluation]) -> tuple[list[str], Outcomes]:
    """Return the names of the methods, and their outcomes on the clips that they share.

    Raises:
        ValueError: If they cannot be compared clip by clip; the message says why.
    """
    groups: dict[str, dict[int, Evaluation]] = defaultdict(dict)
    for run in evaluations:
        if run.seed in groups[run.method]:
            raise ValueError(f"There are two evaluations of {run.method} with seed {run.seed}.")
        groups[run.method][run.seed] = run
    first = evaluations[0]
    seeds = sorted(groups[first.method])
    for run in evaluations:
        _check(run, first)
        if sorted(groups[run.method]) != seeds:
            raise ValueError(
                f"{first.method} has the seeds {seeds}, {run.method} has "
                f"{sorted(groups[run.method])}; methods are compared seed by seed."
            )
    ordered = [[groups[method][seed].outcomes for seed in seeds] for method in groups]
    assert first.outcomes is not None
    true = first.outcomes.true
    right = [[run.predicted == true for run in runs if run] for runs in ordered]
    right_zsl = [[run.zsl == true for run in runs if run] for runs in ordered]
    return list(groups), Outcomes(
        labels=true,
        is_seen=np.array(first.is_seen),
        right=np.array(right),
        right_zsl=np.array(right_zsl),
    )


def _check(run: Evaluation, first: Evaluation) -> None:
    """Refuse runs that cannot be compared clip by clip."""
    if run.outcomes is None or first.outcomes is None:
        raise ValueError(
            f"The evaluation of {run.method} with seed {run.seed} does not keep what became of "
            "each clip: it is of an older version. Run: snakemake --forcerun evaluate"
        )
    same = (
        run.outcomes.clips_id == first.outcomes.clips_id
        and run.class_names == first.class_names
        and run.is_seen == first.is_seen
        and np.array_equal(run.outcomes.true, first.outcomes.true)
    )
    if not same:
        raise ValueError(
            f"{run.method} with seed {run.seed} was scored on other clips or classes than "
            f"{first.method} with seed {first.seed}; they cannot be compared clip by clip."
        )


def _reference(methods: Sequence[str], wanted: str | None, mean_M4: np.ndarray) -> int:
    if wanted is None:
        return int(mean_M4[:, METRICS.index("hm")].argmax())
    if wanted not in methods:
        raise LookupError(f"There is no method {wanted!r} among {', '.join(methods)}.")
    return list(methods).index(wanted)


def _row(
    method: str,
    m: int,
    k: int,
    cells: dict[str | tuple[str, str], np.ndarray],
    fixed: dict[str, str],
    *,
    is_reference: bool,
) -> Row:
    row: Row = dict.fromkeys(COLUMNS, "") | {"method": method, "metric": METRICS[k]} | fixed
    for columns, values in cells.items():
        names = (columns,) if isinstance(columns, str) else columns
        of_reference = columns not in ("mean", ("ci_low", "ci_high"))
        if is_reference and of_reference:
            continue  # it differs from itself by nothing
        for name, value in zip(names, np.atleast_1d(values[..., m, k]), strict=True):
            row[name] = f"{value:.4g}" if name.startswith("p_") else f"{value:.2f}"
    if row["seeds"] == "1":
        row["p_seeds"] = ""
    return row


def write_statistics(path: Path, rows: Sequence[Row], *, table_id: str) -> None:
    """Write the CSV file, beside it the same as Markdown, and the id of what both are made from."""
    write_text(path.with_suffix(".md"), as_markdown(rows))
    write_rows(path, COLUMNS, rows, table_id=table_id)


def as_markdown(rows: Sequence[Row]) -> str:
    """Return one table of intervals and one of differences."""
    first = rows[0]
    methods = list(dict.fromkeys(row["method"] for row in rows))
    found = {(row["method"], row["metric"]): row for row in rows}
    head = ["method", *LABELS.values()]
    intervals = [
        [name, *(_interval(found[name, metric], "mean", "ci_") for metric in METRICS)]
        for name in methods
    ]
    differences = [
        [name, *(_difference(found[name, metric]) for metric in METRICS)]
        for name in methods
        if name != first["reference"]
    ]
    lines = [
        f"Percent, mean over {first['seeds']} seed(s) with the 95 % bootstrap interval over "
        f"{first['clips']} test clips ({first['resamples']} resamples within classes; the trained "
        "models and the classes held fixed).",
        "",
        *markdown_table(head, intervals),
    ]
    if differences:
        lines += [
            "",
            f"Difference to {first['reference']} in percentage points on the same clips, 95 % "
            "interval; p of the permutation test over clips, adjusted for the number of methods "
            "(Holm).",
            "",
            *markdown_table(head, differences),
        ]
    return "\n".join(lines) + "\n"


def _interval(row: Row, value: str, prefix: str) -> str:
    return f"{row[value]} [{row[f'{prefix}low']}, {row[f'{prefix}high']}]"


def _difference(row: Row) -> str:
    return f"{_interval(row, 'difference', 'difference_ci_')} p={row['p_clips_holm']}"
