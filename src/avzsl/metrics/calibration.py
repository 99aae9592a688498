"""Calibrated stacking (Chao et al., ECCV 2016): the bias that is best on validation.

``exact`` uses that a prediction changes at one bias only, its margin (see ``winners``). S and U are
constant between the sorted margins, so all biases there are get compared by one sort and two
cumulative sums, O(N log N), on scores of any scale. ``grid`` compares equally spaced values, as the
code of AVCA and TCaF does.

Shapes: N clips, K candidate classes, P plateaus or values of a grid.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from avzsl.metrics.accuracy import Metrics, check_labels, metrics_of
from avzsl.metrics.plateaus import BiasCurve, find_plateaus
from avzsl.metrics.winners import Winners, find_winners

_log = logging.getLogger(__name__)

Search = Literal["exact", "grid"]

_SAME_HM = 1e-9
"""Percent; sums of the same shares in another order differ by less, different sums by more."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A bias for seen classes, and what it does to the scores it was chosen on."""

    bias: float
    """To be subtracted from the scores of seen classes; 0 is a value like any other."""
    metrics: Metrics
    """At this bias."""
    curve: BiasCurve
    """What the choice was made from."""


def calibrate(
    scores_NK: ArrayLike,
    labels_N: ArrayLike,
    is_seen_K: NDArray[np.bool_],
    *,
    search: Search = "exact",
    grid_max: float = 3.0,
    grid_steps: int = 16,
) -> Calibration:
    """Return the bias with the highest harmonic mean.

    ``exact``: the middle of the best plateau. Of plateaus with the same HM it takes the widest,
    for there the choice matters least on other clips; then the one nearest to 0. Where no bias
    gives an HM above 0 the bias is 0.
    ``grid``: the smallest of the best values.

    Args:
        scores_NK: Of validation clips, never of test clips; higher is likelier.
        labels_N: Column of the true class of each clip.
        is_seen_K: True for seen classes.
        search: Which biases to compare.
        grid_max: Largest value of the grid, in units of the scores.
        grid_steps: Number of values of the grid, 0 and ``grid_max`` among them.

    Raises:
        ValueError: As ``accuracy.compute_metrics`` does, or if ``search`` or the grid is invalid.
    """
    winners = find_winners(scores_NK, is_seen_K)
    labels_N = check_labels(labels_N, winners, is_seen_K)
    if search == "exact":
        bias, curve = _search_plateaus(winners, labels_N, is_seen_K)
    elif search == "grid":
        bias, curve = _search_grid(winners, labels_N, is_seen_K, grid_max, grid_steps)
    else:
        raise ValueError(f"search must be 'exact' or 'grid', got {search!r}.")
    metrics = _metrics(winners, labels_N, is_seen_K, bias)
    return Calibration(bias=bias, metrics=metrics, curve=curve)


def _search_plateaus(
    winners: Winners, labels_N: NDArray[np.int64], is_seen_K: NDArray[np.bool_]
) -> tuple[float, BiasCurve]:
    curve, width_P = find_plateaus(winners, labels_N, is_seen_K)
    best = curve.hm.max()
    if best <= _SAME_HM:
        return 0.0, curve
    tied_P = np.flatnonzero(curve.hm >= best - _SAME_HM)
    bias_P = curve.bias[tied_P]
    order = np.lexsort((bias_P, np.abs(bias_P), -width_P[tied_P]))
    return float(bias_P[order[0]]), curve


def _search_grid(
    winners: Winners,
    labels_N: NDArray[np.int64],
    is_seen_K: NDArray[np.bool_],
    grid_max: float,
    grid_steps: int,
) -> tuple[float, BiasCurve]:
    if not (grid_max > 0 and grid_steps >= 2):
        raise ValueError(
            f"A grid needs a positive end and two values or more, got {grid_max = }, "
            f"{grid_steps = }."
        )
    bias_P = np.linspace(0.0, grid_max, grid_steps)
    found = [_metrics(winners, labels_N, is_seen_K, float(bias)) for bias in bias_P]
    seen_P, unseen_P = np.array([(metrics.seen, metrics.unseen) for metrics in found]).T
    curve = BiasCurve(bias=bias_P, seen=seen_P, unseen=unseen_P)
    best = int(np.argmax(curve.hm >= curve.hm.max() - _SAME_HM))
    if best == grid_steps - 1:
        _log.warning(
            "The best bias is the end of the grid, %g: better ones may lie beyond.", grid_max
        )
    return float(bias_P[best]), curve


def _metrics(
    winners: Winners, labels_N: NDArray[np.int64], is_seen_K: NDArray[np.bool_], bias: float
) -> Metrics:
    columns = [str(column) for column in range(len(is_seen_K))]
    return metrics_of(winners, labels_N, is_seen_K, bias=bias, names=columns)
