"""Say which versions, device and decoder are in use, and why.

example: avzsl doctor
"""

from __future__ import annotations

import argparse
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("torch", "numpy", "h5py", "av", "transformers", "torchcodec", "decord", "snakemake")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--device", default="auto", help="default: auto")
    parser.add_argument("--decoder", default="auto", help="default: auto")


def run(args: argparse.Namespace) -> None:
    """Print a line for each finding."""
    from avzsl.decode.choice import choose_decoder
    from avzsl.device import choose_device
    from avzsl.provenance import git_revision
    from avzsl.sources.checkpoint import present, weights_folder
    from avzsl.sources.table import sources

    print(f"source       {git_revision()}")
    for name in PACKAGES:
        try:
            print(f"{name:<12} {version(name)}")
        except PackageNotFoundError:
            print(f"{name:<12} not installed")
    here = [name for name in sources() if present(name)]
    print(f"weights      {weights_folder()}: {', '.join(here) or 'none'}")
    device, reason = choose_device(args.device)
    print(f"device       {device} ({reason})")
    decoder = choose_decoder(args.decoder, device.type)
    print(f"decoder      {decoder.name} ({decoder.reason})")
