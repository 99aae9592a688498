r"""Turn a published archive of features into one file, from which shards take their clips.

The archive has a file for each class and stage; see the encoders published-audio and
published-visual.

example: avzsl convert ucf --kind published-visual --options '{"folder": "/data/archive"}' \\
    --out converted.h5
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

from avzsl.cli.arguments import add_dataset

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_dataset(parser)
    parser.add_argument("--kind", required=True, help="published-audio or published-visual")
    parser.add_argument("--options", type=json.loads, default={}, metavar="JSON")
    parser.add_argument("--fingerprint", metavar="ID", help="refuse other files or options")
    parser.add_argument("--out", type=Path, required=True, metavar="H5")


def run(args: argparse.Namespace) -> None:
    """Write the file.

    Raises:
        FileNotFoundError: If there is no archive.
        ValueError: If files changed since the workflow was planned, or one is damaged.
    """
    from avzsl.cli.arguments import make_published
    from avzsl.datasets.archive_import import convert_archive

    encoder, archive, fingerprint = make_published(args)
    clips = convert_archive(
        encoder, archive, args.out, dataset=args.dataset, fingerprint=fingerprint
    )
    _log.info("%d clips of %d files in %s", clips, len(archive.files), archive.folder)
