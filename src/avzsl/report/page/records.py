"""What the page consists of: tables of cells, pictures, and sections of both."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

NOTHING = "–"
"""Stands in an empty cell, so that it does not look forgotten."""
_NUMBER = re.compile(r"[-−+]?\d[-−+±\d.,\[\] =pe%]*")
"""Also ``1.20 ± 0.30`` and ``1.20 [1.00, 1.40], p = 0.02``."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell of a table."""

    text: str
    is_number: bool = False
    """Numbers stand right-aligned."""
    is_best: bool = False
    """Marked as the best of its column."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """The heading of one column, or of several that belong together."""

    label: str
    is_number: bool = False
    span: int = 1
    """Columns that it stands over."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table; the first cell of a row is the heading of the row."""

    caption: str
    heads: tuple[Head, ...]
    rows: tuple[tuple[Cell, ...], ...]
    groups: tuple[Head, ...] = ()
    """A row of headings above ``heads``; empty where none is needed."""
    notes: tuple[str, ...] = ()
    """Sentences below it."""
    folded: bool = False
    """Whether it is opened by the reader; for the long ones that few need."""

    def __post_init__(self) -> None:
        """Check that every row has a cell for each heading."""
        widths = {len(row) for row in self.rows} | {len(self.heads)}
        if self.groups:
            widths.add(sum(group.span for group in self.groups))
        assert len(widths) == 1, f"{self.caption}: rows of {sorted(widths)} columns"


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image inside the page."""

    uri: str
    """``data:image/png;base64,...``"""
    width: int
    """In pixels, so that the page does not move while it is read."""
    height: int
    alt: str
    """What it shows, for those who cannot see it."""
    caption: str


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Text of fixed width that the reader opens."""

    title: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page with a heading."""

    title: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    folds: tuple[Fold, ...] = ()
    parts: tuple[Section, ...] = ()
    """Sections within it, one level down."""

    @property
    def anchor(self) -> str:
        """Return a name for links to it."""
        return re.sub(r"[^a-z0-9_]+", "-", self.title.lower()).strip("-")


def text_table(
    caption: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    notes: Sequence[str] = (),
    folded: bool = False,
) -> Table:
    """Return a table of plain values; columns of numbers are found by looking at them.

    Args:
        caption: What it shows.
        heads: A heading for each column; the first column names the rows.
        rows: The values; None and empty text become a dash, whole numbers get separators.
        notes: Sentences below it.
        folded: Whether it is opened by the reader.
    """
    texts = [[as_text(value) for value in row] for row in rows]
    numbers = [all(is_number(row[i]) for row in texts) for i in range(len(heads))]
    if texts:
        numbers[0] = False
    return Table(
        caption=caption,
        heads=tuple(Head(label=h, is_number=n) for h, n in zip(heads, numbers, strict=True)),
        rows=tuple(
            tuple(Cell(text=t, is_number=n) for t, n in zip(row, numbers, strict=True))
            for row in texts
        ),
        notes=tuple(notes),
        folded=folded,
    )


def as_text(value: object) -> str:
    """Return a value as it stands in a table."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return str(value)


def is_number(text: str) -> bool:
    """Return whether a text is a number, maybe with an interval, or stands for a missing one."""
    return text == NOTHING or _NUMBER.fullmatch(text) is not None


def signed(value: float) -> str:
    """Return a difference with its sign, two decimals; the minus is as wide as the plus."""
    text = f"{value:+.2f}"
    return "0.00" if float(text) == 0 else text.replace("-", "−")
