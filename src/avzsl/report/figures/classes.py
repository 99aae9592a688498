"""The accuracy of each class."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from avzsl.report.collect import Evaluation
from avzsl.report.figures.style import Panels, every_nth, look, save

_POINTS = 6.0
"""Font size of class names in the PNG."""
_TINY = 3.0
"""Smallest one in the PDF, which can be enlarged."""


def plot_classes(panels: Panels[Evaluation], out: Path) -> None:
    """Draw the accuracy of each class, all classes being candidates: mean over seeds.

    A panel a method; seen classes left, unseen ones right. Within each the classes are sorted by
    their mean over all panels, so that a class has the same place in all of them; the mean of a
    method, which is S or U, is a dotted line. The PNG names every n-th class where there is no room
    for all, the PDF all of them.

    Raises:
        ValueError: If the panels were scored on different classes.
    """
    first = check_same_classes(panels)
    accuracy_MK = np.array([_mean(np.array([run.per_class for run in r])) for _, r in panels])
    is_seen = np.array(first.is_seen)
    scored = ~np.isnan(accuracy_MK).all(0)
    order = np.argsort(-_mean(accuracy_MK), kind="stable")
    sides = [order[(is_seen == side)[order] & scored[order]] for side in (True, False)]
    count = sum(map(len, sides))
    width = float(np.clip(0.13 * count + 2, 7, 15))
    # A side of few classes still needs room for its heading.
    ratios = [max(len(side), 0.12 * count) for side in sides]
    figure = Figure(figsize=(width, 1.25 * len(panels) + 1.9), layout="constrained")
    rows = figure.subplots(
        len(panels), 2, squeeze=False, sharex="col", sharey=True, width_ratios=ratios
    )
    for place, ((title, _), row) in enumerate(zip(panels, rows, strict=True)):
        for axes, side in zip(row, sides, strict=True):
            _bars(axes, accuracy_MK[place, side], place)
        row[0].set_title(title, fontsize=9, loc="left")
        row[0].set_ylabel("%", fontsize=8)
    figure.suptitle(
        "accuracy of each class, dotted: mean; seen classes left, unseen right", fontsize=10
    )
    rooms = [(width - 1.2) * ratio / sum(ratios) for ratio in ratios]

    def name(*, every: bool) -> None:
        for axes, side, room in zip(rows[-1], sides, rooms, strict=True):
            names = [first.class_names[k] for k in side]
            _name(axes, names, room, every=every)

    name(every=False)
    save(figure, out, lambda: name(every=True))


def check_same_classes(panels: Panels[Evaluation]) -> Evaluation:
    """Return the first run, which speaks for the classes of all.

    Raises:
        ValueError: If another one was scored on other classes.
    """
    first_title, (first, *_) = panels[0]
    for title, runs in panels:
        for run in runs:
            if (run.class_names, run.is_seen) != (first.class_names, first.is_seen):
                raise ValueError(
                    f"{first_title} and {title} (seed {run.seed}) were scored on different "
                    "classes, which one figure cannot show: draw them apart."
                )
    return first


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return means over the first axis; NaN where a class has no clips."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a class without clips has no mean
        means: NDArray[np.float64] = np.nanmean(values, axis=0)
    return means


def _bars(axes: Axes, accuracy: NDArray[np.float64], place: int) -> None:
    own = look(place)
    # Hatches need room; where bars are thin, the title tells the method.
    hatch = own.hatch if len(accuracy) <= 40 else ""
    places = np.arange(len(accuracy))
    axes.bar(places, accuracy, 0.85, color=own.colour, hatch=hatch, edgecolor="white", linewidth=0)
    if len(accuracy):
        axes.axhline(accuracy.mean(), color="black", linestyle=":", linewidth=1)
    axes.set_xlim(-0.7, len(accuracy) - 0.3)
    axes.set_ylim(0, 104)
    axes.set_yticks([0, 50, 100])
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)


def _name(axes: Axes, names: list[str], room: float, *, every: bool) -> None:
    """Write class names below a panel, all of them or as many as have room."""
    fits = 72 * room / max(len(names), 1) / 1.15
    points = max(min(_POINTS, fits), _TINY) if every else _POINTS
    step = 1 if every else every_nth(len(names), room, points)
    places = range(0, len(names), step)
    axes.set_xticks(places, [names[i] for i in places], rotation=90, fontsize=points)
