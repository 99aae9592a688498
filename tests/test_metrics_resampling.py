"""Intervals and differences over clips: against naive loops, exact sums, and repeated sampling."""

import itertools
from statistics import fmean

import numpy as np
import pytest

from avzsl.metrics.accuracy import compute_metrics
from avzsl.metrics.resampling import (
    METRICS,
    Outcomes,
    bootstrap,
    flip_seeds,
    holm,
    interval,
    metrics_by_seed,
    permute_clips,
)


def outcomes_of(clips, methods=2, seeds=2, rates=None, seed=0):
    """Draw outcomes; ``clips`` of each class, the first half of the classes being seen."""
    rng = np.random.default_rng(seed)
    classes = len(clips)
    labels = rng.permutation(np.repeat(np.arange(classes), clips))
    is_seen = np.arange(classes) < classes // 2
    if rates is None:
        rates = rng.uniform(0.2, 0.8, (methods, classes))
    rate = np.asarray(rates)[:, None, labels]
    right = rng.random((methods, seeds, len(labels))) < rate
    # U <= ZSL: what is right among all classes is right among the unseen ones.
    right_zsl = right | (rng.random(right.shape) < 0.3)
    return Outcomes(labels=labels, is_seen=is_seen, right=right, right_zsl=right_zsl)


def naive_metrics(labels, is_seen, right, right_zsl):
    """S, U, HM and ZSL of one run, class by class."""

    def mean(side, ok):
        names = sorted({int(label) for label in labels if is_seen[label] == side})
        return 100 * fmean(
            fmean(float(o) for o, label in zip(ok, labels, strict=True) if label == name)
            for name in names
        )

    seen, unseen, zsl = mean(True, right), mean(False, right), mean(False, right_zsl)
    hm = 2 * seen * unseen / (seen + unseen) if seen + unseen else 0.0
    return [seen, unseen, hm, zsl]


def naive_by_seed(found, rows=None):
    rows = np.arange(len(found.labels)) if rows is None else rows
    return np.array(
        [
            [
                naive_metrics(found.labels[rows], found.is_seen, right[rows], zsl[rows])
                for right, zsl in zip(rights, zsls, strict=True)
            ]
            for rights, zsls in zip(found.right, found.right_zsl, strict=True)
        ]
    )


def test_metrics_equal_naive_ones_and_those_of_the_scores():
    found = outcomes_of([3, 1, 4, 2, 5, 2], methods=3)
    np.testing.assert_allclose(metrics_by_seed(found), naive_by_seed(found))
    rng = np.random.default_rng(1)
    labels, is_seen = np.repeat(np.arange(6), 4), np.arange(6) < 3
    scores = rng.standard_normal((24, 6)) + 2 * np.eye(6)[labels]
    metrics = compute_metrics(scores, labels, is_seen, bias=0.4)
    predicted = (scores - 0.4 * is_seen).argmax(1)
    zsl = np.where(is_seen, -np.inf, scores).argmax(1)
    single = Outcomes(
        labels=labels,
        is_seen=is_seen,
        right=(predicted == labels)[None, None],
        right_zsl=(zsl == labels)[None, None],
    )
    wanted = [getattr(metrics, name) for name in METRICS]
    np.testing.assert_allclose(metrics_by_seed(single)[0, 0], wanted)


def test_resamples_have_the_distribution_of_naive_ones():
    found = outcomes_of([6, 5, 7, 4], methods=2, seeds=2)
    rng = np.random.default_rng(5)
    naive = []
    for _ in range(1500):
        rows = []
        for label in range(4):
            own = np.flatnonzero(found.labels == label)
            rows += list(rng.choice(own, size=len(own) - 1))
        naive.append(naive_by_seed(found, np.array(rows)).mean(axis=1))
    naive = np.array(naive)
    drawn = bootstrap(found, resamples=6000, seed=1)
    assert drawn.shape == (6000, 2, 4)
    error = naive.std(axis=0) / np.sqrt(1500)
    assert (np.abs(drawn.mean(0) - naive.mean(0)) < 4.5 * error).all()
    np.testing.assert_allclose(drawn.std(0), naive.std(0), rtol=0.1)
    # Methods share the clips of a draw: differences vary as little as in the naive draws.
    gaps = [(values[:, 1] - values[:, 0]).std(axis=0) for values in (drawn, naive)]
    np.testing.assert_allclose(*gaps, rtol=0.1)
    assert not np.allclose(gaps[0], np.sqrt((drawn.std(0) ** 2).sum(0)), rtol=0.001)


def test_the_spread_of_seen_accuracy_is_that_of_the_textbook():
    found = outcomes_of([10, 20, 10, 20], methods=1, seeds=1, seed=3)
    drawn = bootstrap(found, resamples=20000, seed=0)[:, 0]
    variance = 0.0
    for label in (0, 1):
        own = found.right[0, 0, found.labels == label].astype(float)
        variance += 100**2 * own.var(ddof=1) / len(own) / 2**2
    assert drawn[:, 0].std() == pytest.approx(np.sqrt(variance), rel=0.02)


def test_intervals_cover_the_truth_as_often_as_they_say():
    clips, rates = [12] * 16, np.random.default_rng(7).uniform(0.2, 0.9, (2, 16))
    truth = 100 * np.stack([rates[:, :8].mean(1), rates[:, 8:].mean(1)])
    truth_hm = 2 * truth[0] * truth[1] / truth.sum(0)
    covered, covered_gap, tries = 0, 0, 300
    for seed in range(tries):
        found = outcomes_of(clips, seeds=1, rates=rates, seed=seed)
        drawn = bootstrap(found, resamples=400, seed=seed)[..., METRICS.index("hm")]
        low, high = interval(drawn[:, 0])
        covered += low <= truth_hm[0] <= high
        low, high = interval(drawn[:, 1] - drawn[:, 0])
        covered_gap += low <= truth_hm[1] - truth_hm[0] <= high
    # 95 % of 300 are 285; three standard errors are 11.
    assert 273 <= covered <= 296
    assert 273 <= covered_gap <= 296


def test_permutations_equal_the_sum_over_all_swaps():
    found = outcomes_of([2, 3, 2, 3], methods=3, seeds=2, seed=4)
    clips = len(found.labels)
    point = naive_by_seed(found).mean(axis=1)
    exact = np.zeros((3, 4))
    for swap in itertools.product([False, True], repeat=clips):
        for m in (0, 2):
            one, two = found.right[[m, 1]], found.right_zsl[[m, 1]]
            swapped = Outcomes(
                labels=found.labels,
                is_seen=found.is_seen,
                right=np.where(swap, one[::-1], one),
                right_zsl=np.where(swap, two[::-1], two),
            )
            gap = np.diff(metrics_by_seed(swapped).mean(axis=1), axis=0)[0]
            exact[m] += np.abs(gap) >= np.abs(point[m] - point[1]) - 1e-9
    exact /= 2**clips
    p = permute_clips(found, 1, permutations=20000, seed=0)
    np.testing.assert_allclose(p[[0, 2]], exact[[0, 2]], atol=0.02)
    np.testing.assert_array_equal(p[1], 1)


def test_equal_methods_are_rarely_called_different_and_unequal_ones_are():
    rates = np.full((2, 12), 0.5)
    called = [
        permute_clips(
            outcomes_of([8] * 12, seeds=1, rates=rates, seed=s), 0, permutations=199, seed=s
        )[1]
        for s in range(200)
    ]
    share = (np.array(called) <= 0.05).mean(axis=0)
    assert (share <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)).all()
    assert (share > 0).any()
    rates[1] = 0.8
    found = outcomes_of([8] * 12, seeds=1, rates=rates)
    assert (permute_clips(found, 0, permutations=999, seed=0)[1, :3] < 0.02).all()


def test_signs_of_seeds_equal_a_naive_test():
    found = outcomes_of([4] * 6, methods=3, seeds=5, seed=2)
    by_seed = metrics_by_seed(found)
    for m, k in itertools.product((1, 2), range(4)):
        gaps = by_seed[m, :, k] - by_seed[0, :, k]
        sums = [
            abs(sum(sign * gap for sign, gap in zip(signs, gaps, strict=True)))
            for signs in itertools.product([-1, 1], repeat=5)
        ]
        p = fmean(value >= abs(sum(gaps)) - 1e-9 for value in sums)
        assert flip_seeds(found, 0)[m, k] == pytest.approx(p)
    many = outcomes_of([4] * 4, seeds=16)
    assert 0 < flip_seeds(many, 0)[1, 0] <= 1
    np.testing.assert_array_equal(flip_seeds(outcomes_of([4] * 4, seeds=1), 0), 1)


def test_holm_is_stepwise_and_never_below_an_earlier_one():
    np.testing.assert_allclose(holm(np.array([0.04, 0.01, 0.03])), [0.06, 0.03, 0.06])
    np.testing.assert_allclose(holm(np.array([0.9, 0.5])), [1.0, 1.0])
    assert holm(np.array([])).shape == (0,)


def test_the_same_seed_gives_the_same_draws_and_another_gives_others():
    found = outcomes_of([4] * 4)
    draws = [bootstrap(found, resamples=50, seed=seed) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


def test_bad_outcomes_are_refused():
    found = outcomes_of([2, 2])
    with pytest.raises(ValueError, match="outcomes \\[M, S, N\\] of 3 clips"):
        Outcomes(
            labels=found.labels[:3],
            is_seen=found.is_seen,
            right=found.right,
            right_zsl=found.right_zsl,
        )
    with pytest.raises(ValueError, match="seen and of unseen"):
        Outcomes(
            labels=np.zeros_like(found.labels),
            is_seen=found.is_seen,
            right=found.right,
            right_zsl=found.right_zsl,
        )
