"""Figures of a result table's runs; readable in grey and by the colour-blind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from avzsl.provenance import write_aside
from avzsl.report.collect import Evaluation, History
from avzsl.report.tables import METRICS

matplotlib.use("Agg")

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
"""Okabe and Ito's palette: distinct for all common kinds of colour vision."""
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "+++", "ooo", "---")
LINES = ("-", "--", ":", "-.")
LABELS = {"seen": "S (seen)", "unseen": "U (unseen)", "hm": "HM", "zsl": "ZSL"}
MOST_TICKS = 60
"""Classes whose names still fit at the edge of a confusion matrix."""

Run = TypeVar("Run", Evaluation, History)


def plot_methods(evaluations: Sequence[Evaluation], out: Path) -> None:
    """Draw S, U, HM and ZSL of every method: mean over seeds, bars of one standard deviation."""
    groups = _by_method(evaluations)
    figure = Figure(figsize=(2.5 + 1.1 * len(groups) + 3, 4), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(groups)
    for i, (method, runs) in enumerate(groups.items()):
        values = np.array([[getattr(run, metric) for metric in METRICS] for run in runs])
        sd = values.std(0, ddof=1) if len(runs) > 1 else None
        bars = axes.bar(
            np.arange(len(METRICS)) + (i - (len(groups) - 1) / 2) * width,
            values.mean(0),
            width,
            yerr=sd,
            capsize=3,
            label=method,
            color=COLOURS[i % len(COLOURS)],
            hatch=HATCHES[i % len(HATCHES)],
            edgecolor="white",
            error_kw={"linewidth": 1},
        )
        axes.bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
    chance = evaluations[0].zsl_chance
    axes.hlines(chance, len(METRICS) - 1.5, len(METRICS) - 0.5, colors="black", linestyles=":")
    axes.annotate(f"chance {chance:.1f}", (len(METRICS) - 0.49, chance), fontsize=8, va="center")
    axes.set_xlim(-0.55, len(METRICS) - 0.1)
    axes.set_xticks(range(len(METRICS)), [LABELS[metric] for metric in METRICS])
    axes.set_ylabel("mean class accuracy (%)")
    axes.set_ylim(0, 112)  # room for the numbers above full bars
    axes.set_yticks(range(0, 101, 20))
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=min(4, len(groups)), frameon=False)
    _save(figure, out)


def plot_training(histories: Sequence[History], out: Path) -> None:
    """Draw loss and validation HM of stage 1 for every method and seed; the chosen epoch marked."""
    groups = _by_method(histories)
    figure = Figure(figsize=(9, 2.6 * len(groups) + 0.4), layout="constrained")
    grid = figure.subplots(len(groups), 2, squeeze=False)
    for (method, runs), (left, right) in zip(groups.items(), grid, strict=True):
        for i, run in enumerate(runs):
            style = {"color": COLOURS[i % len(COLOURS)], "linestyle": LINES[i % len(LINES)]}
            left.plot(run.epochs, run.loss, label=f"seed {run.seed}", **style)
            right.plot(run.val_epochs, run.val_hm, **style)
            right.plot(
                run.chosen_epoch,
                run.val_hm[run.val_epochs.index(run.chosen_epoch)],
                marker="o",
                color=style["color"],
                markeredgecolor="black",
            )
        _label(left, f"{method}: training loss, stage 1", "loss")
        _label(right, f"{method}: validation (dot: chosen epoch)", "HM (%)")
        right.set_ylim(0, 104)
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=6, frameon=False)
    _save(figure, out)


def plot_confusion(evaluations: Sequence[Evaluation], out: Path) -> None:
    """Draw which class is taken for which, a matrix a method, all seeds together.

    Rows are true classes and sum to 100 %; unseen classes stand below the line.
    """
    groups = _by_method(evaluations)
    classes = len(evaluations[0].class_names)
    side = float(np.clip(2.5 + 0.16 * classes, 5, 14))
    figure = Figure(figsize=(side * len(groups), side), layout="constrained")
    grid = figure.subplots(1, len(groups), squeeze=False)[0]
    for axes, (method, runs) in zip(grid, groups.items(), strict=True):
        counts = np.sum([run.confusion for run in runs], axis=0, dtype=float)
        shares = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
        image = axes.imshow(shares, cmap="cividis", vmin=0, vmax=100, interpolation="nearest")
        _mark_classes(axes, runs[0])
        axes.set_title(method)
    figure.colorbar(image, ax=list(grid), shrink=0.7, label="share of the true class (%)")
    _save(figure, out)


def _mark_classes(axes: Axes, run: Evaluation) -> None:
    seen = sum(run.is_seen)
    for line in (axes.axhline, axes.axvline):
        line(seen - 0.5, color="white", linewidth=1.2)
    axes.set_xlabel("predicted class (right of the line: unseen)")
    axes.set_ylabel("true class (below the line: unseen)")
    if len(run.class_names) <= MOST_TICKS:
        ticks = range(len(run.class_names))
        axes.set_xticks(ticks, run.class_names, rotation=90, fontsize=6)
        axes.set_yticks(ticks, run.class_names, fontsize=6)
    else:
        axes.set_xticks([])
        axes.set_yticks([])


def _label(axes: Axes, title: str, y: str) -> None:
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("epoch")
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)


def _by_method(runs: Sequence[Run]) -> dict[str, list[Run]]:
    groups: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        groups[run.method].append(run)
    return groups


def _save(figure: Figure, out: Path) -> None:
    """Write the PNG that was asked for, and a PDF beside it for papers."""
    for path in (out, out.with_suffix(".pdf")):
        with write_aside(path) as partial:
            figure.savefig(partial, format=path.suffix[1:], dpi=150)
