"""Plot the runs of a result table: methods side by side, training curves, confusion.

example: avzsl figures --evaluations e/*/*.json --histories h/*/*.csv --methods methods.png ...
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--evaluations", type=Path, nargs="+", required=True, metavar="JSON")
    parser.add_argument(
        "--run-ids", type=json.loads, metavar="JSON", help="refuse evaluations of other runs"
    )
    parser.add_argument("--histories", type=Path, nargs="+", required=True, metavar="CSV")
    parser.add_argument("--methods", type=Path, required=True, metavar="PNG")
    parser.add_argument("--training", type=Path, required=True, metavar="PNG")
    parser.add_argument("--confusion", type=Path, required=True, metavar="PNG")


def run(args: argparse.Namespace) -> None:
    """Write the three figures."""
    from avzsl.report.collect import read_evaluations, read_histories
    from avzsl.report.figures import plot_confusion, plot_methods, plot_training

    evaluations = read_evaluations(args.evaluations, args.run_ids)
    plot_methods(evaluations, args.methods)
    plot_training(read_histories(args.histories, evaluations), args.training)
    plot_confusion(evaluations, args.confusion)
