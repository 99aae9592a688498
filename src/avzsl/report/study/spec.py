"""What the table of a study shows: its rows, and which files each stands for."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avzsl.registry import did_you_mean


@dataclass(frozen=True, kw_only=True)
class SpecRow:
    """One row: a variant on a dataset and a feature set."""

    label: str
    dataset: str
    benchmark: str | None = None
    """Whose published numbers stand beside it; None for one's own data."""
    features: str = ""
    method: str = ""
    published: str | None = None
    """Id of a published row, see ``published.published_rows``."""
    runs: int = 0
    """How many of the evaluations are its seeds."""
    classes: str | None = None
    """Summary of the class-embedding optimisation; None where embeddings are the original ones."""
    encoder: str = ""
    """The text encoder."""


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A study."""

    study: str
    title: str = ""
    caption: str = ""
    rows: tuple[SpecRow, ...]
    run_ids: tuple[str, ...] | None = None
    """The id that each evaluation must have; None takes any."""


def read_spec(source: str) -> Spec:
    """Read a study's description.

    Args:
        source: JSON, or the path of a JSON file.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it describes no study.
    """
    where = "--spec"
    text = source
    if not source.lstrip().startswith("{"):
        where, text = source, Path(source).read_text(encoding="utf-8")
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where} is no JSON: {error}.") from None
    values = _checked(found, Spec, where)
    rows = values["rows"]
    if not isinstance(rows, list) or not rows:
        raise ValueError(f"{where}: rows must be a list of at least one row, got {rows!r}.")
    made = tuple(
        SpecRow(**_checked(row, SpecRow, f"{where}: row {i}")) for i, row in enumerate(rows)
    )
    keys = [(row.label, row.dataset, row.features) for row in made]
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"{where}: label, dataset and features {twice} stand twice.")
    run_ids = values.get("run_ids")
    return Spec(**values | {"rows": made, "run_ids": None if run_ids is None else tuple(run_ids)})


def _checked(found: Any, record: type, where: str) -> dict[str, Any]:
    fields = {field.name: field for field in dataclasses.fields(record)}
    if not isinstance(found, Mapping):
        raise ValueError(f"{where} must be an object with {', '.join(fields)}, got {found!r:.60}.")
    for key in found:
        if key not in fields:
            raise ValueError(f"{where} has no key {key!r}. {did_you_mean(str(key), fields)}")
    for name, field in fields.items():
        if field.default is dataclasses.MISSING and name not in found:
            raise ValueError(f"{where} lacks {name!r}; it has {', '.join(found) or 'nothing'}.")
    return dict(found)
