"""Get published files: the only command that uses the network.

For weights, what is named may be a checkpoint, an encoder (its default checkpoint), or a feature
set of config.yaml (the checkpoints of its encoders); for splits, a benchmark.

example: avzsl fetch weights imagebind
example: avzsl fetch weights dino-vits16
example: avzsl fetch splits vggsound
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from avzsl.cli.arguments import add_configuration, read_configuration

if TYPE_CHECKING:
    from avzsl.encoders import Encoder
    from avzsl.planning import Plan

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("what", choices=["weights", "splits"])
    parser.add_argument(
        "names", nargs="+", metavar="NAME", help="checkpoint, encoder, feature set; benchmark"
    )
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="default: as in config.yaml; resources/splits"
    )
    parser.add_argument(
        "--local", type=Path, metavar="DIR", help="of splits: copy from here, verified alike"
    )
    add_configuration(parser)


def run(args: argparse.Namespace) -> None:
    """Download what is not there yet, and verify all.

    Raises:
        LookupError: If a name is neither a checkpoint nor an encoder nor a feature set.
        ValueError: If a file is not what it should be.
        OSError: If a file cannot be had.
    """
    {"weights": _fetch_weights, "splits": _fetch_splits}[args.what](args)


def _fetch_splits(args: argparse.Namespace) -> None:
    from avzsl.sources.download import fetch_file
    from avzsl.sources.splits import fetch_splits

    folder = args.folder or Path("resources/splits")
    for name in args.names:
        new = fetch_splits(name, folder, download=fetch_file, local=args.local)
        print(f"{name}: {folder} ({new} files fetched, all verified)")


def _fetch_weights(args: argparse.Namespace) -> None:
    from avzsl.sources.checkpoint import weights_folder
    from avzsl.sources.download import fetch_source
    from avzsl.sources.table import get_source

    plan = _plan(args)
    folder = args.folder
    if folder is None:
        folder = Path(plan.config.sections["weights"]) if plan else weights_folder()
    wanted = dict.fromkeys(source for name in args.names for source in _sources_of(name, plan))
    for name in wanted:
        source = get_source(name)
        _log.warning(
            "%s: %s (%s MB). Licence: %s. %s",
            name,
            source.title,
            f"{source.megabytes:,}",
            source.terms,
            source.page,
        )
        place = fetch_source(source, folder.expanduser())
        print(f"{name}: {place}")


def _plan(args: argparse.Namespace) -> Plan | None:
    """Return what config.yaml comes to; None where there is none."""
    if not args.config.is_file():
        return None
    from avzsl.planning import Plan

    return Plan(read_configuration(args), args.config.parent)


def _sources_of(name: str, plan: Plan | None) -> list[str]:
    """Return the published checkpoints that a name stands for."""
    from avzsl.encoders import encoders
    from avzsl.registry import did_you_mean
    from avzsl.sources.table import sources

    sets = plan.config.features if plan else {}
    if plan and name in sets:
        return [source for part in sets[name].values() for source in _needed(plan.encoder(part))]
    if plan and name in plan.config.encoders:
        return list(_needed(plan.encoder(name)))
    if name in sources():
        return [name]
    if name in encoders.names():
        cls = encoders.get(name)
        return list(cls.sources[:1]) or list(_needed(cls.from_dict({})))
    known = {*sets, *sources(), *encoders.names()}
    raise LookupError(f"There are no weights for {name!r}. {did_you_mean(name, known)}")


def _needed(encoder: Encoder) -> Iterator[str]:
    """Yield the published checkpoints that an encoder is configured to use."""
    from avzsl.sources.checkpoint import is_random, source_name

    for component in encoder.components:
        yield from _needed(component)
    weights = getattr(encoder.options, "weights", None)
    if weights is not None and not is_random(weights):
        name = source_name(weights, encoder.sources)
        if name is not None:
            yield name
