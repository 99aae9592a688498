"""Score a trained model on the test clips: S, U, HM and ZSL, in percent.

example: avzsl evaluate model.pt --manifest m.tsv --audio a.h5 --visual v.h5 --out metrics.json
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from avzsl.cli.arguments import add_compute, add_features, prepare_compute

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("model", type=Path, help="from: avzsl train")
    parser.add_argument("--name", help="what to call the method in tables (default: its kind)")
    parser.add_argument("--run-id", metavar="ID", help="refuse a model of another run")
    add_features(parser)
    add_compute(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="JSON")
    parser.add_argument(
        "--embeddings",
        type=Path,
        metavar="H5",
        help="clips and classes in the space where the method compares them, for figures",
    )


def run(args: argparse.Namespace) -> None:
    """Write the metrics and log the four numbers that a result table shows."""
    from avzsl.cli.arguments import read_features
    from avzsl.evaluation import evaluate_model

    device = prepare_compute(args)
    metrics = evaluate_model(
        args.model,
        read_features(args, device, test=True),
        device=device,
        expected_run_id=args.run_id,
        out=args.out,
        name=args.name,
        embeddings_out=args.embeddings,
    )
    _log.info(
        "S %.2f  U %.2f  HM %.2f  ZSL %.2f", metrics.seen, metrics.unseen, metrics.hm, metrics.zsl
    )
