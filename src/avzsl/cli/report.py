"""Write one HTML page with tables, figures, data used, configuration, versions and times.

The page holds everything in itself and loads nothing. It is made of files that the workflow made;
the rule `report` names them all.

example: avzsl report --tables results/demo_signal.csv --out results/report.html
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from avzsl.cli.arguments import add_configuration, read_page
from avzsl.registry import did_you_mean

if TYPE_CHECKING:
    from avzsl.planning import Plan
    from avzsl.report.page.study_runs import StudyRowFiles
    from avzsl.study_plan import StudyRow

_log = logging.getLogger(__name__)

LISTS = {
    "tables": ("CSV", "result tables"),
    "statistics": ("CSV", "their statistics; their names say of which table"),
    "figures": ("PNG", "of result tables, in folders with the names of the tables"),
    "studies": ("CSV", "tables of studies"),
    "study_figures": ("PNG", "figures of studies, named after them"),
    "manifests": ("TSV", "of the datasets used"),
    "indexes": ("H5", "of the features used"),
    "classes": ("H5", "class embeddings used"),
    "evaluations": ("DIR", "folders of runs: results/evaluations/{dataset}/{features}"),
}
"""Option -> what its values are called, and what they are."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_configuration(parser)
    parser.add_argument(
        "--configuration",
        type=json.loads,
        metavar="JSON",
        help="what --config holds, with what a command line laid over it (default: read --config)",
    )
    for name, (metavar, about) in LISTS.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=Path,
            nargs="*",
            default=[],
            metavar=metavar,
            help=about,
        )
    parser.add_argument(
        "--rows-of",
        nargs="*",
        default=[],
        metavar="STUDY",
        help="{study} or {dataset}_{features}/{study} whose runs and class embeddings are shown; "
        "they are looked for under results/ (default: none)",
    )
    parser.add_argument(
        "--data-of",
        nargs="*",
        metavar="TABLE",
        help="{dataset}_{features} whose clips are counted (default: the result tables)",
    )
    parser.add_argument("--logs", type=Path, default=Path("logs"), metavar="DIR")
    parser.add_argument(
        "--captions", type=json.loads, default={}, metavar="JSON", help="figure or study -> text"
    )
    parser.add_argument(
        "--table-ids", type=json.loads, default={}, metavar="JSON", help="refuse other tables"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="HTML")


def run(args: argparse.Namespace) -> None:
    """Write the page.

    Raises:
        FileNotFoundError: If a file that was named is missing.
        ValueError: If one is something else, or of another configuration.
        LookupError: If a study is not configured.
    """
    from avzsl.config import load_config
    from avzsl.planning import Plan
    from avzsl.provenance import write_text
    from avzsl.report.page.contents import Inputs, sections
    from avzsl.report.page.render import render

    raw = read_page(args) if args.configuration is None else args.configuration
    # The page is made of files; as in a job, nothing is listed anew.
    plan = Plan(load_config(raw, args.schema), Path.cwd(), is_job=True)
    inputs = Inputs(
        raw=raw,
        config=plan.config,
        study_rows=study_rows(plan, args.rows_of, args.studies),
        stores={dataset: plan.store(dataset) for dataset in plan.config.datasets},
        data_of=[path.stem for path in args.tables] if args.data_of is None else args.data_of,
        logs=args.logs,
        captions=args.captions,
        table_ids=args.table_ids,
        **{name: getattr(args, name) for name in LISTS},
    )
    page = render(sections(inputs))
    write_text(args.out, page)
    _log.info("%s: %s bytes", args.out, f"{len(page.encode()):,}")


def study_rows(plan: Plan, names: Sequence[str], tables: Sequence[Path]) -> list[StudyRowFiles]:
    """Return the rows of studies with their files.

    Runs are of those whose table of accuracies is shown: a table of class embeddings needs none.

    Args:
        plan: Of the configuration.
        names: Of the studies.
        tables: All tables of studies that are shown.
    """
    from avzsl.report.page.contents import study_of
    from avzsl.study_plan import StudyPlan

    studies = StudyPlan(plan)
    scored = {name for name, kind in map(study_of, tables) if not kind}
    found = []
    for name in names:
        table, _, study = name.rpartition("/")
        if study not in studies.names:
            raise LookupError(f"There is no study {study!r}. {did_you_mean(study, studies.names)}")
        has_runs = name in scored and study in studies.showing("accuracy")
        found += [
            _files_of(row, name, has_runs=has_runs)
            for row in studies.rows(study, table or None)
            if has_runs or row.optimises
        ]
    return found


def _files_of(row: StudyRow, study: str, *, has_runs: bool) -> StudyRowFiles:
    from avzsl.report.page.study_runs import StudyRowFiles

    original = Path(f"results/classes/{row.dataset}/{row.text}/original.h5")
    summary = Path(row.summary) if row.summary else None
    return StudyRowFiles(
        study=study,
        label=row.label,
        classes=f"{row.text}/{row.classes}",
        classes_file=summary.with_suffix(".h5") if summary else original,
        summary=summary,
        evaluations=tuple(map(Path, row.evaluations)) if has_runs else (),
    )
