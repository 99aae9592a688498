"""SHA-256 of large files, computed once for each size and time of a file."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

from avzsl.provenance import write_json

CACHE_NAME = ".sha256.json"
"""Kept in the folder of weights: path -> [size, time in ns, hash]."""


def file_sha256(path: Path, *, cache_folder: Path) -> str:
    """Return the hash of a file in hexadecimal.

    A hash is kept in ``cache_folder`` and taken from there while size and time of the file are the
    same; where the folder cannot be written, it is computed each time.

    Raises:
        OSError: If the file cannot be read.
    """
    path = path.resolve()
    stat = path.stat()
    stamp = [stat.st_size, stat.st_mtime_ns]
    cache = _read(cache_folder / CACHE_NAME)
    known = cache.get(str(path))
    if known is not None and known[:2] == stamp:
        return str(known[2])
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    with contextlib.suppress(OSError):
        # Read again: another process may have added to it while this one computed.
        cache = _read(cache_folder / CACHE_NAME) | {str(path): [*stamp, found]}
        write_json(cache_folder / CACHE_NAME, cache)
    return found


def _read(path: Path) -> dict[str, list]:
    try:
        cache = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return cache if isinstance(cache, dict) else {}
