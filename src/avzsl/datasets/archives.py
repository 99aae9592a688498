"""Class files of published archives of features, in both layouts: read and written.

A class file holds the clips of one class in one stage; the tree around it is described in
``avzsl.encoders.published``.

Shapes: n clips of the file, T windows of a clip, D values a feature.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from avzsl.encoders.published import Layout
from avzsl.provenance import write_aside
from avzsl.sources.unpickle import read_published

Clip = tuple[str, NDArray[np.float32]]
"""Id of a clip, and its features [T, D]."""

_FPS = 25
"""Frames a second that TCaF's videos were brought to; its loader asks for it and never uses it."""


def read_class_file(path: Path, layout: Layout) -> list[Clip]:
    """Return the clips of a class file; the features of AVCA's have T = 1.

    Raises:
        ValueError: If the file is damaged or holds something else.
        OSError: If it cannot be read.
    """
    ids, features = _read_hdf5(path) if layout == "avca" else _read_pickle(path)
    if len(ids) != len(features):
        raise ValueError(f"{path}: {len(ids)} names for the features of {len(features)} clips.")
    return [
        (_as_id(path, name), _as_matrix(path, own)) for name, own in zip(ids, features, strict=True)
    ]


def _read_hdf5(path: Path) -> tuple[Sequence[Any], Sequence[Any]]:
    try:
        with h5py.File(path, "r", locking=False) as file:
            return file["video_urls"][:].tolist(), file["data"][:]
    except PermissionError:
        raise
    except (OSError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(
            f"{path}: expected an HDF5 file with 'data' [n, D] and 'video_urls' [n] ({error})."
        ) from None


def _read_pickle(path: Path) -> tuple[Sequence[Any], Sequence[Any]]:
    held = read_published(path)
    try:
        return list(held["video_names"]), list(held["features"])
    except (KeyError, TypeError, IndexError):
        keys = f"the keys {', '.join(map(str, held))}" if isinstance(held, dict) else type(held)
        raise ValueError(
            f"{path}: expected a dict with 'features' and 'video_names', got {keys}."
        ) from None


def _as_id(path: Path, name: Any) -> str:
    """Return an id as text; TCaF's loader spells bytes as Python prints them, ``b'...'``."""
    if isinstance(name, bytes):
        return name.decode("utf-8")
    if not isinstance(name, str) or not name:
        raise ValueError(f"{path}: the name of a clip is {name!r}; expected text.")
    return name[2:-1] if name.startswith(("b'", 'b"')) and name[-1] == name[1] else name


def _as_matrix(path: Path, features: Any) -> NDArray[np.float32]:
    array = np.asarray(features)
    if array.dtype.kind not in "fiu" or array.ndim not in (1, 2):
        raise ValueError(
            f"{path}: the features of a clip are {array.dtype} {array.shape}; expected numbers "
            "[D] or [T, D]."
        )
    return np.atleast_2d(array).astype(np.float32)


def write_class_file(path: Path, layout: Layout, clips: Sequence[Clip]) -> None:
    """Write the clips of one class and stage; averaged over their windows in AVCA's layout.

    Raises:
        OSError: If the file cannot be written.
    """
    with write_aside(path) as partial:
        if layout == "avca":
            with h5py.File(partial, "w") as file:
                means = [features.mean(axis=0, dtype=np.float64) for _, features in clips]
                names = [video_id.encode() for video_id, _ in clips]
                file.create_dataset("data", data=np.array(means, np.float32), track_times=False)
                file.create_dataset("video_urls", data=np.array(names), track_times=False)
        else:
            with partial.open("wb") as file:
                _ArrayPickler(file, protocol=4).dump(
                    {
                        "features": [features for _, features in clips],
                        "video_names": [video_id.encode() for video_id, _ in clips],
                        "fps": [_FPS] * len(clips),
                    }
                )


class _ArrayPickler(pickle.Pickler):
    """Writes arrays so that any version of numpy reads them.

    Its own way names a private module, which numpy 2 has under another name than the numpy 1.20
    that the released code asks for.
    """

    def reducer_override(self, obj: Any) -> Any:
        """Return how to make an array again: ``numpy.ndarray(shape, type, bytes)``."""
        if isinstance(obj, np.ndarray):
            return np.ndarray, (obj.shape, "<f4", obj.astype("<f4").tobytes())
        return NotImplemented
