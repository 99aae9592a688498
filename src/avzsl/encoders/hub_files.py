"""Small files of a folder of Hugging Face."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_json(path: Path) -> dict[str, Any]:
    """Return what a JSON file holds.

    Raises:
        ValueError: If it is no JSON, or no table of names and values.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # of the encoding, too
        raise ValueError(f"{path}: not a JSON file, or damaged ({error}).") from None
    if not isinstance(told, dict):
        raise ValueError(f"{path}: expected names with values, got {type(told).__name__}.")
    return told
