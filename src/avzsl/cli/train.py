"""Fit one method with one seed, both stages.

Stage 1 trains on the training clips and chooses epoch and bias on validation; stage 2 trains
anew on training and validation together. The test clips are not read. A killed command goes on
where it was when it is started again.

example: avzsl train devise --manifest m.tsv --audio a.h5 --visual v.h5 --classes c.h5 --out m.pt
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from avzsl.cli.arguments import add_compute, add_features, prepare_compute


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("kind", help="the method, see: avzsl list methods")
    parser.add_argument("--options", type=json.loads, default={}, metavar="JSON")
    parser.add_argument("--protocol", type=json.loads, default={}, metavar="JSON")
    parser.add_argument("--seed", type=int, default=0)
    add_features(parser)
    parser.add_argument(
        "--classes", type=Path, required=True, metavar="H5", help="class embeddings"
    )
    parser.add_argument("--classes-id", metavar="ID", help="refuse class embeddings of another id")
    parser.add_argument("--run-id", default="", metavar="ID", help="id to write into the model")
    add_compute(parser)
    parser.add_argument("--history", type=Path, required=True, metavar="CSV", help="a row an epoch")
    parser.add_argument("--out", type=Path, required=True, metavar="PT")


def run(args: argparse.Namespace) -> None:
    """Write the model and its history."""
    from avzsl.classes.store import read_classes
    from avzsl.cli.arguments import read_features
    from avzsl.methods import methods
    from avzsl.options import from_dict
    from avzsl.training.protocol import ProtocolOptions
    from avzsl.training.stages import train_run

    device = prepare_compute(args)
    classes = read_classes(args.classes, expected_id=args.classes_id)
    if from_dict(methods.get(args.kind).Options, args.options).classes == "raw":
        classes = classes.raw()
    train_run(
        read_features(args, device, test=False),
        classes,
        args.kind,
        args.options,
        seed=args.seed,
        device=device,
        out=args.out,
        history_out=args.history,
        run_id=args.run_id,
        protocol=from_dict(ProtocolOptions, args.protocol),
    )
