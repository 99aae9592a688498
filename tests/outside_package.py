"""Installs the package of an example of docs/extending.md, as a user of another package would."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[1] / "docs" / "extending.md"


def example(title: str) -> str:
    """Return the code block whose docstring begins with ``title``."""
    code = re.search(rf'```python\n("""{title}:.*?)```', PAGE.read_text(encoding="utf-8"), re.S)
    assert code, f"docs/extending.md shows {title}"
    return code[1]


def install(title: str, group: str, factory: pytest.TempPathFactory) -> Path:
    """Return a folder that the package was installed into.

    Args:
        title: First word of the module's docstring.
        group: Entry-point group that its pyproject.toml names.
        factory: Makes folders.
    """
    code = example(title)
    module = re.search(r"File: my_package/(\w+)\.py", code)
    page = PAGE.read_text(encoding="utf-8")
    project = re.search(rf"```toml\n# pyproject\.toml\n([^`]*{group}.*?)```", page, re.S)
    assert module and project, "docs/extending.md shows a whole package"
    source = factory.mktemp("source")
    package = source / "my_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / f"{module[1]}.py").write_text(code, encoding="utf-8")
    (source / "pyproject.toml").write_text(project[1], encoding="utf-8")
    site = factory.mktemp("site")
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--quiet"]
    command = [sys.executable, "-m", "pip", "install", *offline, "--target", str(site), str(source)]
    subprocess.run(command, check=True)
    return site
