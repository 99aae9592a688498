"""Which class is taken for which, like classes beside each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage

from avzsl.report.collect import Evaluation
from avzsl.report.figures.classes import check_same_classes
from avzsl.report.figures.style import Panels, columns_of, every_nth, grid, save, set_title
from avzsl.types import ClassEmbeddings

_POINTS = 6.0
"""Font size of class names in the PNG."""


def plot_confusion(
    panels: Panels[Evaluation], out: Path, *, embeddings: ClassEmbeddings | None = None
) -> None:
    """Draw a matrix for each panel, all its seeds together.

    Rows are true classes and sum to 100 %; unseen classes stand below and right of the white
    lines. Colours follow the square root of the share, so that a small one can be seen. The PNG
    names every n-th class where there is no room for all, the PDF all of them.

    Args:
        panels: Any methods or variants that were scored on the same classes.
        out: The PNG.
        embeddings: Those by which like classes come to stand together (``order_of_classes``); None
            leaves them as they are.

    Raises:
        ValueError: If the panels were scored on different classes.
        LookupError: If a class has no embedding.
    """
    first = check_same_classes(panels)
    classes = len(first.class_names)
    order = order_of_classes(first.class_names, first.is_seen, embeddings)
    side = float(np.clip(2.0 + 0.13 * classes, 3.8, 8.0))
    figure, every = grid(len(panels), side, side)
    figure.set_layout_engine("compressed")  # the matrices are square
    columns = columns_of(len(panels))
    norm = PowerNorm(0.5, vmin=0, vmax=100)
    for (title, runs), axes in zip(panels, every, strict=True):
        counts = np.sum([run.confusion for run in runs], axis=0, dtype=float)
        shares = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
        image = axes.imshow(
            shares[np.ix_(order, order)], cmap="cividis", norm=norm, interpolation="none"
        )
        _mark_sides(axes, sum(first.is_seen), classes)
        set_title(axes, title, size=8 + 0.7 * side)
    bar = figure.colorbar(image, ax=every, shrink=0.6, ticks=[0, 1, 5, 20, 50, 100], aspect=30)
    size = 7 + 0.4 * side
    bar.set_label("share of the true class's clips (%)", fontsize=size)
    bar.ax.tick_params(labelsize=size)
    names = [first.class_names[k] for k in order]

    def name(*, all_names: bool) -> None:
        for place, axes in enumerate(every):
            _name(axes, names, 0.85 * side, all_names=all_names)
            # The classes are the same everywhere: names at the left and at the bottom are enough.
            is_left, is_last = place % columns == 0, place + columns >= len(every)
            axes.tick_params(labelleft=is_left, labelbottom=is_last)
            axes.set_ylabel("true class" if is_left else "", fontsize=size)
            axes.set_xlabel("predicted class" if is_last else "", fontsize=size)

    name(all_names=False)
    save(figure, out, lambda: name(all_names=True))


def order_of_classes(
    names: tuple[str, ...], is_seen: tuple[bool, ...], embeddings: ClassEmbeddings | None
) -> NDArray[np.int64]:
    """Return an order of the classes, seen ones first, with like classes beside each other.

    Within each side the leaves of a hierarchical clustering (average linkage of the distances
    between embeddings of length 1), turned so that neighbours are as near as the tree allows
    (Bar-Joseph et al., "Fast optimal leaf ordering for hierarchical clustering", 2001).

    Args:
        names: [K] the classes.
        is_seen: [K]
        embeddings: Of these classes and perhaps others; None keeps the order within each side.

    Raises:
        LookupError: If a class has no embedding.
    """
    sides = [np.flatnonzero(np.array(is_seen) == side) for side in (True, False)]
    if embeddings is None:
        return np.concatenate(sides)
    place = {name: i for i, name in enumerate(embeddings.names)}
    missing = [name for name in names if name not in place]
    if missing:
        raise LookupError(
            f"There is no class embedding for {missing[0]!r} and {len(missing) - 1} others. Give "
            "the file of the dataset that the evaluations are of."
        )
    vectors_KW = embeddings.vectors[[place[name] for name in names]].astype(np.float64)
    lengths_K1 = np.linalg.norm(vectors_KW, axis=1, keepdims=True)
    vectors_KW = vectors_KW / np.maximum(lengths_K1, np.finfo(np.float64).tiny)
    return np.concatenate([side[_leaves(vectors_KW[side])] for side in sides])


def _leaves(vectors_KW: NDArray[np.float64]) -> NDArray[np.int64]:
    if len(vectors_KW) < 3:  # any order of two is as good
        return np.arange(len(vectors_KW))
    tree = linkage(vectors_KW, method="average", metric="euclidean", optimal_ordering=True)
    return np.asarray(leaves_list(tree), dtype=np.int64)


def _mark_sides(axes: Axes, seen: int, classes: int) -> None:
    for line in (axes.axhline, axes.axvline):
        line(seen - 0.5, color="white", linewidth=1.2)
    above = axes.get_xaxis_transform()
    for x, name, side in ((-0.5, "seen", "left"), (classes - 0.5, "unseen", "right")):
        axes.text(x, 1.005, name, transform=above, ha=side, va="bottom", fontsize=7, style="italic")


def _name(axes: Axes, names: list[str], room: float, *, all_names: bool) -> None:
    """Write class names at a matrix, all of them or as many as have room."""
    points = min(_POINTS, 72 * room / len(names) / 1.05) if all_names else _POINTS
    step = 1 if all_names else every_nth(len(names), room, points)
    places = range(0, len(names), step)
    chosen = [names[i] for i in places]
    axes.set_xticks(places, chosen, rotation=90, fontsize=points)
    axes.set_yticks(places, chosen, fontsize=points)
    axes.tick_params(length=1.5, width=0.4, pad=1)
