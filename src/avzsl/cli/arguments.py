"""Options that several commands share."""

from __future__ import annotations

import argparse
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avzsl.registry import did_you_mean

if TYPE_CHECKING:
    import torch

    from avzsl.config import Config
    from avzsl.datasets.features import FeatureSet
    from avzsl.datasets.kinds import DatasetKind
    from avzsl.encoders import Encoder
    from avzsl.encoders.published import Archive, Published

_log = logging.getLogger(__name__)


def from_environment(name: str) -> Any:
    """Return the JSON in the variable ``AVZSL_<name>``, or an empty mapping.

    The workflow hands over there what must not make a job run again when it changes: where models
    run, how clips are decoded, and the definitions of datasets, whose lists of clips have ids.

    Raises:
        ValueError: If the variable holds something else.
    """
    text = os.environ.get(f"AVZSL_{name}", "{}")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"AVZSL_{name} must hold JSON, got {text!r} ({error}).") from None


def add_dataset(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add what names a dataset: the command lists its clips itself."""
    parser.add_argument(
        "dataset", nargs=None if required else "?", help="name of the dataset in config.yaml"
    )
    parser.add_argument(
        "--dataset-kind",
        metavar="KIND",
        help="see: avzsl list datasets (default: from AVZSL_DATASETS)",
    )
    parser.add_argument("--dataset-options", type=json.loads, default={}, metavar="JSON")


def make_dataset(args: argparse.Namespace) -> DatasetKind:
    """Return the dataset that ``add_dataset`` declared.

    Raises:
        ValueError: If neither the command line nor the environment defines it.
    """
    from avzsl.datasets.kinds import dataset_kinds

    kind, options = args.dataset_kind, args.dataset_options
    if kind is None:
        known = from_environment("DATASETS") or _configured_datasets(args)
        if args.dataset not in known:
            where = "AVZSL_DATASETS" if from_environment("DATASETS") else "config.yaml"
            raise ValueError(
                f"Give --dataset-kind: there is no dataset {args.dataset!r} in {where}. "
                + did_you_mean(args.dataset, known)
            )
        kind, options = known[args.dataset]["kind"], known[args.dataset]["options"]
    return dataset_kinds.get(kind)(args.dataset, options, Path.cwd())


def add_configuration(parser: argparse.ArgumentParser) -> None:
    """Add where the configuration is, for commands that a user calls by hand."""
    parser.add_argument("--config", type=Path, default=Path("config.yaml"), metavar="YAML")
    parser.add_argument(
        "--schema", type=Path, default=Path("workflow/schemas/config.schema.json"), metavar="JSON"
    )


def read_configuration(args: argparse.Namespace) -> Config:
    """Return the checked configuration that ``add_configuration`` declared.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If something in it is wrong.
    """
    from avzsl.config import load_config

    return load_config(read_page(args), args.schema)


def read_page(args: argparse.Namespace) -> dict[str, Any]:
    """Return the configuration as it is written, unchecked.

    Raises:
        FileNotFoundError: If there is none.
    """
    import yaml

    page: dict[str, Any] = yaml.safe_load(args.config.read_text(encoding="utf-8")) or {}
    return page


def _configured_datasets(args: argparse.Namespace) -> dict[str, Any]:
    """Return kind and options of the datasets in the configuration that ``args`` name."""
    config: Path | None = getattr(args, "config", None)
    if config is None or not config.is_file():
        return {}
    datasets = read_configuration(args).datasets
    return {name: {"kind": own.kind, "options": own.options} for name, own in datasets.items()}


def check_planned(what: str, found: str, planned: str | None) -> None:
    """Refuse to go on with other clips than those that the workflow was planned with.

    Args:
        what: The things that the id is of, for the message.
        found: Their id now.
        planned: Their id when Snakemake planned; None or empty takes any.

    Raises:
        ValueError: If the two differ.
    """
    if planned and found != planned:
        raise ValueError(
            f"{what} are not those that the workflow was planned with; files changed meanwhile. "
            "Run it again."
        )


def add_compute(parser: argparse.ArgumentParser) -> None:
    """Add --device and --threads."""
    parser.add_argument(
        "--device",
        default=os.environ.get("AVZSL_DEVICE", "auto"),
        help="auto, cpu, cuda, cuda:1 (default: AVZSL_DEVICE or auto)",
    )
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="default: 1")


def prepare_compute(args: argparse.Namespace) -> torch.device:
    """Choose the device, log why, and limit torch to ``args.threads``."""
    import torch

    from avzsl.device import choose_device

    torch.set_num_threads(args.threads)
    device, reason = choose_device(args.device)
    _log.info("device: %s (%s)", device, reason)
    return device


def add_features(parser: argparse.ArgumentParser) -> None:
    """Add the manifest and the two feature indices with their ids."""
    parser.add_argument("--manifest", type=Path, required=True, metavar="TSV")
    for modality in ("audio", "visual"):
        parser.add_argument(f"--{modality}", type=Path, required=True, metavar="H5")
        parser.add_argument(f"--{modality}-id", metavar="ID", help="refuse features of another id")


def read_features(args: argparse.Namespace, device: torch.device, *, test: bool) -> FeatureSet:
    """Read the clips that a command needs.

    Args:
        args: With what ``add_features`` declared.
        device: Where the features are to live.
        test: Whether the test clips are read, and only they; training never sees them.
    """
    from avzsl.datasets.features import FeatureSet
    from avzsl.datasets.manifest import read_manifest
    from avzsl.datasets.residency import MemoryOptions
    from avzsl.options import from_dict
    from avzsl.shards.feature_index import FeatureIndex

    rows = [row for row in read_manifest(args.manifest) if row.subset.startswith("test_") is test]
    audio = FeatureIndex(args.audio, expected_features_id=args.audio_id)
    visual = FeatureIndex(args.visual, expected_features_id=args.visual_id)
    memory = from_dict(MemoryOptions, from_environment("MEMORY"))
    return FeatureSet.read(rows, audio, visual, device=device, memory=memory)


def make_encoder(kind: str, options: Mapping[str, Any], fingerprint: str | None) -> Encoder:
    """Build an encoder.

    Raises:
        ValueError: If its fingerprint is not the expected one.
    """
    from avzsl.encoders import encoders

    encoder = encoders.get(kind).from_dict(dict(options))
    if fingerprint and encoder.fingerprint != fingerprint:
        raise ValueError(
            f"The encoder {kind} of the code has the fingerprint {encoder.fingerprint}, the "
            f"workflow was planned with {fingerprint}. Run: avzsl schema, then the workflow again."
        )
    return encoder


def make_published(args: argparse.Namespace) -> tuple[Published, Archive, str]:
    """Return an encoder of published features, the dataset's archive, and their id together.

    Raises:
        FileNotFoundError: If there is no archive.
        ValueError: If it is another kind of encoder, or not what the workflow was planned with.
    """
    from avzsl.encoders.published import Published

    encoder = make_encoder(args.kind, args.options, None)
    if not isinstance(encoder, Published):
        raise ValueError(f"{args.kind} makes features; only published ones are taken from files.")
    name = make_dataset(args).archive_name
    fingerprint = encoder.fingerprint_of(name)
    check_planned("The files of the archive", fingerprint, args.fingerprint)
    return encoder, encoder.archive(name), fingerprint
