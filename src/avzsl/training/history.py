"""The history of a training: one row an epoch, as comma-separated values."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from avzsl.provenance import write_aside

Row = Mapping[str, float | int | None]

FIRST = ("stage", "epoch", "loss")
LAST = ("val_seen", "val_unseen", "val_hm", "val_zsl", "bias")
"""Empty in epochs without validation, and in stage 2, which trains on the validation clips."""


def write_history(path: Path, rows: Sequence[Row]) -> None:
    """Write the rows; the terms of the loss have a column each. Accuracies are in percent."""
    terms = sorted({name for row in rows for name in row} - {*FIRST, *LAST})
    with write_aside(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*FIRST, *terms, *LAST], restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
