"""Numbers that papers print, to stand beside ours: ``published.csv``, one row a row of a table.

They are single runs with seed 42, most with the misaligned class vectors of the released loaders
(``parity.text_alignment: legacy``), and those on VGGish and C3D features are scored on the ``cls``
split. Where a paper contradicts itself the note says so. Rows of ablations are named by what they
switch on; ``main`` marks the rows that a result table shows beside a method.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from avzsl.registry import did_you_mean

TABLE_FILE = Path(__file__).with_name("published.csv")


@dataclass(frozen=True, kw_only=True)
class Published:
    """One row of a paper's table; percent as printed, empty where it prints none."""

    paper: str
    """Short name, such as ``EZ-AVGZL``."""
    table: str
    """Where in it, such as ``Table 5`` or ``README``."""
    row: str
    page: str
    """Empty where it is not known."""
    benchmark: str
    features: str
    split: str
    """``main`` or ``cls``; empty where it is not known."""
    method: str
    main: str
    """``yes`` for the one row that stands beside the method in result tables."""
    seen: str
    unseen: str
    hm: str
    zsl: str
    source: str
    """Key in ``references.bib``, or address."""
    note: str

    @property
    def printed_in(self) -> str:
        """The paper and its table."""
        return f"{self.paper} {self.table}".rstrip()

    @property
    def id(self) -> str:
        """What names the row in a study; rows of several benchmarks or features may share it."""
        return f"{self.printed_in}: {self.row}"

    @property
    def data(self) -> str:
        """Benchmark, features and split in words."""
        split = f", split {self.split}" if self.split else ""
        return f"{self.benchmark} with {self.features}{split}"

    def is_of(self, benchmark: str, features: str, split: str | None) -> bool:
        """Return whether it was measured on these data; an unknown split is no contradiction."""
        same_split = not self.split or split in (None, self.split)
        return same_split and (self.benchmark, self.features) == (benchmark, features)


@functools.cache
def all_published() -> tuple[Published, ...]:
    """Return all numbers."""
    with TABLE_FILE.open(newline="", encoding="utf-8") as file:
        return tuple(Published(**row) for row in csv.DictReader(file))


def published(benchmark: str, features: str, split: str | None = None) -> dict[str, Published]:
    """Return method -> the numbers printed for it, for one benchmark and feature set.

    Args:
        benchmark: Such as ``vggsound``.
        features: Such as ``vggish-c3d``.
        split: ``main`` or ``cls``, which have other unseen classes; None takes numbers of either.

    Raises:
        ValueError: If no paper has a split of that name.
    """
    splits = {row.split for row in all_published() if row.split}
    if split is not None and split not in splits:
        raise ValueError(
            f"There is no split {split!r} of a benchmark; there are {', '.join(sorted(splits))}."
        )
    return {
        row.method: row
        for row in all_published()
        if row.main and row.is_of(benchmark, features, split)
    }


def published_rows(row_id: str) -> list[Published]:
    """Return the rows that an id names, one for each benchmark and feature set.

    Args:
        row_id: ``"<paper> <table>: <row>"``, such as ``"EZ-AVGZL Table 5: prox only"``. The paper
            alone means its main rows: ``"EZ-AVGZL: TCaF"`` is a row of Table 1, 2 or 3. A main row
            also goes by the name of its method, and case does not matter.

    Raises:
        LookupError: If there is no such table or row; the message names the nearest.
    """
    place, _, row = (part.strip() for part in row_id.partition(": "))
    rows = _rows_of(place)
    if not rows:
        places = {name for p in all_published() for name in (p.printed_in, p.paper)}
        raise LookupError(
            f"No published numbers of {place!r} (from {row_id!r}). {did_you_mean(place, places)}"
        )
    found = [p for p in rows if row.casefold() == p.row.casefold()]
    found = found or [p for p in rows if p.main and row.casefold() == p.method]
    if not found:
        hint = did_you_mean(row, {p.row for p in rows})
        raise LookupError(f"{place} has no row {row!r} among the published numbers. {hint}")
    return found


def find_published(
    row_id: str, *, benchmark: str, features: str, split: str | None = None
) -> Published | None:
    """Return the row that an id names for a benchmark and a feature set; None where it has none.

    Args:
        row_id: See ``published_rows``.
        benchmark: Such as ``vggsound``.
        features: Such as ``vggish-c3d``.
        split: ``main`` or ``cls``, which have other unseen classes; None takes a row of either.

    Raises:
        LookupError: If no benchmark has such a row, or it is not clear which one is meant.
    """
    found = [p for p in published_rows(row_id) if p.is_of(benchmark, features, split)]
    if len(found) > 1:
        ids = ", ".join(repr(row.id) for row in found)
        raise LookupError(f"{row_id!r} may be any of {ids}; name one.")
    return found[0] if found else None


def _rows_of(place: str) -> Sequence[Published]:
    wanted = place.casefold()
    rows = [p for p in all_published() if p.printed_in.casefold() == wanted]
    return rows or [p for p in all_published() if p.main and p.paper.casefold() == wanted]
