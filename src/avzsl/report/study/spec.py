"""What the table of a study shows: its rows, and which files each stands for."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avzsl.classes.summary import ClassSummary, read_summary
from avzsl.registry import did_you_mean

NAMES = ("study", "label", "dataset", "features")
"""First columns of all tables of studies; together they name a row."""


@dataclass(frozen=True, kw_only=True)
class SpecRow:
    """One row: a variant on a dataset and a feature set."""

    label: str
    dataset: str
    benchmark: str | None = None
    """Whose published numbers stand beside it; None for one's own data."""
    split: str | None = None
    """Of the benchmark, ``main`` or ``cls``: numbers of the other one do not stand beside it. None
    takes those of either."""
    features: str = ""
    method: str = ""
    published: str | None = None
    """Id of a published row, see ``published.published_rows``."""
    runs: int = 0
    """How many of the evaluations are its seeds."""
    classes: str | None = None
    """Summary of the class-embedding optimisation; None where embeddings are the original ones."""
    classes_id: str | None = None
    """Id that the summary must have; None takes any."""
    encoder: str = ""
    """The text encoder."""

    def summary(self) -> ClassSummary | None:
        """Return the summary of the class-embedding optimisation; None where there was none.

        Raises:
            OSError: If it cannot be read.
            ValueError: If the file is no summary, or that of other embeddings.
        """
        return None if self.classes is None else read_summary(Path(self.classes), self.classes_id)


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A study."""

    study: str
    title: str = ""
    caption: str = ""
    rows: tuple[SpecRow, ...]
    run_ids: tuple[str, ...] | None = None
    """The id that each evaluation must have; None takes any."""

    def named(self, row: SpecRow) -> dict[str, str]:
        """Return the columns ``NAMES`` of a row."""
        return {"study": self.study, **{name: getattr(row, name) for name in NAMES[1:]}}

    def optimising(self) -> list[SpecRow]:
        """Return the rows that optimise their class embeddings.

        Raises:
            ValueError: If none does.
        """
        found = [row for row in self.rows if row.classes is not None]
        if not found:
            raise ValueError(
                f"No row of {self.study} optimises its class embeddings: all have 'classes': null. "
                "A table of classes or neighbours wants one that does."
            )
        return found


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
        raise ValueError(
            f"{where}: rows of {values['study']} must be a list of at least one row, got {rows!r}. "
            "A study of neighbours has those variants that optimise their class embeddings; one "
            "must."
        )
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
