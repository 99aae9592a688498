"""What HDF5 files say of themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py


def read_attributes(path: Path) -> dict[str, Any]:
    """Return the attributes of an HDF5 file.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is no HDF5.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        with h5py.File(path, "r", locking=False) as file:
            return dict(file.attrs)
    except PermissionError:
        raise
    except OSError as error:
        raise ValueError(f"{path} is truncated or no HDF5 file ({error}).") from error
