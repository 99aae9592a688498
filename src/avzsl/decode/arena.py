"""Memory that a worker fills and the parent reads, without a copy in between.

An arena is a file that has no name and lives in memory. The parent makes it and hands its
descriptor to a worker through a socket; both map it. It serves clip after clip, since what costs
is not copying but touching fresh pages. The kernel frees it when the last process that has it
open ends, however that ends, so nothing can leak.

    worker   array ──copy──► arena ─ ─ ─ same pages ─ ─ ─► arena ──view──► array   parent

Pickle (protocol 5) keeps arrays out of its stream; only the small rest travels through the socket.
"""

from __future__ import annotations

import mmap
import os
import pickle
import tempfile
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_ALIGN = 64
"""Bytes; the size of a cache line, and more than any data type asks for."""
_STEP = 1 << 20
"""Arenas grow by whole megabytes, so that clips of nearly the same size do not grow them again."""


class Parcel(NamedTuple):
    """A pickled object whose arrays lie in an arena."""

    head: bytes
    """The pickle without its arrays."""
    places: list[tuple[int, int]]
    """Offset and size of each array in the arena."""
    size: int
    """Bytes that are used in the arena."""


class Arena:
    """Growing shared memory behind a file descriptor, which it owns.

    Args:
        descriptor: Of an arena that another process made; None makes a new one.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self.descriptor = _nameless_file() if descriptor is None else descriptor
        self._map: mmap.mmap | None = None

    def __del__(self) -> None:
        # What is mapped stays valid until the arrays in it are gone.
        os.close(self.descriptor)

    @property
    def size(self) -> int:
        """Bytes of memory that it takes, used or not."""
        return 0 if self._map is None else len(self._map)

    def view(self, size: int) -> NDArray[np.uint8]:
        """Return the first ``size`` bytes, growing the arena if need be."""
        if self._map is None or size > len(self._map):
            whole = max(os.fstat(self.descriptor).st_size, -(-size // _STEP) * _STEP)
            os.ftruncate(self.descriptor, whole)
            self._map = mmap.mmap(self.descriptor, whole)
        return np.frombuffer(self._map, np.uint8, size)


def pack(thing: Any, arena: Arena) -> Parcel:
    """Pickle ``thing`` with its arrays copied into ``arena``."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(thing, protocol=5, buffer_callback=buffers.append)
    raw = [buffer.raw() for buffer in buffers]
    places, size = [], 0
    for part in raw:
        places.append((size, part.nbytes))
        size += -(-part.nbytes // _ALIGN) * _ALIGN
    if size:
        room = arena.view(size).data
        for part, (offset, length) in zip(raw, places, strict=True):
            room[offset : offset + length] = part
    return Parcel(head, places, size)


def unpack(parcel: Parcel, arena: Arena, *, on_release: Callable[[], object]) -> Any:
    """Rebuild what was packed; its arrays are views into ``arena``.

    Args:
        parcel: From ``pack``, in another process.
        arena: The same arena.
        on_release: Called once, from any thread, when nothing refers to the arrays any more.
    """
    if not parcel.size:
        on_release()
        return pickle.loads(parcel.head, buffers=[bytearray() for _ in parcel.places])
    room = arena.view(parcel.size)
    weakref.finalize(room, on_release).atexit = False
    buffers = [room[offset : offset + length] for offset, length in parcel.places]
    return pickle.loads(parcel.head, buffers=buffers)


def _nameless_file() -> int:
    """Return the descriptor of a file in memory, or on disk where the system lacks the former."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("avzsl-decoded", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
