"""Every bias there is, in finitely many pieces on which no accuracy changes.

Only clips that are right on their own side matter: a clip of a seen class whose best seen class is
the true one counts for S up to its margin, a clip of an unseen class whose best unseen class is
the true one counts for U from its margin on. At the margin itself there is a tie, which goes to
the lower column; one bias can thus be a plateau of its own, of width 0.

Shapes: N clips, K candidate classes, M clips that are right on their side, P plateaus.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avzsl.metrics.accuracy import harmonic_mean
from avzsl.metrics.winners import Winners


@dataclass(frozen=True, kw_only=True)
class BiasCurve:
    """S and U in percent at ascending biases."""

    bias: NDArray[np.float64]
    """[P] in units of the scores."""
    seen: NDArray[np.float64]
    """[P] S."""
    unseen: NDArray[np.float64]
    """[P] U."""

    @property
    def hm(self) -> NDArray[np.float64]:
        """[P] harmonic mean of S and U."""
        return harmonic_mean(self.seen, self.unseen)


def find_plateaus(
    winners: Winners, labels_N: NDArray[np.int64], is_seen_K: NDArray[np.bool_]
) -> tuple[BiasCurve, NDArray[np.float64]]:
    """Return S and U of all plateaus at one bias of each, and the width of each plateau.

    Every bias that a float can hold is in one of the intervals. The bias returned is the middle of
    the interval, or a point near the only end of the first and of the last one. Widths [P] are
    infinite for those two, and 0 for a single point.
    """
    margin_M, late_M, share_M = _changes(winners, labels_N, is_seen_K)
    if not len(margin_M):
        zero_P = np.zeros(1)
        return BiasCurve(bias=zero_P, seen=zero_P, unseen=zero_P), np.full(1, np.inf)
    ends = np.append(np.flatnonzero((np.diff(margin_M) != 0) | np.diff(late_M)), len(margin_M) - 1)
    lost_P = np.append(0.0, np.cumsum(np.maximum(-share_M, 0))[ends])
    gained_P = np.append(0.0, np.cumsum(np.maximum(share_M, 0))[ends])
    low_P = np.append(-np.inf, margin_M[ends])
    high_P = np.append(margin_M[ends], np.inf)
    bias_P, exists_P = _representatives(
        low_P,
        high_P,
        has_low_P=np.append(False, ~late_M[ends]),
        has_high_P=np.append(late_M[ends], False),
    )
    curve = BiasCurve(
        bias=bias_P[exists_P],
        seen=(lost_P[-1] - lost_P)[exists_P],
        unseen=gained_P[exists_P],
    )
    return curve, (high_P - low_P)[exists_P]


def _changes(
    winners: Winners, labels_N: NDArray[np.int64], is_seen_K: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Return what happens as the bias grows, in that order: where, whether late, and how much.

    ``late`` is True where the seen class wins the tie, so that the change comes just above the
    margin and not at it. The share is what U gains, or minus what S loses, in percent.
    """
    of_seen_N = is_seen_K[labels_N]
    right_N = np.where(of_seen_N, winners.seen, winners.unseen) == labels_N
    clips_K = np.bincount(labels_N, minlength=len(is_seen_K))
    classes_seen, classes_unseen = (
        ((clips_K > 0) & side_K).sum() for side_K in (is_seen_K, ~is_seen_K)
    )
    classes_N = np.where(of_seen_N, classes_seen, classes_unseen)
    share_N = np.where(of_seen_N, -100.0, 100.0) / (clips_K[labels_N] * classes_N)
    margin_M, late_M = winners.margin[right_N], winners.seen_wins_tie[right_N]
    order_M = np.lexsort((late_M, margin_M))
    return margin_M[order_M], late_M[order_M], share_N[right_N][order_M]


def _representatives(
    low_P: NDArray[np.float64],
    high_P: NDArray[np.float64],
    *,
    has_low_P: NDArray[np.bool_],
    has_high_P: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return a bias within each interval, and whether there is one.

    The middle, unless the ends are equal or neighbouring floats: then an end that belongs to the
    interval, and if none does, no float lies in it.
    """
    span = high_P[-2] - low_P[1]
    reach = span / 20 if span > 0 else 1.0
    low_P, high_P = low_P.copy(), high_P.copy()
    low_P[0], high_P[-1] = high_P[0] - 2 * reach, low_P[-1] + 2 * reach
    middle_P = low_P + (high_P - low_P) / 2
    inside_P = (low_P < middle_P) & (middle_P < high_P)
    bias_P = np.where(inside_P, middle_P, np.where(has_low_P, low_P, high_P))
    return bias_P, inside_P | has_low_P | has_high_P
