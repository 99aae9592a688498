"""How commands log: everything into a file where one is named, warnings also to the terminal."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def set_up(log_file: str | None) -> None:
    """Send log records of the package to ``log_file`` and, from warnings up, to stderr.

    Without a file everything goes to stderr.
    """
    package = logging.getLogger("avzsl")
    package.setLevel(logging.INFO)
    package.handlers.clear()
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setFormatter(logging.Formatter("%(message)s"))
    package.addHandler(terminal)
    if log_file is None:
        return
    terminal.setLevel(logging.WARNING)
    Path(log_file).parent.mkdir(parents=True, exist_ok=True)
    file = logging.FileHandler(log_file, mode="w", encoding="utf-8")
    file.setFormatter(logging.Formatter(FORMAT))
    package.addHandler(file)
