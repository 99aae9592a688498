"""Write one HTML page with tables, figures, data used, configuration, versions and times.

The page holds everything in itself and loads nothing. It is made of files that the workflow made;
the rule `report` names them all.

example: avzsl report --tables results/demo_signal.csv --out results/report.html
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import Any

from avzsl.cli.arguments import add_configuration

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
    """
    from avzsl.config import load_config
    from avzsl.provenance import write_text
    from avzsl.report.page.contents import Inputs, sections
    from avzsl.report.page.render import render

    raw = _raw(args)
    inputs = Inputs(
        raw=raw,
        config=load_config(raw, args.schema),
        data_of=[path.stem for path in args.tables] if args.data_of is None else args.data_of,
        logs=args.logs,
        captions=args.captions,
        table_ids=args.table_ids,
        **{name: getattr(args, name) for name in LISTS},
    )
    page = render(sections(inputs))
    write_text(args.out, page)
    _log.info("%s: %s bytes", args.out, f"{len(page.encode()):,}")


def _raw(args: argparse.Namespace) -> dict[str, Any]:
    """Return the configuration as given, from the command line or the file."""
    if args.configuration is not None:
        found: dict[str, Any] = args.configuration
        return found
    import yaml

    found = yaml.safe_load(args.config.read_text(encoding="utf-8")) or {}
    return found
