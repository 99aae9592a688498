"""Join the shards of one encoder into one virtual file.

example: avzsl index --fingerprint ID --out index.h5 -- 0000.h5 0001.h5
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("shards", type=Path, nargs="+", metavar="H5")
    parser.add_argument("--fingerprint", required=True, metavar="ID", help="of the encoder")
    parser.add_argument(
        "--members", type=json.loads, metavar="JSON", help="shard -> id of the clips it must have"
    )
    parser.add_argument(
        "--features-id", default="", metavar="ID", help="id to write into the index"
    )
    parser.add_argument(
        "--max-failure-rate", type=float, metavar="SHARE", help="default: from AVZSL_EXTRACTION"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="H5")


def run(args: argparse.Namespace) -> None:
    """Write the index.

    Raises:
        ValueError: If a shard is not of the encoder, no clip has features, or too many failed.
    """
    from avzsl.cli.arguments import from_environment
    from avzsl.extraction.settings import ExtractionSettings
    from avzsl.options import from_dict
    from avzsl.shards.failures import describe_failures
    from avzsl.shards.index import write_index

    settings = from_dict(ExtractionSettings, from_environment("EXTRACTION"))
    rate = args.max_failure_rate
    report = write_index(
        args.shards,
        args.out,
        expected_fingerprint=args.fingerprint,
        features_id=args.features_id,
        max_failure_rate=settings.max_failure_rate if rate is None else rate,
        members_ids=args.members,
    )
    _log.info("%d clips, %d windows", report.clips, report.windows)
    if report.failures:
        _log.warning(
            "%s: %d clips have no features: %s",
            args.out.parent,
            len(report.failures),
            describe_failures(report.failures),
        )
