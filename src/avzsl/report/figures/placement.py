"""Names beside points, so that no name covers another one or a point."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

_DISTANCES = (7, 9, 13, 18, 25, 34, 46)
"""Points between a star and its name, tried in this order."""
_DIRECTIONS = 16
_LETTERS = 20
"""Letters in a line of a name, which has two lines at most."""
_AIR = 1.5
"""Pixels that stay free around a name."""


def fix_layout(figure: Figure) -> None:
    """Let the layout be final, so that places in it can be measured."""
    FigureCanvasAgg(figure).draw()
    figure.set_layout_engine("none")


def place_names(
    figure: Figure, axes: Axes, points_N2: NDArray[np.float64], names: Sequence[str]
) -> None:
    """Write a name beside each point, further off and with a line to it where there is no room.

    Where there is no room nearby either, the name is left to the legend.

    Args:
        figure: Whose layout is final (``fix_layout``).
        axes: One of its panels; its limits are final.
        points_N2: Where the names belong, in units of the data.
        names: [N]; a long one is cut.
    """
    renderer = FigureCanvasAgg(figure).get_renderer()
    scale = figure.dpi / 72
    frame = axes.get_window_extent(renderer)
    pixels_N2 = axes.transData.transform(points_N2)
    half = 5.5 * scale
    taken = [Bbox.from_extents(x - half, y - half, x + half, y + half) for x, y in pixels_N2]
    for point, (x, y), name in zip(points_N2, pixels_N2, names, strict=True):
        text = axes.annotate(
            "\n".join(textwrap.wrap(name, _LETTERS, max_lines=2, placeholder="…")),
            point,
            (0, 0),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=6.5,
            linespacing=0.95,
            zorder=6,
            path_effects=[withStroke(linewidth=1.8, foreground="white")],
        )
        box = text.get_window_extent(renderer)
        width, height = box.width + 2 * _AIR, box.height + 2 * _AIR
        place = _free_place((x, y), (width, height), scale, frame, taken)
        if place is None:
            text.remove()
            continue
        dx, dy, found = place
        taken.append(found)
        text.set_position((dx / scale, dy / scale))
        if math.hypot(max(abs(dx) - width / 2, 0), max(abs(dy) - height / 2, 0)) > 8 * scale:
            nearest = np.clip((x, y), found.min, found.max)
            end = axes.transData.inverted().transform(nearest)
            axes.plot(*zip(point, end, strict=True), color="black", linewidth=0.5, zorder=5)


def _free_place(
    point: tuple[float, float],
    size: tuple[float, float],
    scale: float,
    frame: Bbox,
    taken: Sequence[Bbox],
) -> tuple[float, float, Bbox] | None:
    """Return offset and box of a name, in pixels, at the nearest place that is free; or None."""
    (x, y), (width, height) = point, size
    for distance in _DISTANCES:
        for turn in range(_DIRECTIONS):
            angle = 2 * math.pi * turn / _DIRECTIONS
            dx = math.cos(angle) * (distance * scale + width / 2)
            dy = math.sin(angle) * (distance * scale + height / 2)
            box = Bbox.from_bounds(x + dx - width / 2, y + dy - height / 2, width, height)
            is_inside = frame.x0 <= box.x0 and box.x1 <= frame.x1
            is_inside = is_inside and frame.y0 <= box.y0 and box.y1 <= frame.y1
            if is_inside and not any(_overlap(box, other) for other in taken):
                return dx, dy, box
    return None


def _overlap(one: Bbox, other: Bbox) -> bool:
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return width > 0 and height > 0
