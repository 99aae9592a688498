"""Intervals of a table's figures over test clips, and differences between its methods.

example: avzsl statistics --out results/demo_signal.statistics.csv -- JSON...
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
    parser.add_argument("--table-id", default="", metavar="ID", help="id to write beside the file")
    parser.add_argument(
        "--reference", metavar="METHOD", help="compare others with it (default: the highest HM)"
    )
    parser.add_argument(
        "--resamples", type=int, default=5_000, metavar="N", help="and permutations; default: 5000"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the resamples; default: 0")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="CSV", help="Markdown is written beside it"
    )


def run(args: argparse.Namespace) -> None:
    """Write the statistics and print them."""
    from avzsl.report.collect import read_evaluations
    from avzsl.report.statistics import as_markdown, statistics_rows, write_statistics

    if args.resamples < 1:
        raise ValueError(f"--resamples must be at least 1, got {args.resamples}.")
    rows = statistics_rows(
        read_evaluations(args.evaluations, args.run_ids),
        reference=args.reference,
        resamples=args.resamples,
        seed=args.seed,
    )
    write_statistics(args.out, rows, table_id=args.table_id)
    print(as_markdown(rows))
