"""The effect of alpha and of the margin m (Table 9 of Mo & Morgado, ECCV 2024) as lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from avzsl.report.figures.style import LINES, look, save, strip
from avzsl.report.study.results import naming_columns
from avzsl.report.study.spec import NAMES
from avzsl.report.tables import Row

SAME = ("study", "method", "encoder", "objective", "distance")
"""What else the tables tell of a row: all rows of a line have the same."""
SYMBOLS = {"alpha": "α", "margin": "m"}
_SHIFT = 0.025
"""Of the range: how far the deviations of one line stand from those of the next."""
MEASURES = {
    "hm": "HM (%)",
    "nearest_after": "mean distance to\nthe nearest class",
    "rank_correlation": "rank correlation\nwith the order before",
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """Rows that differ in one of the two settings only."""

    where: str
    """Dataset and features, where there are several."""
    name: str
    """What else is the same in all of them."""
    varied: str
    """``alpha`` or ``margin``."""
    points: tuple[Row, ...]
    """At least two, by the value of what is varied."""


def plot_sweep(accuracies: Sequence[Row], geometry: Sequence[Row], out: Path) -> None:
    """Draw harmonic mean, nearest distance and rank correlation over alpha and over m.

    The left column varies alpha at each fixed m, the right one m at each fixed alpha; a line needs
    two points. Published harmonic means are hollow.

    Args:
        accuracies: Of one or several studies, see ``results.COLUMNS``.
        geometry: Their class embeddings, see ``classes.COLUMNS``.
        out: PNG; a PDF is written beside it.

    Raises:
        ValueError: If no two rows differ in one of the settings only, or two differ in nothing
            that the tables tell.
        OSError: If a file cannot be written.
    """
    every = sweep_lines(accuracies, geometry)
    if not every:
        raise ValueError(
            "There is nothing to draw: no two rows of the study differ in alpha alone or in margin "
            f"alone and share dataset, features, {', '.join(SAME)}."
        )
    columns = list(dict.fromkeys((line.where, line.varied) for line in every))
    figure = Figure(figsize=(0.6 + 3.6 * len(columns), 7.2), layout="constrained")
    grid = figure.subplots(len(MEASURES), len(columns), squeeze=False, sharex="col")
    for j, (where, varied) in enumerate(columns):
        mine = [line for line in every if (line.where, line.varied) == (where, varied)]
        for i, measure in enumerate(MEASURES):
            if j and where == columns[j - 1][0]:
                grid[i, j].sharey(grid[i, j - 1])
            for place, line in enumerate(mine):
                _draw(grid[i, j], line, measure, place)
            strip(grid[i, j])
        _name_axes(grid[0, j], grid[-1, j], mine)
    for axes, label in zip(grid[:, 0], MEASURES.values(), strict=True):
        axes.set_ylabel(label)
    figure.align_ylabels()
    save(figure, out)


def _name_axes(top: Axes, bottom: Axes, lines: Sequence[Line]) -> None:
    """Say above a column what its lines are, and below it what is varied."""
    named = dict(sorted(zip(*reversed(top.get_legend_handles_labels()), strict=True)))
    top.legend(
        list(named.values()),
        list(named),
        title=lines[0].where or None,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.02),
        ncols=2,
        frameon=False,
        fontsize=8,
    )
    varied = lines[0].varied
    bottom.set_xlabel(SYMBOLS[varied])
    bottom.set_xticks(sorted({float(row[varied]) for line in lines for row in line.points}))


def sweep_lines(accuracies: Sequence[Row], geometry: Sequence[Row]) -> list[Line]:
    """Return the lines that the rows of a study make.

    Raises:
        ValueError: If a row of the class embeddings is missing from the study, or two rows would
            be one point.
    """
    rows = _joined(accuracies, geometry)
    places = naming_columns(rows)
    also = [name for name in SAME if len({row[name] for row in rows}) > 1]
    groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        for varied, fixed in (("alpha", "margin"), ("margin", "alpha")):
            groups[varied, fixed, *(row[name] for name in (fixed, *places, *also))].append(row)
    lines = []
    for (varied, fixed, *_), members in groups.items():
        points = _by_value(members, varied, fixed)
        shared = points[0]
        same = [f"{SYMBOLS[fixed]} = {shared[fixed]}", *(shared[name] for name in also)]
        where = ", ".join(shared[name] for name in places)
        if len(points) > 1:
            name = ", ".join(filter(None, same))
            lines.append(Line(where=where, name=name, varied=varied, points=points))
    return sorted(lines, key=lambda line: (line.where, line.varied))


def _by_value(rows: Sequence[Row], varied: str, fixed: str) -> tuple[Row, ...]:
    """Return rows that share all but what is varied, in its order."""
    found: dict[float, Row] = {}
    for row in rows:
        other = found.setdefault(float(row[varied]), row)
        if other is not row:
            raise ValueError(
                f"{other['label']!r} and {row['label']!r} both have {SYMBOLS[varied]} = "
                f"{row[varied]} and {SYMBOLS[fixed]} = {row[fixed]}, and the tables tell no other "
                "difference between them: a line cannot show both. Leave one of them out of the "
                "study, or put it into another."
            )
    return tuple(found[value] for value in sorted(found))


def _joined(accuracies: Sequence[Row], geometry: Sequence[Row]) -> list[Row]:
    """Return the rows that have a margin and alpha, with all their columns."""
    found: dict[tuple[str, ...], Row] = {}
    for row in accuracies:
        key = tuple(row[name] for name in NAMES)
        if key in found:
            raise ValueError(f"{' / '.join(key)} stands twice in the tables; give each table once.")
        found[key] = row
    joined = []
    for row in geometry:
        key = tuple(row[name] for name in NAMES)
        if key not in found:
            raise ValueError(
                f"The classes of {' / '.join(key)} are of no row of the study; its rows are "
                f"{', '.join(' / '.join(known) for known in found)}."
            )
        if row["alpha"] and row["margin"]:
            joined.append(found[key] | row)
    return joined


def _draw(axes: Axes, line: Line, measure: str, place: int) -> None:
    chosen = look(place)
    style: dict[str, Any] = {"color": chosen.colour, "marker": chosen.marker, "markersize": 5}
    style["linestyle"] = LINES[place % len(LINES)]
    if measure != "hm":
        points = [row for row in line.points if row[measure]]
        at = [float(row[line.varied]) for row in points]
        axes.plot(at, [float(row[measure]) for row in points], label=line.name, **style)
        return
    shift = _SHIFT * (float(line.points[-1][line.varied]) - float(line.points[0][line.varied]))
    axes.errorbar(
        [float(row[line.varied]) + place * shift for row in line.points],
        [float(row["hm_mean"]) for row in line.points],
        yerr=[float(row["hm_sd"] or 0) for row in line.points],
        capsize=2,
        label=line.name,
        **style,
    )
    printed = [row for row in line.points if row["published_hm"]]
    if printed:
        axes.plot(
            [float(row[line.varied]) + (place + 0.5) * shift for row in printed],
            [float(row["published_hm"]) for row in printed],
            label=f"{line.name}, published",
            **style | {"linestyle": "none", "markerfacecolor": "white"},
        )
