"""Locks between processes: files that the kernel frees when their holder dies, however it dies."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_log = logging.getLogger(__name__)
_POLL_SECONDS = 0.2
_NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK)


def try_lock(path: Path) -> IO[str] | None:
    """Lock a file if nobody holds it, and return the handle whose closing frees it, else None.

    Raises:
        OSError: If the file cannot be made, or its file system knows no locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        handle = path.open("a", encoding="utf-8")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The last holder removes the file; what was locked may be gone from the folder.
            if _is_still(handle, path):
                return handle
        except BlockingIOError:
            handle.close()
            return None
        except BaseException:
            handle.close()
            raise
        handle.close()


def _is_still(handle: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle.fileno()), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def exclusive(path: Path, *, wait_seconds: float, what: str) -> Iterator[None]:
    """Hold the lock ``path`` for the length of a ``with`` block; the file is gone afterwards.

    Some network file systems are mounted without locks: there a warning is all that happens.

    Args:
        path: The lock file.
        wait_seconds: How long to wait for another holder.
        what: What the lock guards, for the message.

    Raises:
        OSError: If another process holds the lock for longer than that.
    """
    deadline = time.monotonic() + wait_seconds
    handle = _lock_or_warn(path)
    while handle is None:
        if time.monotonic() >= deadline:
            raise OSError(
                f"Another process has been writing {what} for {wait_seconds:g} seconds (it holds "
                f"{path}). Wait until it has ended, or end it, and run the same command again."
            )
        time.sleep(_POLL_SECONDS)
        handle = _lock_or_warn(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        handle.close()


def _lock_or_warn(path: Path) -> IO[str] | None:
    """Lock like ``try_lock``; without locks on the file system, hold the file unlocked."""
    try:
        return try_lock(path)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    _log.warning("No file locks at %s: make sure that no other job writes there.", path.parent)
    return path.open("a", encoding="utf-8")
