"""Which device a job computes on, and why: one line for the log."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

from avzsl.locks import try_lock

if TYPE_CHECKING:
    import torch

_log = logging.getLogger(__name__)
_POLL_SECONDS = 1.0
_LOG_SECONDS = 60.0

_held: dict[int, IO[str]] = {}
"""Locks of the GPUs that this process has taken; freed when it ends."""


def choose_device(name: str) -> tuple[torch.device, str]:
    """Return the device to compute on, and the reason in words.

    A GPU that is not named is taken by a file lock, which the process keeps until it ends, so
    that two jobs of one user never share a GPU unawares; where all are taken the job waits. Where
    a scheduler has set ``CUDA_VISIBLE_DEVICES``, its choice stands and nothing is locked.

    Args:
        name: ``auto``, ``cpu``, ``cuda`` (any) or ``cuda:1`` (that one, not locked).

    Raises:
        ValueError: If the name is another, or asks for a CUDA device that is not there.
    """
    import torch

    base, _, number = name.partition(":")
    if base not in ("auto", "cpu", "cuda") or (number and (base != "cuda" or not number.isdigit())):
        raise ValueError(f"device must be auto, cpu, cuda or cuda:<number>, got {name!r}.")
    if base == "cpu":
        return torch.device("cpu"), "the CPU was asked for"
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0:
        why = _why_no_cuda(torch.version.cuda)
        if base == "cuda":
            raise ValueError(f"device {name!r} was asked for, but {why}. Use device auto or cpu.")
        return torch.device("cpu"), why
    index, reason = _choose_gpu(number, count)
    torch.cuda.set_device(index)
    return torch.device("cuda", index), f"{torch.cuda.get_device_name(index)}, {reason}"


def _why_no_cuda(built_for: str | None) -> str:
    if built_for is None:
        return "this build of torch has no CUDA"
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        return "CUDA_VISIBLE_DEVICES is empty"
    return f"torch is built for CUDA {built_for} and finds no device that it can use"


def _choose_gpu(number: str, count: int) -> tuple[int, str]:
    if number:
        if int(number) >= count:
            raise ValueError(
                f"device 'cuda:{number}' was asked for, but there are {count} CUDA devices, "
                f"numbered from 0."
            )
        return int(number), "asked for by its number"
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible:
        return 0, f"first of CUDA_VISIBLE_DEVICES={visible}"
    return _take_gpu(count, Path(tempfile.gettempdir()) / f"avzsl-{os.getuid()}")


def _take_gpu(count: int, folder: Path) -> tuple[int, str]:
    """Lock the first GPU that no other process of this user holds; wait where all are held."""
    if _held:
        index = min(_held)
        return index, "taken before by this process"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    started = say_at = time.monotonic()
    while True:
        for index in range(count):
            handle = try_lock(folder / f"gpu{index}.lock")
            if handle is not None:
                _held[index] = handle
                waited = time.monotonic() - started
                return index, f"free of {count} after {waited:.0f} s" if waited >= 1 else "free"
        if time.monotonic() >= say_at:
            _log.warning(
                "All %d GPUs are taken by other jobs (locks in %s); waiting.", count, folder
            )
            say_at += _LOG_SECONDS
        time.sleep(_POLL_SECONDS)
