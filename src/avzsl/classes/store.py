"""Class embeddings on disk (HDF5): this is the only file that spells the names inside.

``original.h5`` and ``optimised.h5`` both hold ``names`` and ``embeddings`` and are read alike;
``optimised.h5`` also holds the original embeddings and the trace of the optimisation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from avzsl.classes.options import ClassOptimisation
from avzsl.classes.records import OptimisedClasses, Trace
from avzsl.options import as_dict
from avzsl.provenance import origin
from avzsl.shards.files import write_hdf5
from avzsl.types import ClassEmbeddings

FORMAT_VERSION = 1
"""Raised whenever a reader of the old version would misread the new one."""

Variant = Literal["original", "optimised"]

_KIND = "class-embeddings"
_SERIES = ("loss", "separation", "semantic")


def write_classes(
    path: Path, embeddings: ClassEmbeddings, *, id: str, options: Mapping[str, Any]
) -> None:
    """Write class embeddings as the text encoder gave them.

    Args:
        path: The file.
        embeddings: One vector per class.
        id: Id of all that they depend on, checked on reading.
        options: Those of the text encoder, for the reader.

    Raises:
        OSError: If the file cannot be written.
    """
    write_hdf5(path, lambda file: _fill(file, embeddings, "original", id, options))


def write_optimised(
    path: Path, optimised: OptimisedClasses, *, id: str, options: ClassOptimisation
) -> None:
    """Write optimised class embeddings with the original ones and the trace.

    Args:
        path: The file.
        optimised: From ``optimise_classes``.
        id: Id of all that they depend on, checked on reading.
        options: What they were optimised for.

    Raises:
        OSError: If the file cannot be written.
    """

    def fill(file: h5py.File) -> None:
        _fill(file, optimised.embeddings, "optimised", id, as_dict(options))
        file.attrs["converged"] = optimised.converged
        file.attrs["steps"] = optimised.steps
        file.attrs["best_step"] = optimised.best_step
        file.create_dataset("original", data=optimised.original.vectors, track_times=False)
        for name in _SERIES:
            series = getattr(optimised.trace, name)
            file.create_dataset(f"trace/{name}", data=series, track_times=False)

    write_hdf5(path, fill)


def read_classes(path: Path, *, expected_id: str | None = None) -> ClassEmbeddings:
    """Read class embeddings, original or optimised.

    Args:
        path: The file.
        expected_id: Refuse a file of another id; None takes any.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds no class embeddings, is damaged, or has another id.
    """
    with _open(path, expected_id) as file:
        return _embeddings(file, "embeddings")


def read_optimised(path: Path, *, expected_id: str | None = None) -> OptimisedClasses:
    """Read optimised class embeddings with the original ones and the trace.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: As ``read_classes`` does, or if the embeddings are not optimised ones.
    """
    with _open(path, expected_id) as file:
        if file.attrs.get("variant") != "optimised":
            raise ValueError(f"{path} holds original class embeddings, not optimised ones.")
        return OptimisedClasses(
            embeddings=_embeddings(file, "embeddings"),
            original=_embeddings(file, "original"),
            trace=Trace(**{name: file[f"trace/{name}"][:] for name in _SERIES}),
            converged=bool(file.attrs["converged"]),
        )


def _fill(
    file: h5py.File,
    embeddings: ClassEmbeddings,
    variant: Variant,
    id: str,
    options: Mapping[str, Any],
) -> None:
    file.attrs["kind"] = _KIND
    file.attrs["format_version"] = FORMAT_VERSION
    file.attrs["variant"] = variant
    file.attrs["id"] = id
    file.attrs["options"] = json.dumps(dict(options), sort_keys=True)
    file.attrs["notes"] = json.dumps(list(embeddings.notes), ensure_ascii=False)
    file.attrs["origin"] = json.dumps(origin(), sort_keys=True)
    names = np.array(embeddings.names, dtype=object)
    file.create_dataset("names", data=names, dtype=h5py.string_dtype("utf-8"), track_times=False)
    file.create_dataset("embeddings", data=embeddings.vectors, dtype="<f4", track_times=False)
    if embeddings.lengths is not None:
        file.create_dataset("lengths", data=embeddings.lengths, dtype="<f8", track_times=False)


def _embeddings(file: h5py.File, name: str) -> ClassEmbeddings:
    return ClassEmbeddings(
        names=tuple(file["names"].asstr()[:]),
        vectors=file[name][:],
        notes=tuple(json.loads(file.attrs.get("notes", "[]"))),
        lengths=file["lengths"][:] if name == "embeddings" and "lengths" in file else None,
    )


@contextmanager
def _open(path: Path, expected_id: str | None) -> Iterator[h5py.File]:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There are no class embeddings {path}.")
    again = "Delete the file and run the command that makes it again."
    try:
        # Files appear whole and never change, so reading needs no lock.
        file = h5py.File(path, "r", locking=False)
    except PermissionError:
        raise
    except OSError as error:
        raise ValueError(f"{path} is truncated or no HDF5 file ({error}). {again}") from error
    with file:
        found = (file.attrs.get("kind"), file.attrs.get("format_version"))
        if found != (_KIND, FORMAT_VERSION):
            raise ValueError(
                f"{path} is not a file of class embeddings of format version {FORMAT_VERSION}, "
                f"got kind and version {found}."
            )
        if expected_id is not None and file.attrs.get("id") != expected_id:
            raise ValueError(
                f"{path} was made from something else: its id is {file.attrs.get('id')!r}, "
                f"expected was {expected_id!r}. {again}"
            )
        try:
            yield file
        except KeyError as error:
            raise ValueError(f"{path} is damaged: {error.args[0]} {again}") from error
