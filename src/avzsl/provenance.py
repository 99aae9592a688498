"""Short ids of what an output depends on, and files that appear whole or not at all.

Imports nothing heavy: Snakemake calls it on every parse.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from avzsl import __version__


def digest(*things: Any) -> str:
    """Return 16 hexadecimal digits that change when any of the JSON-like ``things`` does."""
    text = json.dumps(things, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def bucket_of(video_id: str, buckets: int) -> int:
    """Return the shard of a clip: a hash of its id, so that a new clip moves no other."""
    word = hashlib.blake2b(video_id.encode(), digest_size=8).digest()
    return int.from_bytes(word, "big") % buckets


def encoder_fingerprint(
    kind: str, revision: int, options: Mapping[str, Any], weights_id: str | None = None
) -> str:
    """Return the id of an encoder: code revision, every option, and content of its weights."""
    return digest("encoder", kind, revision, dict(options), weights_id)


def class_embeddings_id(fingerprint: str, names: Sequence[str], texts: Sequence[str]) -> str:
    """Return the id of class embeddings: text encoder's fingerprint, class names, their texts."""
    return digest("classes", fingerprint, list(zip(names, texts, strict=True)))


@functools.cache
def git_revision() -> str:
    """Return the commit of the source tree, ``+dirty`` if edited, or ``unknown`` outside git."""
    here = Path(__file__).parent
    try:
        run = functools.partial(
            subprocess.run, cwd=here, capture_output=True, text=True, timeout=10, check=True
        )
        commit = run(["git", "rev-parse", "--short=12", "HEAD"]).stdout.strip()
        dirty = run(["git", "status", "--porcelain", "--untracked-files=no", "."]).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return commit + ("+dirty" if dirty else "")


def origin() -> dict[str, str]:
    """Return what wrote a file: versions of package, source tree and the libraries in use."""
    import sys

    versions = {"avzsl": __version__, "git": git_revision(), "python": sys.version.split()[0]}
    for name in ("numpy", "torch", "av", "h5py"):
        module = sys.modules.get(name)
        if module is not None:
            versions[name] = str(getattr(module, "__version__", "unknown"))
    return versions


@contextmanager
def write_aside(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a name beside ``path``; on success flush it to disk and rename it to ``path``.

    A killed or failed writer leaves no file under ``path`` that a reader would accept. The
    partial file of a failed writer is removed, that of a killed one is overwritten next time.

    Raises:
        OSError: If the file cannot be written, with the name of ``path``.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` to ``path`` in one step."""
    with write_aside(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], thing: Any) -> None:
    """Write ``thing`` to ``path`` as indented JSON, in one step."""
    write_text(path, json.dumps(thing, indent=2, ensure_ascii=False) + "\n")
