"""What all figures share: colours, markers, hatches and lines; grids of panels; saving."""

from __future__ import annotations

import math
import textwrap
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from avzsl.provenance import write_aside
from avzsl.report.tables import LABELS

matplotlib.use("Agg")
# Text stays text in a PDF: it can be searched, and a name in tiny print can be enlarged.
matplotlib.rcParams["pdf.fonttype"] = 42
# A class may be called "$5 bill": names are no formulas.
matplotlib.rcParams["text.parse_math"] = False

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
"""Okabe and Ito's palette, distinct for all common kinds of colour vision; its yellow is left out,
for it is too pale for lines on white."""
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "+++", "ooo", "---")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "d")
LINES = ("-", "--", ":", "-.")
METRIC_LABELS = LABELS | {f: f"{LABELS[f]} ({f})" for f in ("seen", "unseen")}
DPI = 150
_TITLE_WIDTH = 28
"""Letters of a panel's title in one line."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a method is drawn; no two of the first 56 are alike, in grey neither."""

    colour: str
    marker: str
    hatch: str


class HasMethod(Protocol):
    """A run that knows what its method is called."""

    @property
    def method(self) -> str:
        """Name of the method, or the label that replaces it."""


Run = TypeVar("Run")
Named = TypeVar("Named", bound=HasMethod)
Panels = Sequence[tuple[str, Sequence[Run]]]
"""Title and runs (seeds) of each method or variant, in the order in which they are drawn."""


def look(place: int) -> Look:
    """Return the look of the panel at some place."""
    return Look(
        colour=COLOURS[place % len(COLOURS)],
        marker=MARKERS[place % len(MARKERS)],
        hatch=HATCHES[place % len(HATCHES)],
    )


def by_method(runs: Sequence[Named]) -> list[tuple[str, list[Named]]]:
    """Return a panel for each method, in the order in which they come first."""
    groups: dict[str, list[Named]] = defaultdict(list)
    for run in runs:
        groups[run.method].append(run)
    return list(groups.items())


def columns_of(count: int) -> int:
    """Return how many of ``count`` panels stand in a row: about as many as there are rows."""
    return math.ceil(math.sqrt(count))


def grid(count: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """Return a figure of ``count`` axes, in rows; places that stay empty are hidden.

    Args:
        count: How many panels.
        width: Inches of each.
        height: Inches of each.
    """
    columns = columns_of(count)
    rows = -(-count // columns)
    figure = Figure(figsize=(max(width * columns, 4), height * rows + 0.5), layout="constrained")
    every = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in every[count:]:
        axes.set_visible(False)
    return figure, every[:count]


def set_title(axes: Axes, title: str, *, size: float = 10) -> None:
    """Write a title above a panel, in several lines where it is long."""
    axes.set_title("\n".join(textwrap.wrap(title, _TITLE_WIDTH)), fontsize=size)


def shorten(name: str, letters: int) -> str:
    """Return a name, cut to so many letters."""
    return name if len(name) <= letters else f"{name[: letters - 1].rstrip()}…"


def legend_entry(label: str, **style: Any) -> Line2D:
    """Return a line or a marker to be explained in a legend."""
    return Line2D([], [], label=label, **style)


def strip(axes: Axes) -> None:
    """Remove the lines above and right of a panel."""
    axes.spines[["top", "right"]].set_visible(False)


def every_nth(count: int, room: float, points: float) -> int:
    """Return n so that every n-th of ``count`` names has room.

    Args:
        count: Names side by side.
        room: Inches that they share.
        points: Font size; a name takes a quarter more.
    """
    return max(1, math.ceil(count * points * 1.25 / 72 / room))


def save(figure: Figure, out: Path, before_pdf: Callable[[], None] | None = None) -> None:
    """Write the PNG that was asked for, and a PDF beside it for papers.

    Args:
        figure: The figure.
        out: The PNG.
        before_pdf: What to change for the PDF, which can be enlarged at will.
    """
    for path in (out, out.with_suffix(".pdf")):
        if path.suffix == ".pdf" and before_pdf is not None:
            before_pdf()
        with write_aside(path) as partial:
            # Without its date, equal figures are equal files.
            metadata = {"CreationDate": None} if path.suffix == ".pdf" else None
            # What stands out of the figure widens it, rather than being cut.
            figure.savefig(
                partial,
                format=path.suffix[1:],
                dpi=DPI,
                metadata=metadata,
                bbox_inches="tight",
                pad_inches=0.06,
            )
