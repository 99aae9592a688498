"""List encoders, methods or dataset kinds.

An encoder's line says whether its default weights are in the folder of weights.

example: avzsl list encoders
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from avzsl.encoders import Encoder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("what", choices=["encoders", "methods", "datasets", "weights"])


def run(args: argparse.Namespace) -> None:
    """Print a line each: name, then what it is."""
    lines = _lines(args.what)
    width = max(len(name) for name, _ in lines)
    for name, about in lines:
        print(f"{name:<{width}}  {about}")


def _lines(what: str) -> list[tuple[str, str]]:
    if what == "encoders":
        from avzsl.encoders import encoders

        known = [encoders.get(name) for name in encoders.names()]
        order = ("audio", "visual", "text")
        known.sort(key=lambda cls: (order.index(cls.modality), cls.kind))
        return [
            (cls.kind, f"{cls.modality:<6}  {_weights(cls):<14}  {cls.spec.summary}")
            for cls in known
        ]
    if what == "weights":
        from avzsl.sources.checkpoint import present
        from avzsl.sources.table import sources

        return [
            (
                source.name,
                f"{'present' if present(source.name) else '-':<7}  {source.megabytes:>6,} MB  "
                f"{source.title} ({source.terms})",
            )
            for source in sources().values()
        ]
    if what == "datasets":
        from avzsl.datasets.kinds import dataset_kinds

        kinds = [dataset_kinds.get(name) for name in dataset_kinds.names()]
        return [(cls.kind, (cls.__doc__ or "").splitlines()[0]) for cls in kinds]
    # the modules of methods import torch: an nn.Module cannot be declared without it
    from avzsl.methods import methods

    return [(name, methods.get(name).summary) for name in methods.names()]


def _weights(cls: type[Encoder]) -> str:
    """Say whether an encoder can run at once."""
    from avzsl.encoders import Encoder
    from avzsl.sources.checkpoint import present

    if cls.components is not Encoder.components:
        return "as its parts"
    if not cls.sources:
        return "weight-free"
    return "weights here" if any(map(present, cls.sources)) else "to be fetched"
