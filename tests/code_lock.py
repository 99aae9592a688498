"""Ties code to a revision number: what changes results must raise it.

A hash is taken of the code as Python reads it: comments, docstrings and layout do not count.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypedDict


class Lock(TypedDict):
    """What was true when the revision was set."""

    revision: int
    code: str


def code_hash(files: Iterable[Path]) -> str:
    """Return a hash of the code in ``files``."""
    trees = [[path.name, _plain(ast.parse(path.read_text(encoding="utf-8")))] for path in files]
    return hashlib.sha256(json.dumps(trees).encode()).hexdigest()[:16]


def _plain(node: object) -> object:
    """Return a tree as nested lists; fields that are empty are left out.

    Unlike ``ast.dump``, the result does not change with the version of Python.
    """
    if isinstance(node, ast.AST):
        fields = [[name, _plain(value)] for name, value in ast.iter_fields(node)]
        return [type(node).__name__, [field for field in fields if field[1] not in (None, [])]]
    if isinstance(node, list):
        return [_plain(item) for item in node if not _is_docstring(item)]
    return node if node is None or isinstance(node, (str, int)) else repr(node)


def _is_docstring(node: object) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def with_imports(module: Path, *, shared: Iterable[str]) -> list[Path]:
    """Return a module and all modules of its package that it imports, however far, sorted.

    Args:
        module: A file of a package of avzsl, such as ``avzsl/encoders/dino.py``.
        shared: Names of modules that are left out.
    """
    package = module.parent
    prefix = f"avzsl.{package.name}."
    found, todo = set(), [module]
    while todo:
        path = todo.pop()
        if path in found or path.stem in shared or not path.is_file():
            continue
        found.add(path)
        names = {n for node in ast.walk(ast.parse(path.read_text())) for n in _imported(node)}
        below = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
        todo += [package.joinpath(*name.split(".")).with_suffix(".py") for name in below]
    return sorted(found)


def _imported(node: ast.AST) -> list[str]:
    """Return the full names that a statement imports and that could be modules."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def complaint(name: str, *, locked: Mapping[str, Lock], now: Lock, command: str) -> str | None:
    """Return what is wrong, or None where code and revision agree with the lock."""
    was = locked.get(name)
    if was == now:
        return None
    if was is None:
        return f"{name} is not locked yet. Run: {command}"
    if was["code"] != now["code"] and was["revision"] == now["revision"]:
        return (
            f"The code of {name} has changed. If what comes out can change, raise its revision "
            f"({now['revision']}); then, or if it cannot, refresh the lock: {command}"
        )
    return (
        f"The revision of {name} went from {was['revision']} to {now['revision']}. Run: {command}"
    )


def read_locks(path: Path) -> dict[str, Lock]:
    """Return the stored locks; none where there is no file."""
    if not path.is_file():
        return {}
    locks: dict[str, Lock] = json.loads(path.read_text(encoding="utf-8"))
    return locks


def write_locks(path: Path, locks: Mapping[str, Lock]) -> None:
    """Store locks, sorted by name."""
    path.write_text(json.dumps(locks, indent=2, sort_keys=True) + "\n", encoding="utf-8")
