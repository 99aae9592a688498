"""Bars of a study's harmonic means beside the published ones (Figure 1 of Mo & Morgado, ECCV 2024).

Each dataset has a panel, and each feature set of it, where there are several.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from avzsl.report.figures.style import COLOURS, HATCHES, save, strip
from avzsl.report.study.results import naming_columns
from avzsl.report.tables import Row

_OURS: dict[str, Any] = {"color": COLOURS[0], "edgecolor": "black", "linewidth": 0.6}
_PRINTED: dict[str, Any] = {
    "color": "white",
    "edgecolor": "black",
    "linewidth": 0.6,
    "hatch": HATCHES[1],
}
_ROW = 0.42
"""Inches of a row: two bars, each as high as its number."""


def plot_bars(rows: Sequence[Row], out: Path) -> None:
    """Draw the harmonic mean of each row, with its deviation over seeds, and the published one.

    Args:
        rows: Of one or several studies, see ``results.COLUMNS``.
        out: PNG; a PDF is written beside it.

    Raises:
        ValueError: If there are no rows.
        OSError: If a file cannot be written.
    """
    if not rows:
        raise ValueError("The tables have no rows; there is nothing to draw.")
    panels: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    apart = naming_columns(rows) or ["dataset"]
    for row in rows:
        panels[tuple(row[name] for name in apart)].append(row)
    most = max(map(len, panels.values()))
    longest = max(len(row["label"]) for row in rows)
    columns = min(len(panels), 3)
    lines = -(-len(panels) // columns)
    figure = Figure(
        figsize=((2.6 + 0.075 * longest) * columns, (1.2 + _ROW * most) * lines + 0.5),
        layout="constrained",
    )
    every = list(figure.subplots(lines, columns, squeeze=False).flat)
    for axes in every[len(panels) :]:
        axes.set_visible(False)
    for axes, (names, members) in zip(every, panels.items(), strict=False):
        _panel(axes, members)
        axes.set_title("\n".join(names), fontsize=10)
    _legend(figure, every)
    save(figure, out)


def _panel(axes: Axes, rows: Sequence[Row]) -> None:
    """Draw the rows from top to bottom, each number at the end of its bar."""
    places = np.arange(len(rows))
    printed = [float(row["published_hm"]) if row["published_hm"] else np.nan for row in rows]
    beside = not np.isnan(printed).all()
    height = 0.38 if beside else 0.6
    means = [float(row["hm_mean"]) for row in rows]
    sds = [float(row["hm_sd"]) if row["hm_sd"] else 0.0 for row in rows]
    ours = places - height / 2 if beside else places
    axes.barh(ours, means, height, label="ours, ± sd over seeds", **_OURS)
    spread = [place for place, sd in enumerate(sds) if sd]
    axes.errorbar(
        [means[i] for i in spread],
        [ours[i] for i in spread],
        xerr=[sds[i] for i in spread],
        fmt="none",
        ecolor="black",
        elinewidth=1,
        capsize=2,
    )
    ends = [(place, mean + sd, mean) for place, mean, sd in zip(ours, means, sds, strict=True)]
    if beside:
        axes.barh(places + height / 2, printed, height, label="published", **_PRINTED)
        there = [(i, value) for i, value in enumerate(printed) if not np.isnan(value)]
        ends += [(i + height / 2, value, value) for i, value in there]
    for place, end, value in ends:
        axes.annotate(
            f"{value:.2f}",
            (end, place),
            (3, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
        )
    axes.set_yticks(places, [row["label"] for row in rows], fontsize=8)
    axes.set_ylim(len(rows) - 0.4, -0.6)  # the first row on top
    axes.set_xlim(0, 1.2 * max(end for _, end, _ in ends) or 1)  # room for the numbers
    axes.set_xlabel("HM (%)")
    strip(axes)


def _legend(figure: Figure, every: Sequence[Axes]) -> None:
    """Say what the bars are, where there are two kinds."""
    named: dict[Any, Any] = {}
    for axes in every:
        handles, names = axes.get_legend_handles_labels()
        named |= dict(zip(names, handles, strict=True))
    if len(named) > 1:
        figure.legend(
            list(named.values()), list(named), loc="outside upper center", ncols=2, frameon=False
        )
