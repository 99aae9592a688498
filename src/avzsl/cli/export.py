r"""Write features in the layouts that the released code of AVCA and TCaF reads.

Beside them that code wants the class-split folder and features/<name>/text of the published data.

example: avzsl export features --manifest results/manifests/ucf.tsv \\
    --audio results/features/ucf/imagebind-audio/index.h5 \\
    --visual results/features/ucf/imagebind-vision/index.h5 \\
    --layout avca --out avgzsl_benchmark_datasets/UCF/features/imagebind
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from avzsl.cli.arguments import add_features

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("what", choices=["features"])
    add_features(parser)
    parser.add_argument(
        "--layout",
        choices=["avca", "tcaf"],
        required=True,
        help="avca: averaged, HDF5; tcaf: temporal, pickles",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="<Dataset>/features/<name>"
    )


def run(args: argparse.Namespace) -> None:
    """Write the archive.

    Raises:
        FileExistsError: If the folder holds one already.
        ValueError: If no clip has both modalities.
    """
    from avzsl.datasets.archive_export import export_features
    from avzsl.datasets.manifest import read_manifest
    from avzsl.shards.feature_index import FeatureIndex

    indices = [
        FeatureIndex(args.audio, expected_features_id=args.audio_id),
        FeatureIndex(args.visual, expected_features_id=args.visual_id),
    ]
    written, left = export_features(read_manifest(args.manifest), indices, args.out, args.layout)
    _log.info("%d clips in %s; %d without both modalities left out", written, args.out, left)
