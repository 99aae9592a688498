r"""Embed class names, or optimise class embeddings.

example: avzsl classes embed demo --dataset-kind demo --kind signal-text --out original.h5
example: avzsl classes optimise original.h5 --out optimised.h5 --neighbours neighbours.csv \
    --summary summary.json
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from pathlib import Path

from avzsl.cli.arguments import add_compute, add_dataset, make_dataset, prepare_compute

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the two commands."""
    commands = parser.add_subparsers(dest="step", metavar="STEP", required=True)
    embed = commands.add_parser("embed", help="one vector per class name")
    add_dataset(embed)
    embed.add_argument("--kind", required=True, help="text encoder, see: avzsl list encoders")
    embed.add_argument("--fingerprint", metavar="ID", help="refuse if the encoder has another one")
    optimise = commands.add_parser("optimise", help="move the embeddings apart (EZ-AVGZL)")
    optimise.add_argument("embeddings", type=Path, help="from: avzsl classes embed")
    optimise.add_argument("--original-id", metavar="ID", help="refuse embeddings of another id")
    optimise.add_argument("--neighbours", type=Path, required=True, metavar="CSV")
    optimise.add_argument("--summary", type=Path, metavar="JSON", help="what it did, in numbers")
    for command in (embed, optimise):
        command.add_argument("--options", type=json.loads, default={}, metavar="JSON")
        command.add_argument("--classes-id", default="", metavar="ID", help="id of what is made")
        add_compute(command)
        command.add_argument("--out", type=Path, required=True, metavar="H5")


def run(args: argparse.Namespace) -> None:
    """Run the step that was named."""
    {"embed": _embed, "optimise": _optimise}[args.step](args)


def _embed(args: argparse.Namespace) -> None:
    from avzsl.classes.embed import embed_classes
    from avzsl.classes.store import write_classes
    from avzsl.cli.arguments import check_planned, make_encoder
    from avzsl.datasets.manifest import class_names
    from avzsl.encoders import TextEncoder
    from avzsl.provenance import class_embeddings_id

    encoder = make_encoder(args.kind, args.options, args.fingerprint)
    if not isinstance(encoder, TextEncoder):
        raise ValueError(f"{args.kind} is an encoder of {encoder.modality}, not of text.")
    dataset = make_dataset(args)
    names = class_names(dataset.rows())
    texts = dataset.texts(names)
    found = class_embeddings_id(encoder.fingerprint_of(texts), names, texts)
    check_planned(f"The classes of {args.dataset}", found, args.classes_id)
    encoder.load(prepare_compute(args))
    embeddings = embed_classes(names, encoder, texts)
    write_classes(args.out, embeddings, id=found, options=args.options)
    _log.info("%d classes, %d dimensions", *embeddings.vectors.shape)


def _optimise(args: argparse.Namespace) -> None:
    from avzsl.classes.neighbours import compare_neighbours, write_neighbours
    from avzsl.classes.optimise import optimise_classes
    from avzsl.classes.options import ClassOptimisation
    from avzsl.classes.store import read_classes, write_optimised
    from avzsl.classes.summary import summarise, write_summary
    from avzsl.options import from_dict

    prepare_compute(args)
    options = from_dict(ClassOptimisation, args.options)
    original = read_classes(args.embeddings, expected_id=args.original_id)
    started = time.monotonic()
    optimised = optimise_classes(original, options)
    seconds = round(time.monotonic() - started, 3)
    write_optimised(args.out, optimised, id=args.classes_id, options=options)
    changes = compare_neighbours(optimised, distance=options.distance, options=options)
    write_neighbours(args.neighbours, changes)
    summary = summarise(optimised, changes, options, classes_id=args.classes_id, seconds=seconds)
    if args.summary:
        write_summary(args.summary, summary)
    _log.info(
        "%d classes, %d steps, %s",
        len(original.names),
        optimised.steps,
        "converged" if optimised.converged else "stopped at max_steps before it converged",
    )
