"""Tables and figures of a study: named variants side by side, beside a paper's numbers.

example: avzsl study table --spec spec.json --out results/tables/table5.csv -- evaluation.json ...
example: avzsl study classes --spec spec.json --out results/tables/table5.classes.csv
example: avzsl study neighbours --spec spec.json --out results/tables/table8.csv -- neighbours.csv
example: avzsl study bars --out bars.png -- results/tables/table1.csv results/tables/table2.csv
example: avzsl study sweep --classes table9.classes.csv --out table9.png -- table9.csv
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the steps."""
    steps = parser.add_subparsers(dest="step", metavar="STEP", required=True)
    table = steps.add_parser("table", help="accuracies of the rows, beside published ones")
    table.add_argument(
        "files", type=Path, nargs="+", metavar="JSON", help="evaluations, row by row"
    )
    classes = steps.add_parser("classes", help="how optimisation moved the class embeddings")
    neighbours = steps.add_parser("neighbours", help="nearest classes before and after")
    neighbours.add_argument(
        "files", type=Path, nargs="*", metavar="CSV", help="one for each row that optimises"
    )
    for step in (table, classes, neighbours):
        step.add_argument("--spec", required=True, metavar="JSON", help="the study, or its file")
        step.add_argument("--table-id", default="", metavar="ID", help="id to write beside it")
        step.add_argument(
            "--out", type=Path, required=True, metavar="CSV", help=".md and .tex lie beside it"
        )
    bars = steps.add_parser("bars", help="plot HM of the rows, ours beside published")
    sweep = steps.add_parser("sweep", help="plot the effect of alpha and margin")
    sweep.add_argument(
        "--classes", type=Path, nargs="+", required=True, metavar="CSV", help="from: classes"
    )
    for step in (bars, sweep):
        step.add_argument("files", type=Path, nargs="+", metavar="CSV", help="from: table")
        step.add_argument("--out", type=Path, required=True, metavar="PNG", help="and a PDF")


def run(args: argparse.Namespace) -> None:
    """Run the step that was named."""
    steps = {"table": _table, "classes": _classes, "neighbours": _neighbours}
    (steps | {"bars": _bars, "sweep": _sweep})[args.step](args)


def _table(args: argparse.Namespace) -> None:
    from avzsl.report.collect import read_evaluations
    from avzsl.report.markup import as_markdown
    from avzsl.report.study.results import COLUMNS, results_sheet, study_rows
    from avzsl.report.study.spec import read_spec
    from avzsl.report.study.store import write_study

    spec = read_spec(args.spec)
    rows = study_rows(spec, read_evaluations(args.files, spec.run_ids))
    sheets = [results_sheet(spec, rows)]
    write_study(args.out, COLUMNS, rows, sheets, table_id=args.table_id)
    print(as_markdown(sheets))


def _classes(args: argparse.Namespace) -> None:
    from avzsl.report.markup import as_markdown
    from avzsl.report.study.classes import COLUMNS, class_rows, classes_sheet
    from avzsl.report.study.spec import read_spec
    from avzsl.report.study.store import write_study

    spec = read_spec(args.spec)
    rows = class_rows(spec)
    sheets = [classes_sheet(spec, rows)]
    write_study(args.out, COLUMNS, rows, sheets, table_id=args.table_id)
    print(as_markdown(sheets))


def _neighbours(args: argparse.Namespace) -> None:
    from avzsl.report.markup import as_markdown
    from avzsl.report.study.neighbours import COLUMNS, neighbour_rows, neighbour_sheets
    from avzsl.report.study.spec import read_spec
    from avzsl.report.study.store import write_study

    spec = read_spec(args.spec)
    rows = neighbour_rows(spec, args.files)
    sheets = neighbour_sheets(spec, rows)
    write_study(args.out, COLUMNS, rows, sheets, table_id=args.table_id)
    print(as_markdown(sheets))


def _bars(args: argparse.Namespace) -> None:
    from avzsl.report.study.bars import plot_bars
    from avzsl.report.study.results import COLUMNS
    from avzsl.report.tables import read_rows

    plot_bars([row for path in args.files for row in read_rows(path, COLUMNS, "study")], args.out)


def _sweep(args: argparse.Namespace) -> None:
    from avzsl.report.study import classes, results
    from avzsl.report.study.sweep import plot_sweep
    from avzsl.report.tables import read_rows

    accuracies = [row for path in args.files for row in read_rows(path, results.COLUMNS, "study")]
    geometry = [row for path in args.classes for row in read_rows(path, classes.COLUMNS, "classes")]
    plot_sweep(accuracies, geometry, args.out)
