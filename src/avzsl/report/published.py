"""Numbers that papers print, to stand beside ours: ``published.csv``, one row a number of a paper.

They are single runs with seed 42, most with the misaligned class vectors of the released loaders
(``parity.text_alignment: legacy``), and those on VGGish and C3D features are scored on the ``cls``
split. Where a paper contradicts itself the note says so.
"""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from pathlib import Path

TABLE_FILE = Path(__file__).with_name("published.csv")


@dataclass(frozen=True, kw_only=True)
class Published:
    """One row of a paper's table; percent as printed, empty where it prints none."""

    benchmark: str
    features: str
    method: str
    seen: str
    unseen: str
    hm: str
    zsl: str
    source: str
    note: str


@functools.cache
def all_published() -> tuple[Published, ...]:
    """Return all numbers."""
    with TABLE_FILE.open(newline="", encoding="utf-8") as file:
        return tuple(Published(**row) for row in csv.DictReader(file))


def published(benchmark: str, features: str) -> dict[str, Published]:
    """Return method -> the numbers printed for it, for one benchmark and feature set."""
    return {
        row.method: row
        for row in all_published()
        if (row.benchmark, row.features) == (benchmark, features)
    }
