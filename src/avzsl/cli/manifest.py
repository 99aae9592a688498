"""List the clips of a dataset: file, segment, class, and what each is used for.

example: avzsl manifest mine --dataset-kind table --dataset-options '{"path": "c.csv"}' --out m.tsv
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from avzsl.cli.arguments import add_dataset, check_planned, make_dataset

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_dataset(parser)
    parser.add_argument("--manifest-id", metavar="ID", help="refuse if the clips have another id")
    parser.add_argument("--out", type=Path, required=True, metavar="TSV")


def run(args: argparse.Namespace) -> None:
    """Write the manifest and log the number of clips of every subset.

    Raises:
        ValueError: If the files changed since the workflow was planned.
    """
    from avzsl.datasets.manifest import count_subsets, manifest_id, write_manifest

    rows = make_dataset(args).rows()
    check_planned(f"The clips of {args.dataset}", manifest_id(rows), args.manifest_id)
    write_manifest(args.out, rows)
    _log.info("%s\n%s", args.dataset, count_subsets(rows))
    missing = [row for row in rows if not row.present]
    if missing:
        _log.warning(
            "%s: %d of %d clips are missing on disk, the first is %s",
            args.dataset,
            len(missing),
            len(rows),
            missing[0].clip.path,
        )
