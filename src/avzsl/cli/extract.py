r"""Decode and encode the clips of one shard.

A clip that fails is a row in the shard's failures, with the reason. A killed command goes on
where it was when it is started again.

example: avzsl extract demo --dataset-kind demo --shard 0000 --buckets 4 --kind signal-audio \\
    --out 0000.h5
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from avzsl.cli.arguments import add_compute, add_dataset, make_dataset, prepare_compute

if TYPE_CHECKING:
    from avzsl.types import ClipRef

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_dataset(parser)
    parser.add_argument("--shard", required=True, metavar="NNNN", help="which shard")
    parser.add_argument("--buckets", type=int, required=True, metavar="N", help="of how many")
    parser.add_argument("--members-id", metavar="ID", help="refuse if the clips have another id")
    parser.add_argument("--encoder", default="", help="name of the encoder in config.yaml")
    parser.add_argument("--kind", required=True, help="see: avzsl list encoders")
    parser.add_argument("--options", type=json.loads, default={}, metavar="JSON")
    parser.add_argument("--fingerprint", metavar="ID", help="refuse if the encoder has another one")
    parser.add_argument(
        "--settings", type=json.loads, metavar="JSON", help="default: AVZSL_EXTRACTION"
    )
    parser.add_argument(
        "--converted", type=Path, metavar="H5", help="of published features: from avzsl convert"
    )
    add_compute(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="H5")


def run(args: argparse.Namespace) -> None:
    """Write the shard.

    Raises:
        ValueError: If files or code changed since the workflow was planned, or too many clips fail.
    """
    from avzsl.cli.arguments import check_planned, from_environment, make_encoder
    from avzsl.datasets.manifest import members_id
    from avzsl.encoders import AudioEncoder, VisualEncoder
    from avzsl.extraction.engine import extract
    from avzsl.extraction.settings import ExtractionSettings
    from avzsl.options import from_dict

    rows = make_dataset(args).shard(args.shard, args.buckets)
    found = members_id(rows)
    check_planned(f"The clips of shard {args.shard}", found, args.members_id)
    if args.converted is not None:
        _take_from_archive(args, [row.clip for row in rows], found)
        return
    settings = from_environment("EXTRACTION") if args.settings is None else args.settings
    encoder = make_encoder(args.kind, args.options, args.fingerprint)
    if not isinstance(encoder, (AudioEncoder, VisualEncoder)):
        raise ValueError(f"{args.kind} is an encoder of {encoder.modality}, not of clips.")
    device = prepare_compute(args)
    report = extract(
        [row.clip for row in rows],
        encoder,
        args.out,
        dataset=args.dataset,
        encoder_name=args.encoder or args.kind,
        members_id=found,
        settings=from_dict(ExtractionSettings, settings),
        device=device,
        threads=args.threads,
        reuse=args.out.parent / ".reuse" / args.out.name,
    )
    _log.info("%s", report)


def _take_from_archive(args: argparse.Namespace, clips: list[ClipRef], members_id: str) -> None:
    """Write the shard with published features: nothing is decoded."""
    from avzsl.cli.arguments import make_published
    from avzsl.datasets.archive_import import import_shard
    from avzsl.shards.failures import describe_failures

    encoder, _, fingerprint = make_published(args)
    failures = import_shard(
        clips,
        encoder,
        args.converted,
        args.out,
        dataset=args.dataset,
        encoder_name=args.encoder or args.kind,
        members_id=members_id,
        fingerprint=fingerprint,
    )
    _log.info("%d clips taken, %d not", len(clips) - len(failures), len(failures))
    if failures:
        _log.info("%s", describe_failures(failures))
