"""Options that several commands share."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from avzsl.datasets.features import FeatureSet
    from avzsl.encoders import Encoder

_log = logging.getLogger(__name__)


def add_compute(parser: argparse.ArgumentParser) -> None:
    """Add --device and --threads."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 (default: auto)")
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
    from avzsl.shards.feature_index import FeatureIndex

    rows = [row for row in read_manifest(args.manifest) if row.subset.startswith("test_") is test]
    audio = FeatureIndex(args.audio, expected_features_id=args.audio_id)
    visual = FeatureIndex(args.visual, expected_features_id=args.visual_id)
    return FeatureSet.read(rows, audio, visual, device=device)


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
