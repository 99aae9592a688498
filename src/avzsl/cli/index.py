"""Join the shards of one encoder into one virtual file.

example: avzsl index --out index.h5 -- 0000.h5 0001.h5
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("shards", type=Path, nargs="+", metavar="H5")
    parser.add_argument("--fingerprint", metavar="ID", help="refuse shards of another encoder")
    parser.add_argument(
        "--features-id", default="", metavar="ID", help="id to write into the index"
    )
    parser.add_argument("--max-failure-rate", type=float, default=1.0, metavar="SHARE")
    parser.add_argument("--out", type=Path, required=True, metavar="H5")


def run(args: argparse.Namespace) -> None:
    """Write the index.

    Raises:
        ValueError: If a shard is not of the encoder, no clip has features, or too many failed.
    """
    from avzsl.shards.index import write_index

    write_index(
        args.shards,
        args.out,
        expected_fingerprint=args.fingerprint,
        features_id=args.features_id,
        max_failure_rate=args.max_failure_rate,
    )
