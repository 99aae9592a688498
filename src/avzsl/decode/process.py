"""One decoding worker as its parent sees it: a process, a socket, and memory that both share."""

from __future__ import annotations

import collections
import contextlib
import functools
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from multiprocessing import reduction
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from avzsl.decode.arena import Arena, Parcel, unpack
from avzsl.decode.worker import Answer, Request
from avzsl.types import ClipRef

START_SECONDS = 120.0
"""How long a worker may take to import what it needs; torch from a network drive takes long."""
_PROGRAM = "import sys; from avzsl.decode.worker import main; main(*map(int, sys.argv[1:]))"
_END_SECONDS = 2.0
"""How long a worker may take to end after its socket closed, before it is killed."""


class Worker:
    """A decoding process.

    The thread that makes it must live as long as it: on Linux the kernel kills the process when
    that thread ends (``prctl(2)``, PR_SET_PDEATHSIG).

    Its methods raise OSError or EOFError when the process has ended; ``end`` tells how.

    Args:
        task: The pickled ``DecodeTask``.
        library_path: ``LD_LIBRARY_PATH`` of the process; empty for that of this one.
    """

    def __init__(self, task: bytes, *, library_path: str) -> None:
        ours, theirs = socket.socketpair()
        self.connection = Connection(ours.detach())
        self.ready = False
        """Whether it has started."""
        self.number: int | None = None
        """Number of the clip in hand among all clips."""
        self.deadline = time.monotonic() + START_SECONDS
        """When it must have started or answered, by the clock of ``time.monotonic``."""
        self._arenas: dict[int, Arena] = {}
        self._arena_numbers = itertools.count()
        self._free: list[int] = []
        self._filling = 0
        # Filled by whichever thread drops the last reference to a payload.
        self._released: collections.deque[int] = collections.deque()
        with theirs:
            self._process = subprocess.Popen(
                # -P: a file in the current folder must not take the place of a module.
                [sys.executable, "-P", "-c", _PROGRAM, str(theirs.fileno()), str(os.getpid())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=_environment(library_path),
            )
        # If it has ended already, ``receive`` will tell.
        with contextlib.suppress(OSError):
            self.connection.send_bytes(task)

    @property
    def memory_bytes(self) -> int:
        """Size of the memory that the worker shares with this process, in use or not."""
        return sum(arena.size for arena in self._arenas.values())

    def give(self, number: int, clip: ClipRef, *, timeout_seconds: float, save: bool) -> None:
        """Let the worker decode a clip; it must be ready and have none in hand.

        Args:
            number: Number of the clip, for the caller.
            clip: The clip.
            timeout_seconds: How long it may take.
            save: Whether to give unused memory back to the system rather than to keep it.
        """
        self.number = number
        self.deadline = time.monotonic() + timeout_seconds
        forget = self._collect(save=save)
        new = not self._free
        if new:
            self._free.append(next(self._arena_numbers))
            self._arenas[self._free[0]] = Arena()
        self._filling = self._free.pop()
        self.connection.send(Request(clip, self._filling, new, forget))
        if new:
            descriptor = self._arenas[self._filling].descriptor
            reduction.send_handle(self.connection, descriptor, self._process.pid)

    def receive(self) -> Answer | str:
        """Return what the worker says next: a text once it has started, then one answer a clip.

        The text is empty if all is well.
        """
        message: Answer | str = self.connection.recv()
        return message

    def unpack(self, parcel: Parcel) -> Any:
        """Return the payload of an answer; its memory is used again when nobody refers to it."""
        release = functools.partial(self._released.append, self._filling)
        return unpack(parcel, self._arenas[self._filling], on_release=release)

    def keep_arena(self) -> None:
        """Take back the memory of a clip that gave no payload."""
        self._released.append(self._filling)

    def end(self) -> str:
        """End the process, if it has not ended by itself, and say how it ended."""
        self.connection.close()
        try:
            code = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return "was killed, for it closed its socket but did not end"
        if code >= 0:
            return f"ended with exit code {code}"
        name = next((s.name for s in signal.Signals if s == -code), f"signal {-code}")
        return f"was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")

    def kill(self) -> None:
        """Kill the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        self.connection.close()

    def _collect(self, *, save: bool) -> tuple[int, ...]:
        """Take back released arenas; return the numbers of those that are given up."""
        while self._released:
            self._free.append(self._released.popleft())
        forget = tuple(self._free) if save else ()
        for number in forget:
            del self._arenas[number]
        self._free = [] if save else self._free
        return forget


def _environment(library_path: str) -> dict[str, str]:
    """Return the environment of a worker: it finds the same modules, and uses one thread."""
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        environment[variable] = "1"
    if library_path:
        environment["LD_LIBRARY_PATH"] = library_path
    return environment
