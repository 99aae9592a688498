"""Fixtures and markers that all tests share."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from avzsl.planning import Plan

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture()
def shipped(root: Path) -> dict[str, Any]:
    """The shipped config.yaml, parsed."""
    page: dict[str, Any] = yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))
    return page


@pytest.fixture()
def make_plan(root: Path, tmp_path: Path) -> Callable[[dict[str, Any]], Plan]:
    """What makes the plan of a parsed config.yaml, in a folder of its own."""
    from avzsl.config import load_config
    from avzsl.planning import Plan

    schema = root / "workflow" / "schemas" / "config.schema.json"
    return lambda raw: Plan(load_config(copy.deepcopy(raw), schema), tmp_path)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real clips and the published split files; skips where it is absent."""
    path = Path(os.environ.get("AVZSL_SHARED", ROOT.parent / "shared"))
    if not (path / "media").is_dir():
        pytest.skip(f"no shared test material at {path} (set AVZSL_SHARED to its place)")
    return path


@pytest.fixture(scope="session")
def media(shared: Path) -> Path:
    """The folder with real clips."""
    return shared / "media"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip GPU tests on a machine without one, unless one was promised."""
    marked = [item for item in items if item.get_closest_marker("needs_cuda")]
    if not marked or os.environ.get("AVZSL_REQUIRE_CUDA") == "1":
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
