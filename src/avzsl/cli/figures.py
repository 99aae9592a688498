"""Plot the runs of a table, or any others side by side: one or several kinds of figure.

methods     S, U, HM and ZSL of each method
training    loss and validation, with the chosen epoch (needs --histories)
confusion   which class is taken for which (--classes: like classes stand together)
bias        S, U and HM over the bias of calibrated stacking
classes     accuracy of each class
embeddings  clips and classes where they are compared, by t-SNE (needs --embeddings)

example: avzsl figures methods bias --out methods.png bias.png --evaluations e/*/*.json
example: avzsl figures confusion --out c.png --classes original.h5 --evaluations a.json b.json
         --labels '["without optimisation", "with optimisation"]'
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from avzsl.report.collect import Evaluation

KINDS = ("methods", "training", "confusion", "bias", "classes", "embeddings")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("kinds", nargs="+", choices=KINDS, metavar="KIND", help="see above")
    parser.add_argument(
        "--out",
        type=Path,
        nargs="+",
        required=True,
        metavar="PNG",
        help="one for each kind; a PDF is written beside it",
    )
    parser.add_argument("--evaluations", type=Path, nargs="+", required=True, metavar="JSON")
    parser.add_argument(
        "--run-ids", type=json.loads, metavar="JSON", help="refuse evaluations of other runs"
    )
    parser.add_argument(
        "--labels",
        type=json.loads,
        metavar="JSON",
        help="what to call the methods: an object from name to label, or a label an evaluation",
    )
    parser.add_argument(
        "--histories", type=Path, nargs="+", metavar="CSV", help="one for each evaluation"
    )
    parser.add_argument("--classes", type=Path, metavar="H5", help="class embeddings")
    parser.add_argument("--classes-id", metavar="ID", help="refuse class embeddings of another id")
    parser.add_argument(
        "--embeddings", type=Path, nargs="+", metavar="H5", help="from: avzsl evaluate --embeddings"
    )


def run(args: argparse.Namespace) -> None:
    """Write the figures."""
    from avzsl.report.collect import label_runs, read_evaluations

    if len(args.out) != len(args.kinds):
        raise ValueError(
            f"Give as many files (--out) as kinds of figures, got {len(args.out)} for "
            f"{', '.join(args.kinds)}."
        )
    for option, kind in (("histories", "training"), ("embeddings", "embeddings")):
        if kind in args.kinds and not getattr(args, option):
            raise ValueError(f"The figure {kind} is drawn from --{option}; give the files.")
    evaluations = label_runs(read_evaluations(args.evaluations, args.run_ids), args.labels)
    for kind, out in zip(args.kinds, args.out, strict=True):
        _plotters(args, evaluations)[kind](out)


def _plotters(
    args: argparse.Namespace, evaluations: list[Evaluation]
) -> dict[str, Callable[[Path], None]]:
    """Return what draws each kind into a file; only what is called reads further files."""
    from avzsl.classes.store import read_classes
    from avzsl.report import figures
    from avzsl.report.collect import read_embeddings, read_histories

    panels = figures.by_method(evaluations)

    def training(out: Path) -> None:
        histories = read_histories(args.histories, evaluations)
        figures.plot_training(figures.by_method(histories), out)

    def confusion(out: Path) -> None:
        classes = None
        if args.classes is not None:
            classes = read_classes(args.classes, expected_id=args.classes_id)
        figures.plot_confusion(panels, out, embeddings=classes)

    return {
        "methods": lambda out: figures.plot_methods(panels, out),
        "training": training,
        "confusion": confusion,
        "bias": lambda out: figures.plot_bias(panels, out),
        "classes": lambda out: figures.plot_classes(panels, out),
        "embeddings": lambda out: figures.plot_embeddings(
            read_embeddings(args.embeddings, evaluations), out
        ),
    }
