"""Changed code needs a raised revision, or results of old code would pass for those of new code.

Results are found again by ids that hold a method's ``revision`` and ``TRAINING_REVISION``.
To set the lock anew after a change: ``python tests/test_methods_revisions.py --refresh``.
"""

import ast
import sys
from pathlib import Path

import pytest
from code_lock import Lock, code_hash, complaint, read_locks, write_locks

from avzsl.methods.base import methods
from avzsl.training.protocol import TRAINING_REVISION

LOCKS = Path(__file__).with_name("method_revisions.json")
COMMAND = "python tests/test_methods_revisions.py --refresh"
SRC = Path(__file__).resolve().parents[1] / "src" / "avzsl"
TRAINING = sorted(
    SRC / f"{name}.py"
    for name in (
        *("datasets/batches", "datasets/features", "seeding"),
        *("metrics/accuracy", "metrics/calibration", "metrics/plateaus", "metrics/winners"),
        *("training/clips", "training/feeding", "training/loop", "training/optim"),
        *("training/scoring", "training/stages"),
    )
)
"""What a training run depends on, whatever the method."""


def files_of(module: Path) -> set[Path]:
    """Return a module and all of ``methods`` and ``losses`` that it needs, but for the contract."""
    found = {module}
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        name = node.module if isinstance(node, ast.ImportFrom) else None
        path = SRC.parent / f"{(name or '').replace('.', '/')}.py"
        if path.parent.name in ("methods", "losses") and path.name != "base.py" and path.is_file():
            found |= files_of(path)
    return found


def current_locks() -> dict[str, Lock]:
    locks = {"training": Lock(revision=TRAINING_REVISION, code=code_hash(TRAINING))}
    for kind in methods.names():
        cls = methods.get(kind)
        if cls.__module__.startswith("avzsl.methods."):
            module = SRC / "methods" / f"{cls.__module__.rpartition('.')[2]}.py"
            locks[kind] = Lock(revision=cls.revision, code=code_hash(sorted(files_of(module))))
    return locks


@pytest.mark.parametrize("name", sorted(current_locks()))
def test_code_is_locked_to_its_revision(name):
    wrong = complaint(name, locked=read_locks(LOCKS), now=current_locks()[name], command=COMMAND)
    assert wrong is None, wrong


def test_lock_names_no_method_that_is_gone():
    assert set(read_locks(LOCKS)) == set(current_locks()), COMMAND


def test_shared_parts_belong_to_the_code_of_a_method():
    names = {path.name for path in files_of(SRC / "methods" / "ez_avgzl.py")}
    assert {"ez_avgzl.py", "blocks.py", "similarity.py", "contrastive.py", "shapes.py"} <= names


if __name__ == "__main__" and "--refresh" in sys.argv:
    write_locks(LOCKS, current_locks())
