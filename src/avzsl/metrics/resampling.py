"""How far the four numbers would move with other test clips, and how two methods compare on them.

Two questions about methods that were scored on the same clips, once per training seed:

*Interval* (``bootstrap``). Clips are drawn anew within each class, with replacement, and the same
draw serves all methods and seeds, so that differences between methods are paired. The classes and
the trained models stay as they are: the interval says what other clips *of these classes* would do
to *these models*. What other classes or other seeds would do is not in it. A class of n clips gives
n - 1 draws (Rao & Wu, "Resampling inference with complex survey data", JASA 1988): with n draws
the variance within a class of ten clips comes out a tenth too small. A class of one clip adds
nothing to the width.

*Difference* (``permute_clips``, ``flip_seeds``). If two methods were equally good, it would not
matter which of them had which of a clip's two outcomes. The permutation test swaps them for a
random half of the clips, all seeds of a clip together, and asks how often the difference becomes as
large as the one found. Clips must be independent of one another for that; where several are cut
from one video, p comes out too small. It, too, holds the trained models fixed. Whether the
difference outlives another training is for ``flip_seeds``: the same test with whole seeds in place
of clips, over all patterns of signs; with S seeds its p is at least 2 / 2^S.

Shapes: M methods, S seeds, N clips, K classes, R resamples; 4 metrics in the order of ``METRICS``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avzsl.metrics.accuracy import harmonic_mean

METRICS = ("seen", "unseen", "hm", "zsl")

_MOST_SEEDS = 14
"""Seeds whose patterns of signs are all listed; with more, that many patterns are drawn."""
_SAME = 1e-9
"""Percent; the same shares added up in another order differ by less."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """Which test clips were right, for several methods and seeds."""

    labels: NDArray[np.int64]
    """[N] column of each clip's class."""
    is_seen: NDArray[np.bool_]
    """[K]"""
    right: NDArray[np.bool_]
    """[M, S, N] whether the clip was taken for its class, all classes being candidates."""
    right_zsl: NDArray[np.bool_]
    """[M, S, N] the same with the unseen classes as candidates; of clips of seen classes unused."""

    def __post_init__(self) -> None:
        shape = (*self.right.shape[:2], len(self.labels))
        if self.right.shape != shape or self.right_zsl.shape != shape:
            raise ValueError(
                f"Expected outcomes [M, S, N] of {len(self.labels)} clips, got "
                f"{self.right.shape = }, {self.right_zsl.shape = }."
            )
        seen = int(self.is_seen[self.labels].sum())
        if seen in (0, len(self.labels)):
            raise ValueError(
                f"S and U need clips of seen and of unseen classes, got {seen} seen of "
                f"{len(self.labels)}."
            )

    def classes(self) -> Iterator[tuple[bool, Floats]]:
        """Yield for each class with clips whether it is seen, and its outcomes [n, M·S·2]."""
        both = np.stack([self.right, self.right_zsl], axis=2).reshape(-1, len(self.labels))
        for label in np.unique(self.labels):
            own = both[:, self.labels == label]
            yield bool(self.is_seen[label]), own.T.astype(np.float64)


def metrics_by_seed(outcomes: Outcomes) -> Floats:
    """Return S, U, HM and ZSL in percent, [M, S, 4]."""
    return _accumulate(outcomes, 1, lambda own: own.mean(axis=0, keepdims=True))[0]


def bootstrap(outcomes: Outcomes, *, resamples: int, seed: int) -> Floats:
    """Return the metrics on resampled clips, means over the seeds, [R, M, 4].

    Args:
        outcomes: The clips.
        resamples: R; 2,000 give a 95 % interval to about a tenth of its width.
        seed: Of the draws.
    """
    generator = np.random.default_rng(seed)

    def draw(own: Floats) -> Floats:
        clips = len(own)
        draws = max(clips - 1, 1)
        counts = generator.multinomial(draws, np.full(clips, 1 / clips), size=resamples)
        return counts @ own / draws

    return _accumulate(outcomes, resamples, draw).mean(axis=2)


def interval(values_R: Floats, confidence: float = 0.95) -> Floats:
    """Return the lower and the upper end of the percentile interval, [2, ...]."""
    tail = (1 - confidence) / 2
    return np.quantile(values_R, [tail, 1 - tail], axis=0)


def permute_clips(outcomes: Outcomes, reference: int, *, permutations: int, seed: int) -> Floats:
    """Return p of every method's difference to one of them, two-sided, [M, 4].

    Args:
        outcomes: The clips.
        reference: The method that all are compared with; its own p are 1.
        permutations: Random swaps; p is at least 1 / (1 + permutations).
        seed: Of the swaps.
    """
    generator = np.random.default_rng(seed)
    shape = (*outcomes.right.shape[:2], 2)

    def swap(own: Floats) -> Floats:
        """Return the recalls of methods and of the reference after the swap, side by side."""
        swaps = (generator.random((permutations, len(own))) < 0.5).astype(np.float64)
        gap = own.reshape(len(own), *shape)
        gap = (gap - gap[:, reference : reference + 1]).reshape(own.shape)
        moved = swaps @ gap / len(own)
        recall = own.mean(axis=0)
        base = np.broadcast_to(recall.reshape(shape)[reference], shape).reshape(-1)
        return np.stack([recall - moved, base + moved], axis=1)

    swapped = _accumulate(outcomes, (permutations, 2), swap).mean(axis=3)
    found = metrics_by_seed(outcomes).mean(axis=1)
    size_M4 = np.abs(found - found[reference])
    as_large = np.abs(swapped[:, 0] - swapped[:, 1]) >= size_M4 - _SAME
    p_M4: Floats = (1 + as_large.sum(axis=0)) / (1 + permutations)
    return p_M4


def flip_seeds(outcomes: Outcomes, reference: int) -> Floats:
    """Return p of every method's difference to one of them over the seeds, two-sided, [M, 4].

    Seed by seed, the sign of the difference is as likely either way if the methods are equally
    good. With one seed p is 1.
    """
    by_seed = metrics_by_seed(outcomes)
    gap_MS4 = by_seed - by_seed[reference]
    seeds = gap_MS4.shape[1]
    if seeds <= _MOST_SEEDS:
        patterns = np.arange(2**seeds)[:, None] >> np.arange(seeds) & 1
    else:
        patterns = np.random.default_rng(0).integers(2, size=(2**_MOST_SEEDS, seeds))
        patterns[0] = 0  # the differences as they are
    flipped = np.einsum("ps,msk->pmk", 1 - 2 * patterns, gap_MS4) / seeds
    as_large = np.abs(flipped) >= np.abs(gap_MS4.mean(axis=1)) - _SAME
    p_M4: Floats = as_large.mean(axis=0)
    return p_M4


def holm(p: Floats) -> Floats:
    """Return p of several comparisons adjusted so that one false alarm has the stated chance.

    Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 1979.

    Args:
        p: [C] of the comparisons.
    """
    order = np.argsort(p, kind="stable")
    adjusted = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    result = np.empty_like(p)
    result[order] = np.minimum(adjusted, 1.0)
    return result


def _accumulate(
    outcomes: Outcomes, lead: int | tuple[int, ...], recall_of: Callable[[Floats], Floats]
) -> Floats:
    """Return the metrics [..., M, S, 4] from the recalls that a function makes of each class.

    Args:
        outcomes: The clips.
        lead: The leading axes of what comes out.
        recall_of: Takes the outcomes [n, M·S·2] of a class, returns recalls [..., M·S·2].
    """
    lead = (lead,) if isinstance(lead, int) else lead
    shape = (*lead, *outcomes.right.shape[:2], 2)
    sums = {True: np.zeros(shape), False: np.zeros(shape)}
    counts = {True: 0, False: 0}
    for is_seen, own in outcomes.classes():
        sums[is_seen] += recall_of(own).reshape(shape)
        counts[is_seen] += 1
    seen = 100 * sums[True][..., 0] / counts[True]
    unseen, zsl = np.moveaxis(100 * sums[False] / counts[False], -1, 0)
    return np.stack([seen, unseen, harmonic_mean(seen, unseen), zsl], axis=-1)
