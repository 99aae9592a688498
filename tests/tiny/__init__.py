"""Tiny checkpoints in the published layouts, made when a test asks for them.

Each module of this package has ``write(folder) -> {kind: options}``: it writes checkpoints of
random tensors and returns, by kind of encoder, the options that use them.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
import tempfile
from pathlib import Path
from typing import Any

_KEPT: list[tempfile.TemporaryDirectory] = []


@functools.cache
def all_tiny_options() -> dict[str, dict[str, Any]]:
    """Return kind -> options, for every encoder with weights; made once a test process."""
    holder = tempfile.TemporaryDirectory(prefix="avzsl-tiny-")
    _KEPT.append(holder)  # deleted when the process ends
    made: dict[str, dict[str, Any]] = {}
    for module in pkgutil.iter_modules(__path__):
        folder = Path(holder.name) / module.name
        folder.mkdir()
        made |= importlib.import_module(f"{__name__}.{module.name}").write(folder)
    return made


def tiny_options(kind: str) -> dict[str, Any]:
    """Return the options of one kind; empty where it has no weights."""
    return all_tiny_options().get(kind, {})
