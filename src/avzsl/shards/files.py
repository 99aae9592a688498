"""Feature files on disk: written whole or not at all, and checked when opened."""

from __future__ import annotations

import errno
import io
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from avzsl.provenance import origin, write_aside
from avzsl.shards.layout import ATTRIBUTES, FORMAT_VERSION, Column, Header, Kind

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_hdf5(path: Path, fill: Callable[[h5py.File], None]) -> None:
    """Write an HDF5 file in one step.

    HDF5 may crash the process when the disk is full, so the file is built in memory (about the
    size of its features) and written by plain calls whose errors are reliable.

    Args:
        path: The file.
        fill: Puts the content into the open file.

    Raises:
        OSError: If the file cannot be written; when the disk is full, the message names the
            file, the bytes needed and the bytes free.
    """
    image = io.BytesIO()
    with h5py.File(image, "w", track_order=False) as file:
        fill(file)
    content = image.getbuffer()
    try:
        with write_aside(path) as partial:
            partial.write_bytes(content)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise OSError(error.errno, _full_message(path, len(content))) from error


def _full_message(path: Path, needed_bytes: int) -> str:
    free_bytes = shutil.disk_usage(path.parent).free
    return (
        f"The disk or the quota is full: {path} needs {needed_bytes:,} bytes, its file system has "
        f"{free_bytes:,} bytes free. Make room and run the same command again; nothing already "
        f"finished is lost."
    )


def write_column(file: h5py.File, column: Column, values: Any) -> None:
    """Write one column; without time stamps, so that equal content gives equal bytes."""
    file.create_dataset(column.name, data=values, dtype=column.dtype, track_times=False)


def write_attributes(
    file: h5py.File, kind: Kind, header: Header, *, timings: Mapping[str, float]
) -> None:
    """Write what a reader needs to know before it trusts the file, and where it is from."""
    file.attrs[ATTRIBUTES.kind] = kind
    file.attrs[ATTRIBUTES.format_version] = FORMAT_VERSION
    for name, value in header.as_attributes().items():
        file.attrs[name] = value
    file.attrs[ATTRIBUTES.origin] = json.dumps(origin(), sort_keys=True)
    file.attrs[ATTRIBUTES.timings] = json.dumps(dict(timings), sort_keys=True)


@contextmanager
def open_hdf5(path: Path, kind: Kind, columns: tuple[Column, ...]) -> Iterator[h5py.File]:
    """Open a feature file for reading, after a look at whether it is one.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is truncated, damaged, of another kind or of another format version.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no {kind} {path}.")
    try:
        # Files appear whole and never change, so reading needs no lock (network file systems
        # often have none).
        file = h5py.File(path, "r", locking=False)
    except PermissionError:
        raise
    except OSError as error:
        raise ValueError(
            f"{path} is truncated or no HDF5 file at all ({error}). Delete it and run the command "
            f"that makes it again."
        ) from error
    with file:
        _check(file, path, kind, columns)
        yield file


def _check(file: h5py.File, path: Path, kind: Kind, columns: tuple[Column, ...]) -> None:
    found_kind = file.attrs.get(ATTRIBUTES.kind)
    if found_kind != kind:
        what = f"a {found_kind}" if found_kind else "an HDF5 file of another program"
        raise ValueError(f"{path} is {what}; a {kind} was expected.")
    version = file.attrs.get(ATTRIBUTES.format_version)
    if version != FORMAT_VERSION:
        raise ValueError(
            f"{path} has format version {version}, this package reads version {FORMAT_VERSION}. "
            f"Make the file again or use the package that wrote it."
        )
    for column in columns:
        found = file.get(column.name)
        if not isinstance(found, h5py.Dataset) or found.ndim != column.ndim:
            raise ValueError(
                f"{path} is damaged: {column.name!r} with {column.ndim} dimension(s) is missing. "
                f"Delete the file and run the command that makes it again."
            )


def read_header(file: h5py.File) -> Header:
    """Return the header of an open feature file.

    Raises:
        ValueError: If an attribute is missing.
    """
    try:
        return Header.from_attributes(dict(file.attrs))
    except KeyError as error:
        raise ValueError(
            f"{file.filename} is damaged: the attribute {error} is missing."
        ) from error


def read_text(file: h5py.File, column: Column) -> list[str]:
    """Return a column of text."""
    texts: list[str] = file[column.name].asstr()[:].tolist()
    return texts
