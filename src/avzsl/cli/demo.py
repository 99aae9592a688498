"""Generate the clips of a demo dataset; files that are there already are kept.

example: avzsl demo demo --dataset-kind demo --out resources/demo/clips.tsv
"""

from __future__ import annotations

import argparse
from pathlib import Path

from avzsl.cli.arguments import add_dataset, check_planned, make_dataset


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_dataset(parser)
    parser.add_argument("--clips-id", metavar="ID", help="refuse a plan of another id")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="processes")
    parser.add_argument("--out", type=Path, required=True, metavar="TSV", help="list of the clips")


def run(args: argparse.Namespace) -> None:
    """Write the missing clips beside ``args.out``, then the list."""
    from avzsl.datasets.demo import write_demo
    from avzsl.datasets.kinds.demo import DemoDataset
    from avzsl.datasets.manifest import members_id, write_manifest

    dataset = make_dataset(args)
    if not isinstance(dataset, DemoDataset):
        raise ValueError(f"{args.dataset} is a dataset of kind {dataset.kind}, not demo.")
    rows = dataset.rows()
    check_planned(f"The clips of {args.dataset}", members_id(rows), args.clips_id)
    write_demo(dataset.plan, args.out.parent, processes=args.threads)
    write_manifest(args.out, rows)
