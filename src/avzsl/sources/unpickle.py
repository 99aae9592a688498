"""Read published ``.npy`` and ``.pkl`` files without running what they hold.

A pickle can name any function of any package and have it called. Published class vectors and
feature files need none: here only numpy arrays, numbers and Python's own containers are made, and
anything else is refused by name.
"""

from __future__ import annotations

import collections
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

_ARRAY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")
_NUMERIC_MODULES = ("numpy.core.numeric", "numpy._core.numeric")


def _latin1(text: str, encoding: str) -> bytes:
    """Stand in for ``codecs.encode``, by which Python 2's byte strings are stored."""
    if encoding not in ("latin1", "latin-1", "bytes"):
        raise pickle.UnpicklingError(f"holds text in the encoding {encoding!r}")
    return text.encode("latin1")


def _allowed() -> dict[tuple[str, str], Callable[..., Any]]:
    from numpy._core.multiarray import _reconstruct, scalar
    from numpy._core.numeric import _frombuffer  # type: ignore[attr-defined]

    allowed: dict[tuple[str, str], Callable[..., Any]] = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("_codecs", "encode"): _latin1,
    }
    allowed |= {(module, "_reconstruct"): _reconstruct for module in _ARRAY_MODULES}
    allowed |= {(module, "scalar"): scalar for module in _ARRAY_MODULES}
    allowed |= {(module, "_frombuffer"): _frombuffer for module in _NUMERIC_MODULES}
    for kind in (set, frozenset, bytes, bytearray, complex):
        # Python 2 called its builtins by another name.
        allowed |= {(module, kind.__name__): kind for module in ("builtins", "__builtin__")}
    return allowed


class _Unpickler(pickle.Unpickler):
    """Makes what ``_allowed`` lists and nothing else."""

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        """Return what a pickle asks for by name.

        Raises:
            UnpicklingError: If that is not on the list.
        """
        found = _allowed().get((module, name))
        if found is None:
            raise pickle.UnpicklingError(f"holds {module}.{name}")
        return found


def read_published(path: Path) -> Any:
    """Return what a ``.npy`` or a pickle holds: arrays, numbers, text and containers of them.

    An array of one object, as ``numpy.save`` makes of a dict, is returned as that object. Text of
    Python 2 is read as Latin-1.

    Raises:
        ValueError: If the file is damaged, or holds anything else, which is not made.
        OSError: If it cannot be read.
    """
    with path.open("rb") as file:
        try:
            held = _read_npy(file) if path.suffix == ".npy" else _load(file)
        except (pickle.UnpicklingError, EOFError, LookupError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path}: {error or 'ends too early'}. Only numpy arrays, numbers, text and "
                "containers of them are read from such a file."
            ) from None
        except (AttributeError, ImportError, MemoryError, OverflowError) as error:
            raise ValueError(f"{path}: damaged ({error}).") from None
    if isinstance(held, np.ndarray) and held.dtype == object and held.ndim == 0:
        return held.item()
    return held


def _load(file: IO[bytes]) -> Any:
    return _Unpickler(file, encoding="latin1").load()


def _read_npy(file: IO[bytes]) -> Any:
    """Return the array of a ``.npy``, whose objects are a pickle behind the header."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0
    if version != (1, 0):
        read = np.lib.format.read_array_header_2_0
    _, _, kind = read(file)
    if kind.hasobject:
        return _load(file)
    file.seek(0)
    return np.load(file, allow_pickle=False)
