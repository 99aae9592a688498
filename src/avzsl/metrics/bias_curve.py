"""The curve of S and U over the bias, in few enough points to be kept beside the metrics.

On test clips it is for looking only: nothing is chosen from it, the bias least of all.

Shapes: N clips, K candidate classes, P points.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from avzsl.metrics.accuracy import check_labels, metrics_of
from avzsl.metrics.plateaus import BiasCurve, find_plateaus
from avzsl.metrics.winners import find_winners


def bias_curve(
    scores_NK: ArrayLike,
    labels_N: ArrayLike,
    is_seen_K: NDArray[np.bool_],
    *,
    bias: float,
    points: int = 200,
) -> BiasCurve:
    """Return S and U at about ``points`` biases from where S is highest to where U is.

    Each point is one of the plateaus on which no accuracy changes. Those are kept that divide the
    way of the curve evenly; with them its ends, the plateau of the highest harmonic mean, and
    ``bias`` itself with the plateaus around it, so that the curve is exact there.

    Args:
        scores_NK: Higher is likelier.
        labels_N: Column of the true class of each clip.
        is_seen_K: True for seen classes.
        bias: The one in use, chosen on other clips.
        points: How many to keep, 2 or more; a few more come with ``bias``.

    Raises:
        ValueError: As ``accuracy.compute_metrics`` does, or for fewer than 2 points.
    """
    if points < 2:
        raise ValueError(f"A curve needs 2 points or more, got {points = }.")
    winners = find_winners(scores_NK, is_seen_K)
    labels_N = check_labels(labels_N, winners, is_seen_K)
    curve, _ = find_plateaus(winners, labels_N, is_seen_K)
    kept = _kept(curve, bias, points)
    names = [str(column) for column in range(len(is_seen_K))]
    chosen = metrics_of(winners, labels_N, is_seen_K, bias=bias, names=names)
    kept = kept[curve.bias[kept] != bias]
    place = int(np.searchsorted(curve.bias[kept], bias))
    return BiasCurve(
        bias=np.insert(curve.bias[kept], place, bias),
        seen=np.insert(curve.seen[kept], place, chosen.seen),
        unseen=np.insert(curve.unseen[kept], place, chosen.unseen),
    )


def _kept(curve: BiasCurve, bias: float, points: int) -> NDArray[np.int64]:
    """Return the places of the plateaus to keep, ascending."""
    last = len(curve.bias) - 1
    if last < points:
        return np.arange(last + 1)
    # S falls, and U and the bias rise: all three are ways along the curve, in their own units.
    ways = [_share(series) for series in (-curve.seen, curve.unseen, curve.bias)]
    way_P = np.sum(ways, axis=0)
    even = np.searchsorted(way_P, np.linspace(0, way_P[-1], points)).clip(max=last)
    near = np.searchsorted(curve.bias, bias) + np.arange(-2, 3)
    best = int(curve.hm.argmax())
    return np.unique([0, last, best, *even, *near.clip(0, last)])


def _share(rising_P: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much of its whole rise a series has behind it, from 0 to 1."""
    whole = rising_P[-1] - rising_P[0]
    return (rising_P - rising_P[0]) / whole if whole > 0 else np.zeros_like(rising_P)
