"""Generate the clips of a demo dataset; files that are there already are kept.

example: avzsl demo demo --out resources/demo/clips.tsv
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("dataset", help="name of the dataset in config.yaml")
    parser.add_argument("--options", type=json.loads, default={}, metavar="JSON")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="processes")
    parser.add_argument("--out", type=Path, required=True, metavar="TSV", help="list of the clips")


def run(args: argparse.Namespace) -> None:
    """Write the missing clips beside ``args.out``, then the list."""
    from avzsl.datasets.demo import write_demo
    from avzsl.datasets.kinds.demo import DemoDataset
    from avzsl.datasets.manifest import write_manifest

    dataset = DemoDataset(args.dataset, args.options, Path.cwd())
    write_demo(dataset.plan, args.out.parent, processes=args.threads)
    write_manifest(args.out, dataset.rows())
