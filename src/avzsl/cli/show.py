"""Print a result table, or what an HDF5 file of the workflow holds.

example: avzsl show results/demo_signal.csv
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "file", type=Path, help="a table (.csv), or a shard, index or classes (.h5)"
    )


def run(args: argparse.Namespace) -> None:
    """Print the file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is neither of the two.
    """
    if not args.file.is_file():
        raise FileNotFoundError(f"There is no file {args.file}.")
    if args.file.suffix == ".csv":
        from avzsl.report.tables import as_text, read_table

        print(as_text(read_table(args.file), str(args.file)))
    elif args.file.suffix == ".h5":
        _show_hdf5(args.file)
    else:
        raise ValueError(f"Expected a .csv table or an .h5 file, got {args.file}.")


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
