"""Descriptions of classes: the files that hold them, and which description is whose.

A file is a CSV with the columns ``name``, ``description_1`` (what it is), ``description_2`` (how it
looks) and ``description_3`` (how it sounds), in any order; further columns are left alone. Those
that were published with KDA come with ``avzsl fetch splits``; ``avzsl describe`` writes others.

Names are joined as they are, then without regard to capitals, blanks, underscores and
``CamelCase``. Beside the published files lie the benchmarks' tables of original and readable class
names: there a class may be called either.
"""

from __future__ import annotations

import csv
import difflib
import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from avzsl.encoders.prompts import split_name
from avzsl.sources.checkpoint import MissingWeightsError

COLUMNS = ("name", "description_1", "description_2", "description_3")
PARTS = ("name", "d1", "d2", "d3")
"""What the columns are called in options."""
PUBLISHED = "descriptions"
"""Folder of the published files, below the folder of splits."""

Row = tuple[str, str, str, str]
"""Name and the three descriptions of a class; a description may be empty."""


@dataclass(frozen=True)
class Descriptions:
    """What one file holds."""

    path: Path
    rows: tuple[Row, ...]
    """In the order of the file."""
    readable: dict[str, str] = field(default_factory=dict)
    """Original -> readable name of a benchmark's classes; empty where no such table is there."""

    def by_name(self, name: str) -> Row | None:
        """Return the row of a class, None if there is none.

        Raises:
            ValueError: If several rows may be meant, and they differ.
        """
        for index, key in zip(self._indices, (name, fold(name)), strict=True):
            found = index.get(key, [])
            if len({row[1:] for row in found}) > 1:
                raise ValueError(
                    f"{self.path} describes {name!r} in {len(found)} rows, and they differ; "
                    "keep one of them."
                )
            if found:
                return found[0]
        return None

    def by_class_id(self, name: str) -> Row | None:
        """Return the row at the place of a class among the *sorted original* names.

        None where it is no class of the benchmark, or the file not one of a benchmark.
        """
        place = self._class_ids.get(fold(name))
        return None if place is None else self.rows[place]

    @property
    def has_class_ids(self) -> bool:
        """Whether the file is a benchmark's, with a row for each of its classes."""
        return 0 < len(self.readable) == len(self.rows)

    @functools.cached_property
    def _class_ids(self) -> dict[str, int]:
        """Return place of each class, by either of its names."""
        originals = sorted(self.readable) if self.has_class_ids else []
        places = {fold(self.readable[name]): place for place, name in enumerate(originals)}
        return places | {fold(name): place for place, name in enumerate(originals)}

    @functools.cached_property
    def _indices(self) -> tuple[dict[str, list[Row]], dict[str, list[Row]]]:
        """Return the rows by name as written, and folded; original names lead there as well."""
        exact: dict[str, list[Row]] = {}
        folded: dict[str, list[Row]] = {}
        for row in self.rows:
            exact.setdefault(row[0], []).append(row)
            folded.setdefault(fold(row[0]), []).append(row)
        for original, readable in self.readable.items():
            exact.setdefault(original, folded.get(fold(readable), []))
            folded.setdefault(fold(original), folded.get(fold(readable), []))
        return exact, folded


def fold(name: str) -> str:
    """Return what two spellings of a class name have in common."""
    return split_name(name).replace(" ", "").casefold()


def description_files(place: str) -> list[Path]:
    """Return the files that an option names: one file, or all of a folder.

    Raises:
        MissingWeightsError: If there is none.
    """
    path = Path(place).expanduser()
    found = [path] if path.is_file() else sorted((path / PUBLISHED).glob("*.csv"))
    found = found or sorted(path.glob("*.csv"))
    if not found:
        raise MissingWeightsError(
            f"descriptions: there is no file of descriptions at {path}. Get the published ones "
            "with: avzsl fetch splits ucf (or activitynet, vggsound); or write some with: "
            "avzsl describe. Then give the file, or the folder of splits."
        )
    return found


def read_descriptions(path: Path) -> Descriptions:
    """Read a file, and the class names of the benchmark beside it, if it is a published one.

    Raises:
        ValueError: If a column is missing or a row has no name.
    """
    return Descriptions(path, tuple(read_rows(path)), _readable_names(path))


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a file, without blanks around the texts.

    Raises:
        ValueError: If a column is missing or a row has no name.
    """
    rows: list[Row] = []
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(
                f"{path} has no column {', '.join(missing)}; expected {', '.join(COLUMNS)}, got "
                f"{', '.join(reader.fieldnames or ()) or 'an empty file'}."
            )
        for line in reader:
            name, first, second, third = ((line[column] or "").strip() for column in COLUMNS)
            if not name:
                raise ValueError(f"{path}, line {reader.line_num}: a row without a name.")
            rows.append((name, first, second, third))
    return rows


def lacking(file: Descriptions, names: Sequence[str]) -> str:
    """Return the message that classes have no description, and which names are near."""
    folded = {fold(row[0]): row[0] for row in file.rows}
    lines = []
    for name in names:
        near = difflib.get_close_matches(fold(name), folded, n=2, cutoff=0.6)
        hint = "near: " + " or ".join(repr(folded[word]) for word in near) if near else ""
        hint = "a cell of its row is empty" if fold(name) in folded else hint
        lines.append(f"  {name!r}" + (f" ({hint})" if hint else ""))
    return (
        f"{file.path} has no description of {len(names)} class(es):\n"
        + "\n".join(lines)
        + "\nCorrect the names, or add rows with: avzsl describe."
    )


def _readable_names(path: Path) -> dict[str, str]:
    """Return original -> readable class name for a published file, of the table beside it."""
    if path.parent.name != PUBLISHED:
        return {}
    benchmark = path.parents[1] / "avgzsl_benchmark_datasets" / path.stem / "class-split"
    tables = sorted(benchmark.glob("*_w2v_class_names.csv"))
    if not tables:
        return {}
    with tables[0].open(newline="", encoding="utf-8") as file:
        return {row["original"]: row["manual"] for row in csv.DictReader(file)}
