"""Test clips and classes in the space where a method compares them, on the plane by t-SNE.

van der Maaten & Hinton, "Visualizing Data using t-SNE", JMLR 2008. Only who is near whom can be
read off such a map: not distances between groups, and not their sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from avzsl.metrics.embedded import EmbeddedClips, choose_evenly
from avzsl.report.figures.placement import fix_layout, place_names
from avzsl.report.figures.style import (
    COLOURS,
    MARKERS,
    Panels,
    grid,
    legend_entry,
    save,
    set_title,
    shorten,
)

_SHOWN = 12
"""Classes with a colour and marker of their own: more cannot be told apart."""
_CLIPS = 1_000
"""Clips in a panel: more take long and hide each other."""
_NARROW = 50
"""Dimensions that t-SNE is given at most, by principal components."""
_SEED = 0


def plot_embeddings(panels: Panels[EmbeddedClips], out: Path) -> None:
    """Draw the first run of each panel: dots are test clips, stars the class embeddings.

    Up to 12 classes have a colour and a marker, unseen ones first and those with the most clips
    first; the others are grey. A method that compares in no space has a panel that says so.
    """
    shown = shown_classes(panels[0][1][0])
    figure, every = grid(len(panels), 4.6, 4.3)
    stars = []
    for (title, (run, *_)), axes in zip(panels, every, strict=True):
        axes.set_xticks([])
        axes.set_yticks([])
        if run.clips is None:
            axes.text(
                *(0.5, 0.5),
                "no space in which it\ncompares clips and classes",
                transform=axes.transAxes,
                ha="center",
                va="center",
                fontsize=9,
            )
        else:
            title = title if run.classes is not None else f"{title} (clips alone)"
            stars.append((axes, *_draw(axes, run, run.clips, shown)))
        set_title(axes, title)
    _legend(figure, panels[0][1][0], shown)
    fix_layout(figure)
    for axes, points, names in stars:
        place_names(figure, axes, points, names)
    save(figure, out)


def shown_classes(run: EmbeddedClips) -> list[str]:
    """Return the classes that get a colour: unseen before seen ones, then those of most clips."""
    clips_K = np.bincount(run.labels, minlength=len(run.class_names))
    order = np.lexsort((-clips_K, np.array(run.is_seen)))
    return [run.class_names[k] for k in order if clips_K[k]][:_SHOWN]


def on_the_plane(rows_ND: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return [N, 2], the same on every call: t-SNE from the first two principal components."""
    # scikit-learn takes a second to import, and no other figure needs it.
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    count, width = rows_ND.shape
    narrow = min(_NARROW, count, width)
    if width > narrow:
        rows_ND = PCA(narrow, svd_solver="randomized", random_state=_SEED).fit_transform(rows_ND)
    places_N2 = TSNE(
        perplexity=max(1.0, min(30.0, (count - 1) / 3)),
        init="pca" if narrow > 1 else "random",
        random_state=_SEED,
        n_jobs=1,
    ).fit_transform(rows_ND)
    return np.asarray(places_N2, dtype=np.float64)


def _drawn(labels_V: NDArray[np.int64], kept: Sequence[int]) -> NDArray[np.int64]:
    """Return the clips to draw: all of the classes with a colour, and some of the others."""
    of_kept_V = np.isin(labels_V, kept)
    others = np.flatnonzero(~of_kept_V)
    room = max(_CLIPS - int(of_kept_V.sum()), 0)
    some = others[choose_evenly(labels_V[others], room, np.random.default_rng(_SEED))]
    return np.sort(np.concatenate([np.flatnonzero(of_kept_V), some]))


def _draw(
    axes: Axes, run: EmbeddedClips, clips_VD: NDArray[np.float32], shown: Sequence[str]
) -> tuple[NDArray[np.float64], list[str]]:
    """Draw one method; return where the named stars are, and their names."""
    place = {name: k for k, name in enumerate(run.class_names)}
    own = [(i, place[name]) for i, name in enumerate(shown) if name in place]
    kept = [k for _, k in own]
    drawn = _drawn(run.labels, kept)
    labels_V, clips_VD = run.labels[drawn], clips_VD[drawn]
    parts = [clips_VD] if run.classes is None else [clips_VD, run.classes]
    clips_V2, classes_K2 = np.split(on_the_plane(np.concatenate(parts)), [len(clips_VD)])
    others_V = ~np.isin(labels_V, kept)
    small = 10 if len(clips_VD) > 400 else 22
    axes.scatter(
        clips_V2[others_V, 0],
        clips_V2[others_V, 1],
        s=small * 0.6,
        color="0.78",
        linewidths=0,
        zorder=1,
    )
    for i, k in own:
        axes.scatter(
            clips_V2[labels_V == k, 0],
            clips_V2[labels_V == k, 1],
            s=small,
            color=COLOURS[i % len(COLOURS)],
            marker=MARKERS[i],
            linewidths=0,
            alpha=0.8,
            zorder=2,
        )
    # Room at the edges for names.
    axes.margins(0.1)
    if run.classes is None:
        return np.empty((0, 2)), []
    rest_K2 = np.delete(classes_K2, kept, axis=0)
    axes.scatter(
        rest_K2[:, 0], rest_K2[:, 1], s=small, marker="*", color="0.45", linewidths=0, zorder=3
    )
    for i, k in own:
        axes.scatter(
            classes_K2[k, 0],
            classes_K2[k, 1],
            s=110,
            marker="*",
            color=COLOURS[i % len(COLOURS)],
            edgecolors="black",
            linewidths=0.8,
            zorder=4,
        )
    return classes_K2[kept], [run.class_names[k] for k in kept]


def _legend(figure: Figure, run: EmbeddedClips, shown: Sequence[str]) -> None:
    seen = dict(zip(run.class_names, run.is_seen, strict=True))
    handles = [
        legend_entry(
            f"{shorten(name, 40)} ({'seen' if seen[name] else 'unseen'})",
            color=COLOURS[i % len(COLOURS)],
            marker=MARKERS[i],
            linestyle="",
        )
        for i, name in enumerate(shown)
    ]
    handles += [
        legend_entry("other classes", color="0.78", marker="o", linestyle=""),
        legend_entry("class embedding", color="0.45", marker="*", linestyle=""),
    ]
    longest = max(len(str(handle.get_label())) for handle in handles)
    columns = max(1, min(6, int(figure.get_figwidth() / (1.4 + 0.06 * longest))))
    # The legend gets room of its own, for the panels are to keep theirs.
    figure.set_figheight(figure.get_figheight() + 0.19 * -(-len(handles) // columns))
    figure.legend(
        handles=handles, loc="outside lower center", ncols=columns, frameon=False, fontsize=8
    )
