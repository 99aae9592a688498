"""S, U, HM and ZSL of every method side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from avzsl.report.collect import Evaluation
from avzsl.report.figures.style import METRIC_LABELS, Panels, look, save, strip
from avzsl.report.tables import METRICS


def plot_methods(panels: Panels[Evaluation], out: Path) -> None:
    """Draw a column of bars for each metric: mean over seeds, whiskers of one standard deviation.

    Methods lie below each other, so that their names can be read however many there are.
    """
    count = len(panels)
    figure = Figure(figsize=(11, 1.3 + 0.34 * count), layout="constrained")
    columns = figure.subplots(1, len(METRICS), sharey=True)
    places = range(count)
    highest = 1.0
    for axes, metric in zip(columns, METRICS, strict=True):
        values = [np.array([getattr(run, metric) for run in runs]) for _, runs in panels]
        means = [float(found.mean()) for found in values]
        sds = [float(found.std(ddof=1)) if len(found) > 1 else 0.0 for found in values]
        for place, mean, sd in zip(places, means, sds, strict=True):
            own = look(place)
            axes.barh(
                place, mean, 0.72, color=own.colour, hatch=own.hatch, edgecolor="white", zorder=2
            )
            if sd > 0:
                axes.errorbar(
                    mean, place, xerr=sd, color="black", capsize=2.5, linewidth=1, zorder=3
                )
            axes.annotate(
                f"{mean:.1f}",
                (mean + sd, place),
                (4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
        axes.set_title(METRIC_LABELS[metric], fontsize=10)
        highest = max(highest, *(mean + sd for mean, sd in zip(means, sds, strict=True)))
        strip(axes)
    for axes in columns:  # one scale, and room for the number right of the longest bar
        axes.set_xlim(0, 1.22 * highest)
    chance = panels[0][1][0].zsl_chance
    columns[-1].axvline(chance, color="black", linestyle=":", linewidth=1.2, zorder=4)
    columns[-1].set_title(f"ZSL (dotted: chance, {chance:.1f})", fontsize=10)
    columns[0].set_yticks(places, [title for title, _ in panels], fontsize=9)
    columns[0].set_ylim(count - 0.4, -0.6)
    figure.supxlabel("mean class accuracy (%)", fontsize=10)
    save(figure, out)
