"""Join the evaluations of single runs into a result table and print it.

example: avzsl table --out results/demo_signal.csv -- results/evaluations/demo/signal/*/*.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("evaluations", type=Path, nargs="+", metavar="JSON")
    parser.add_argument(
        "--run-ids", type=json.loads, metavar="JSON", help="refuse evaluations of other runs"
    )
    parser.add_argument(
        "--published",
        nargs="+",
        metavar=("BENCHMARK", "FEATURES"),
        help="put the papers' numbers beside ours: benchmark, features and the benchmark's split "
        "(default: any), such as: vggsound vggish-c3d cls",
    )
    parser.add_argument("--table-id", default="", metavar="ID", help="id to write beside the table")
    parser.add_argument("--out", type=Path, required=True, metavar="CSV")


def run(args: argparse.Namespace) -> None:
    """Write the table and print it."""
    from avzsl.report.collect import read_evaluations
    from avzsl.report.published import published
    from avzsl.report.tables import as_text, result_rows, write_table

    words = args.published
    if words and len(words) not in (2, 3):
        raise ValueError(
            f"--published takes BENCHMARK FEATURES [SPLIT], got: {' '.join(words)}. Write -- "
            "before the evaluations."
        )
    printed = published(*words) if words else None
    rows = result_rows(read_evaluations(args.evaluations, args.run_ids), printed)
    write_table(args.out, rows, table_id=args.table_id)
    print(as_text(rows, str(args.out)))
