"""Published hyper-parameters by name, and settings laid over settings."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from avzsl.registry import did_you_mean

PUBLISHED_FILE = Path(__file__).parent / "methods" / "published.toml"


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with the values of ``over`` laid over it, key by key, at every depth."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            merged[key] = merge(old, value)
        else:
            merged[key] = value
    return merged


def with_published(own: Mapping[str, Any], kind: str, where: str) -> dict[str, Any]:
    """Return options with published hyper-parameters under them, where ``published`` names any.

    Args:
        own: Options of a method; ``published`` holds one name such as ``ucf.cls``, or several.
        kind: Of the method.
        where: Place in the file, for messages.

    Raises:
        ValueError: If there are none of that name; the message lists those that there are.
    """
    own = dict(own)
    names = own.pop("published", None) or []
    base: dict[str, Any] = {}
    for name in [names] if isinstance(names, str) else names:
        known = _published_tables().get(kind, {})
        if name not in known:
            raise ValueError(
                f"config.yaml: {where}.published: no hyper-parameters {name!r} of {kind}. "
                f"{did_you_mean(str(name), known)}"
            )
        base = merge(base, known[name])
    return merge(base, own)


def published_options(kind: str, name: str) -> dict[str, Any]:
    """Return published hyper-parameters of a kind of method; none where there are none."""
    return _published_tables().get(kind, {}).get(name, {})


@functools.cache
def _published_tables() -> dict[str, dict[str, dict[str, Any]]]:
    """Return method -> ``dataset.features`` or other name -> options, from ``published.toml``."""
    text = PUBLISHED_FILE.read_text(encoding="utf-8")
    tables: dict[str, dict[str, dict[str, Any]]] = {}
    for kind, entries in tomllib.loads(text).items():
        own = tables.setdefault(kind, {})
        for name, entry in entries.items():
            parts = {key: value for key, value in entry.items() if key in ("main", "cls")}
            own |= {f"{name}.{part}": options for part, options in parts.items()}
            if not parts:
                own[name] = entry
    return tables
