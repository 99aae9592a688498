"""Fixtures and markers that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


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
