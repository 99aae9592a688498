"""Print a result table, what an HDF5 file of the workflow holds, or what an encoder is.

example: avzsl show results/demo_signal.csv
example: avzsl show encoder imagebind-vision
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "what", nargs="+", metavar="FILE", help="a .csv table, an .h5 file, or: encoder NAME"
    )
    parser.add_argument(
        "--options", type=json.loads, default={}, metavar="JSON", help="of the encoder"
    )


def run(args: argparse.Namespace) -> None:
    """Print what was asked for.

    Raises:
        FileNotFoundError: If there is no such file.
        LookupError: If there is no such encoder.
        ValueError: If a file is neither a table nor HDF5.
    """
    if args.what[0] == "encoder":
        from avzsl.encoders.about import describe

        for name in args.what[1:]:
            print(describe(name, args.options))
        if len(args.what) == 1:
            raise ValueError("Say which encoder, for example: avzsl show encoder signal-audio")
        return
    for name in args.what:
        _show_file(Path(name))


def _show_file(path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    if path.suffix == ".csv":
        from avzsl.report.tables import as_text, read_table

        print(as_text(read_table(path), str(path)))
    elif path.suffix == ".h5":
        _show_hdf5(path)
    else:
        raise ValueError(f"Expected a .csv table or an .h5 file, got {path}.")


def _show_hdf5(path: Path) -> None:
    import h5py

    with h5py.File(path) as file:
        for key, value in sorted(file.attrs.items()):
            print(f"{key:<18} {value}")
        file.visititems(
            lambda name, item: (
                print(f"{name:<18} {item.shape} {item.dtype}")
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
        failures = file.get("failures")
        for row in failures[:] if isinstance(failures, h5py.Dataset) else []:
            words = [x.decode() if isinstance(x, bytes) else str(x) for x in row.tolist()]
            print("failed:", " | ".join(words))
