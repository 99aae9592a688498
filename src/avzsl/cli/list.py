"""List encoders, methods or dataset kinds.

example: avzsl list encoders
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("what", choices=["encoders", "methods", "datasets"])


def run(args: argparse.Namespace) -> None:
    """Print a line each: name, then what it is."""
    for name, about in _lines(args.what):
        print(f"{name:<18} {about}")


def _lines(what: str) -> list[tuple[str, str]]:
    if what == "encoders":
        from avzsl.encoders import encoders

        known = [encoders.get(name) for name in encoders.names()]
        return [(cls.kind, f"{cls.modality:<7} {cls.spec.summary}") for cls in known]
    if what == "datasets":
        from avzsl.datasets.kinds import dataset_kinds

        kinds = [dataset_kinds.get(name) for name in dataset_kinds.names()]
        return [(cls.kind, (cls.__doc__ or "").splitlines()[0]) for cls in kinds]
    # the modules of methods import torch: an nn.Module cannot be declared without it
    from avzsl.methods import methods

    return [(name, methods.get(name).summary) for name in methods.names()]
