"""Write descriptions of classes with a language model, into a CSV file to be reviewed.

Each class gets three: what it is, how it looks, how it sounds. Cells that hold text are kept, so
that a run goes on where it was stopped, and corrections stay; empty a cell to have it written anew.
The model is a folder on disk; nothing is downloaded. Name the file as 'descriptions' of an encoder
of the kind described-clip.

example: avzsl describe ucf --model models/llama-3-8b-instruct --out resources/ucf.csv
example: avzsl describe --names classes.txt --model models/gpt2 --out mine.csv
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from avzsl.cli.arguments import (
    add_compute,
    add_configuration,
    add_dataset,
    make_dataset,
    prepare_compute,
)

if TYPE_CHECKING:
    from avzsl.classes.describe import DescribeOptions

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; those of the text are listed in docs/encoders.md."""
    add_dataset(parser, required=False)
    add_configuration(parser)
    parser.add_argument(
        "--names", type=Path, metavar="TXT", help="class names, one a line, instead of a dataset"
    )
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="of transformers")
    parser.add_argument(
        "--dtype", choices=["auto", "float32", "bfloat16"], default="auto", help="default: auto"
    )
    parser.add_argument(
        "--options",
        type=json.loads,
        default={},
        metavar="JSON",
        help="prompts (what_it_is, how_it_looks, how_it_sounds), sampling (greedy, sample), "
        "temperature, top_p, seed, max_tokens, sentences",
    )
    add_compute(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="CSV")


def run(args: argparse.Namespace) -> None:
    """Describe what is not yet described.

    Raises:
        ValueError: If an option is wrong, or the file is none of descriptions.
        OSError: If there is no model, or the file cannot be written.
    """
    from avzsl.classes.describe import DescribeOptions, describe_classes, undescribed
    from avzsl.classes.language_model import LanguageModel
    from avzsl.options import from_dict

    options = from_dict(DescribeOptions, args.options)
    names = _names(args)
    lacking = undescribed(names, args.out)
    if not lacking:
        print(f"{args.out}: all {len(names)} classes are described.")
        return
    writer = LanguageModel(args.model, options, prepare_compute(args), dtype=args.dtype)
    _keep_record(args, options, len(lacking))
    written = describe_classes(names, args.out, writer, options)
    print(
        f"{args.out}: {written.cells} descriptions written, {written.kept} kept. Review them, then "
        "name the file as 'descriptions' of an encoder of the kind described-clip."
    )
    if written.empty:
        _log.warning(
            "The model wrote nothing for some aspect of %d classes, such as %r: fill in the empty "
            "cells by hand, or run again with another prompt or seed.",
            len(written.empty),
            written.empty[0],
        )


def _names(args: argparse.Namespace) -> list[str]:
    """Return the classes as text encoders read them."""
    if (args.names is None) == (args.dataset is None):
        raise ValueError("Name either a dataset or --names, a file with one class name a line.")
    if args.names is None:
        from avzsl.datasets.manifest import class_names

        dataset = make_dataset(args)
        return list(dict.fromkeys(dataset.texts(class_names(dataset.listed()))))
    lines = args.names.read_text(encoding="utf-8-sig").splitlines()
    names = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not names:
        raise ValueError(f"{args.names} holds no class name.")
    return names


def _keep_record(args: argparse.Namespace, options: DescribeOptions, classes: int) -> None:
    """Add a line to the record beside the file: which model sets out to describe, and how."""
    from avzsl.options import as_dict
    from avzsl.provenance import origin

    what = {"classes": classes, "model": str(args.model), "dtype": args.dtype}
    line = json.dumps(what | as_dict(options) | origin(), ensure_ascii=False)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with args.out.with_suffix(".jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
