"""The bias of calibrated stacking against S, U and HM on the test clips."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from avzsl.metrics.plateaus import BiasCurve
from avzsl.report.collect import Evaluation
from avzsl.report.figures.style import (
    Look,
    Panels,
    grid,
    legend_entry,
    look,
    save,
    set_title,
    strip,
)
from avzsl.report.tables import LABELS

_SERIES = (("seen", "--", 1.0), ("unseen", ":", 1.3), ("hm", "-", 1.5))
"""Metric, line and width."""
_TAIL = 0.02
"""Share of the points at either end that need not be shown: there all is lost, or won."""


def plot_bias(panels: Panels[Evaluation], out: Path) -> None:
    """Draw how S, U and HM move with the bias, a panel a method, a set of lines a seed.

    The marker is the bias in use, which validation chose; the curves are those of the test clips
    and are for looking only: nothing is chosen from them.

    Raises:
        ValueError: If an evaluation has no such curve, as those of older versions.
    """
    highest = max(_highest(run) for _, runs in panels for run in runs)
    figure, every = grid(len(panels), 3.4, 2.5)
    for place, ((title, runs), axes) in enumerate(zip(panels, every, strict=True)):
        for run in runs:
            _draw(axes, run, look(place))
        axes.set_xlim(*_range(runs))
        axes.set_ylim(-0.02 * highest, 1.05 * highest)
        axes.tick_params(labelsize=8)
        set_title(axes, title, size=9)
        strip(axes)
    figure.supxlabel("bias, taken from the scores of seen classes", fontsize=10)
    figure.supylabel("mean class accuracy (%)", fontsize=10)
    handles = [
        legend_entry(LABELS[metric], color="0.2", linestyle=line, linewidth=width)
        for metric, line, width in _SERIES
    ]
    mark = {"marker": look(0).marker, "linestyle": "", "markeredgecolor": "black"}
    handles.append(legend_entry("marker: chosen on validation", color="0.6", **mark))
    columns = 4 if figure.get_figwidth() > 5 else 2
    figure.legend(
        handles=handles, loc="outside upper center", ncols=columns, frameon=False, fontsize=9
    )
    save(figure, out)


def _curve(run: Evaluation) -> BiasCurve:
    if run.bias_curve is None:
        raise ValueError(
            f"The evaluation of {run.method}, seed {run.seed}, does not say how S and U move with "
            "the bias: it was made by an older version. Run: snakemake --forcerun evaluate"
        )
    return run.bias_curve


def _highest(run: Evaluation) -> float:
    curve = _curve(run)
    return float(max(curve.seen.max(), curve.unseen.max(), 1.0))


def _draw(axes: Axes, run: Evaluation, own: Look) -> None:
    curve = _curve(run)
    for metric, line, width in _SERIES:
        series = getattr(curve, metric)
        axes.plot(curve.bias, series, color=own.colour, linestyle=line, linewidth=width)
    if run.bias is not None:
        axes.plot(
            run.bias,
            run.hm,
            marker=own.marker,
            color=own.colour,
            markeredgecolor="black",
            markersize=6,
            zorder=3,
        )


def _range(runs: Sequence[Evaluation]) -> tuple[float, float]:
    """Return the biases between which something happens, the chosen ones among them."""
    ends = []
    for run in runs:
        ends += list(np.quantile(_curve(run).bias, [_TAIL, 1 - _TAIL]))
        ends += [] if run.bias is None else [run.bias]
    margin = 0.04 * (max(ends) - min(ends)) or 1.0
    return min(ends) - margin, max(ends) + margin
