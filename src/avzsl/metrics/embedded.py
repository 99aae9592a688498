"""Test clips and classes in the space where a method compares them, and their file (HDF5).

A file without clips says that the method has no such space. Nothing here needs torch.

Shapes: V clips, K candidate classes, D dimensions of the space.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from avzsl.provenance import origin
from avzsl.shards.files import write_hdf5

FORMAT_VERSION = 1
"""Raised whenever a reader of the old version would misread the new one."""

_KIND = "embedded-clips"
_TEXT = h5py.string_dtype("utf-8")


@dataclass(frozen=True, kw_only=True)
class EmbeddedClips:
    """Some test clips of one run."""

    run_id: str
    """The id of everything that the run depends on."""
    class_names: tuple[str, ...]
    """[K] seen classes first."""
    is_seen: tuple[bool, ...]
    """[K]"""
    video_ids: tuple[str, ...]
    """[V]"""
    labels: NDArray[np.int64]
    """[V] place of each clip's class in ``class_names``."""
    clips: NDArray[np.float32] | None
    """[V, D]; None where the method compares in no space."""
    classes: NDArray[np.float32] | None
    """[K, D]; None where classes have no place there."""


def choose_evenly(
    labels_N: NDArray[np.int64], most: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return at most ``most`` clips, ascending: of every class as many, where it has them.

    Args:
        labels_N: Class of each clip.
        most: Clips at most.
        rng: Decides which ones.
    """
    order = rng.permutation(len(labels_N))
    turn_N = np.empty_like(order)
    for label in np.unique(labels_N):
        own = order[labels_N[order] == label]
        turn_N[own] = np.arange(len(own))
    # First one clip of each class, then a second one, and so on; the last turn is cut at random.
    by_turn = order[np.argsort(turn_N[order], kind="stable")]
    return np.sort(by_turn[:most])


def write_embedded(path: Path, embedded: EmbeddedClips) -> None:
    """Write embedded clips in one step; equal content gives equal bytes.

    Raises:
        OSError: If the file cannot be written.
    """

    def fill(file: h5py.File) -> None:
        file.attrs["kind"] = _KIND
        file.attrs["format_version"] = FORMAT_VERSION
        file.attrs["run_id"] = embedded.run_id
        file.attrs["origin"] = json.dumps(origin(), sort_keys=True)
        _write(file, "names", np.array(embedded.class_names, dtype=object), _TEXT)
        _write(file, "is_seen", np.array(embedded.is_seen), "?")
        _write(file, "video_id", np.array(embedded.video_ids, dtype=object), _TEXT)
        _write(file, "labels", embedded.labels, "<i8")
        for name in ("clips", "classes"):
            vectors = getattr(embedded, name)
            if vectors is not None:
                _write(file, name, vectors, "<f4")

    write_hdf5(path, fill)


def _write(file: h5py.File, name: str, values: Any, dtype: Any) -> None:
    file.create_dataset(name, data=values, dtype=dtype, track_times=False)


def read_embedded(path: Path, expected_run_ids: Sequence[str] | None = None) -> EmbeddedClips:
    """Read embedded clips.

    Args:
        path: From ``avzsl evaluate --embeddings``.
        expected_run_ids: Runs that it may be of; None takes any.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is something else, damaged, or of another run.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There are no embedded clips {path}.")
    again = "Make it again with: avzsl evaluate --embeddings"
    try:
        with h5py.File(path, "r", locking=False) as file:
            found = (file.attrs.get("kind"), file.attrs.get("format_version"))
            if found != (_KIND, FORMAT_VERSION):
                raise ValueError(
                    f"{path} is no file of embedded clips of format version {FORMAT_VERSION}, got "
                    f"kind and version {found}. {again}"
                )
            embedded = _read(file)
    except PermissionError:
        raise
    except (OSError, KeyError) as error:
        raise ValueError(f"{path} is damaged or no HDF5 file ({error}). {again}") from error
    if expected_run_ids is not None and embedded.run_id not in expected_run_ids:
        raise ValueError(
            f"{path} is of the run {embedded.run_id}, which is none of those evaluated. {again}"
        )
    return embedded


def _read(file: h5py.File) -> EmbeddedClips:
    return EmbeddedClips(
        run_id=file.attrs["run_id"],
        class_names=tuple(file["names"].asstr()[:]),
        is_seen=tuple(map(bool, file["is_seen"][:])),
        video_ids=tuple(file["video_id"].asstr()[:]),
        labels=file["labels"][:],
        clips=file["clips"][:] if "clips" in file else None,
        classes=file["classes"][:] if "classes" in file else None,
    )
