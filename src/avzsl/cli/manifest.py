"""List the clips of a dataset: file, segment, class, and what each is used for.

example: avzsl manifest mine --kind folder --options '{"path": "videos"}' --out mine.tsv
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("dataset", help="name of the dataset in config.yaml")
    parser.add_argument("--kind", required=True, help="kind of dataset, see: avzsl list datasets")
    parser.add_argument("--options", type=json.loads, default={}, metavar="JSON")
    parser.add_argument("--manifest-id", metavar="ID", help="refuse if the clips have another id")
    parser.add_argument("--out", type=Path, required=True, metavar="TSV")


def run(args: argparse.Namespace) -> None:
    """Write the manifest and log the number of clips of every subset.

    Raises:
        ValueError: If the files changed since the workflow was planned.
    """
    from avzsl.datasets.kinds import dataset_kinds
    from avzsl.datasets.manifest import count_subsets, manifest_id, write_manifest

    rows = dataset_kinds.get(args.kind)(args.dataset, args.options, Path.cwd()).rows()
    if args.manifest_id and manifest_id(rows) != args.manifest_id:
        raise ValueError(
            f"The clips of {args.dataset} changed after the workflow was planned. Run it again."
        )
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
