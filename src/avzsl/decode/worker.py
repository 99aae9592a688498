"""A decoding worker: a process of its own that may hang or crash without harm.

Started by ``process``. All it shares with its parent is a socket and the memory that comes through
it. It imports no torch unless the decoder does.
"""

from __future__ import annotations

import ctypes
import logging
import os
import pickle
import signal
import sys
import time
import traceback
from multiprocessing import reduction
from multiprocessing.connection import Connection
from typing import Literal, NamedTuple

from avzsl.decode.arena import Arena, Parcel, pack
from avzsl.decode.errors import DecodeError, NoStream, TooShort
from avzsl.decode.task import DecodeTask
from avzsl.decode.video import load_backend
from avzsl.types import ClipRef

_log = logging.getLogger(__name__)
_PR_SET_PDEATHSIG = 1
"""From <linux/prctl.h>."""


class Request(NamedTuple):
    """One clip to decode."""

    clip: ClipRef
    arena: int
    """Number of the arena to put the payload into."""
    new: bool
    """Whether the arena's descriptor follows."""
    forget: tuple[int, ...]
    """Arenas that will not be used again."""


class Problem(NamedTuple):
    """Why a clip has no payload."""

    stage: Literal["missing", "no-stream", "too-short", "decode"]
    reason: str


class Answer(NamedTuple):
    """What became of a clip."""

    seconds: float
    """How long it took."""
    result: Parcel | Problem


def main(descriptor: int, parent: int) -> None:
    """Decode what comes through the socket until it is closed."""
    _die_with(parent)
    # Ctrl-C goes to the whole group; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = Connection(descriptor)
    try:
        task: DecodeTask = pickle.loads(connection.recv_bytes())
        if task.modality == "visual":
            load_backend(task.decoder)
        connection.send("")
    except EOFError:
        return
    except Exception:
        connection.send(traceback.format_exc())
        return
    arenas: dict[int, Arena] = {}
    while True:
        try:
            request: Request = connection.recv()
            for number in request.forget:
                del arenas[number]
            if request.new:
                arenas[request.arena] = Arena(reduction.recv_handle(connection))
        except EOFError:
            return
        connection.send(_answer(task, request.clip, arenas[request.arena]))


def _answer(task: DecodeTask, clip: ClipRef, arena: Arena) -> Answer:
    """Decode a clip and say how it went."""
    begin = time.perf_counter()
    try:
        result: Parcel | Problem = pack(task.read(clip, task), arena)
    except Exception as error:
        result = _problem(clip, error)
    return Answer(time.perf_counter() - begin, result)


def _problem(clip: ClipRef, error: Exception) -> Problem:
    """Say in one line why a clip cannot be decoded."""
    text = " ".join(str(error).split())
    if isinstance(error, NoStream):
        return Problem("no-stream", text)
    if isinstance(error, TooShort):
        return Problem("too-short", text)
    if isinstance(error, FileNotFoundError):
        return Problem("missing", text)
    if isinstance(error, DecodeError):
        return Problem("decode", text)
    if isinstance(error, MemoryError):
        return Problem("decode", f"{clip.path}: not enough memory to decode it.")
    # Not foreseen: the log shows where.
    _log.error("%s", clip.path, exc_info=error)
    return Problem("decode", f"{clip.path}: {type(error).__name__}: {text}")


def _die_with(parent: int) -> None:
    """Ask the kernel to kill this process when the one that started it ends, however it ends.

    Where the system cannot (macOS), the closed socket ends the worker after its current clip.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("The parent ended while its worker started.")
