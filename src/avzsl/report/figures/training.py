"""Training curves of stage 1, with the epoch that validation chose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from avzsl.report.collect import History
from avzsl.report.figures.style import (
    LINES,
    Look,
    Panels,
    legend_entry,
    look,
    save,
    set_title,
    strip,
)

_FEW = 3
"""Methods that have a row each; more of them stand side by side."""


def plot_training(panels: Panels[History], out: Path) -> None:
    """Draw loss and validation HM of stage 1 for every method and seed; the chosen epoch marked."""
    across = 1 if len(panels) <= _FEW else 2
    rows = -(-len(panels) // across)
    figure = Figure(figsize=(7.2 * across, 2.1 * rows + 0.6), layout="constrained")
    every = figure.subplots(rows, 2 * across, squeeze=False).reshape(-1, 2)
    for place, ((title, runs), pair) in enumerate(zip(panels, every, strict=False)):
        for i, run in enumerate(runs):
            _draw(pair, run, look(place), LINES[i % len(LINES)])
        _label(pair[0], title, "training loss")
        _label(pair[1], title, "validation HM (%)")
        pair[1].set_ylim(-4, 104)
    for axes in every[len(panels) :].flat:
        axes.set_visible(False)
    _legend(figure, panels)
    save(figure, out)


def _draw(pair: np.ndarray, run: History, own: Look, line: str) -> None:
    style = {"color": own.colour, "linestyle": line, "linewidth": 1.3}
    left, right = pair
    left.plot(run.epochs, run.loss, **style)
    right.plot(run.val_epochs, run.val_hm, **style)
    right.plot(
        run.chosen_epoch,
        run.val_hm[run.val_epochs.index(run.chosen_epoch)],
        marker=own.marker,
        color=own.colour,
        markeredgecolor="black",
        markersize=7,
        zorder=3,
    )


def _label(axes: Axes, title: str, y: str) -> None:
    set_title(axes, title, size=9)
    axes.set_xlabel("epoch", fontsize=8)
    axes.set_ylabel(y, fontsize=8)
    axes.tick_params(labelsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    strip(axes)


def _legend(figure: Figure, panels: Panels[History]) -> None:
    seeds = [run.seed for run in max((runs for _, runs in panels), key=len)]
    handles = [
        legend_entry(f"seed {seed}", color="0.3", linestyle=LINES[i])
        for i, seed in enumerate(seeds[: len(LINES)])
    ]
    if len(seeds) > len(LINES):
        handles[-1].set_label(f"{handles[-1].get_label()}, and so on")
    mark = {"marker": look(0).marker, "linestyle": "", "markeredgecolor": "black"}
    handles.append(legend_entry("marker: chosen epoch", color="0.6", **mark))
    figure.legend(handles=handles, loc="outside upper center", ncols=6, frameon=False, fontsize=9)
