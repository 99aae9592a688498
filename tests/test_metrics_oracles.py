"""Metrics and calibration against naive loops, and the invariants that hold for any scores.

Scores are multiples of 1/8, so that subtracting a bias is exact and ties are real.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avzsl.metrics.accuracy import compute_metrics, confusion_counts, harmonic_mean
from avzsl.metrics.calibration import calibrate
from avzsl.metrics.winners import find_winners

quick = settings(max_examples=150, deadline=None)

EIGHTHS = st.integers(-6, 6).map(lambda n: n / 8)


@st.composite
def scored(draw, max_clips=12, score=EIGHTHS):
    """Scores, labels and flags with at least one clip of a seen and of an unseen class."""
    classes = draw(st.integers(2, 6))
    seen = draw(st.lists(st.booleans(), min_size=classes, max_size=classes))
    seen[0], seen[-1] = draw(st.sampled_from([(True, False), (False, True)]))
    some = st.integers(0, classes - 1)
    labels = [seen.index(True), seen.index(False), *draw(st.lists(some, max_size=max_clips - 2))]
    labels = draw(st.permutations(labels))
    row = st.lists(score, min_size=classes, max_size=classes)
    scores = draw(st.lists(row, min_size=len(labels), max_size=len(labels)))
    return np.array(scores), np.array(labels), np.array(seen)


def naive_predictions(scores, seen, bias, *, unseen_only=False):
    predicted = []
    for row in scores:
        best = None
        for k, score in enumerate(row):
            if unseen_only and seen[k]:
                continue
            adjusted = score - bias if seen[k] else score
            if best is None or adjusted > best[0]:
                best = (adjusted, k)
        predicted.append(best[1])
    return predicted


def naive_mean_accuracy(predicted, labels, classes):
    accuracies = []
    for c in classes:
        hits = [p == c for p, label in zip(predicted, labels, strict=True) if label == c]
        if hits:
            accuracies.append(100 * sum(hits) / len(hits))
    return sum(accuracies) / len(accuracies)


def naive_metrics(scores, labels, seen, bias):
    unseen_classes = [k for k in range(len(seen)) if not seen[k]]
    predicted = naive_predictions(scores, seen, bias)
    alone = naive_predictions(scores, seen, 0, unseen_only=True)
    s = naive_mean_accuracy(predicted, labels, [k for k in range(len(seen)) if seen[k]])
    u = naive_mean_accuracy(predicted, labels, unseen_classes)
    hm = 2 * s * u / (s + u) if s + u else 0.0
    return s, u, hm, naive_mean_accuracy(alone, labels, unseen_classes)


def four(metrics):
    return metrics.seen, metrics.unseen, metrics.hm, metrics.zsl


@quick
@given(scored(), st.integers(-20, 20).map(lambda n: n / 16))
def test_metrics(data, bias):
    metrics = compute_metrics(*data, bias=bias)
    assert four(metrics) == pytest.approx(naive_metrics(*data, bias), abs=1e-9)


@quick
@given(scored(), st.floats(-3, 3))
def test_invariants_of_the_metrics(data, bias):
    scores, labels, seen = data
    metrics = compute_metrics(scores, labels, seen, bias=bias)
    assert metrics.unseen <= metrics.zsl
    assert metrics.hm == pytest.approx(harmonic_mean(metrics.seen, metrics.unseen))
    assert all(np.isfinite(four(metrics)))
    order = np.random.default_rng(0).permutation(len(labels))
    assert compute_metrics(scores[order], labels[order], seen, bias=bias) == metrics


@quick
@given(scored(score=st.floats(-3, 3)))
def test_order_of_the_classes_does_not_matter_without_ties(data):
    scores, labels, seen = data
    scores = scores + np.linspace(0, 1e-3, scores.size).reshape(scores.shape) ** 2
    if any(len(set(row)) < len(row) for row in scores.tolist()):
        return
    order = np.random.default_rng(0).permutation(len(seen))
    moved = compute_metrics(scores[:, order], np.argsort(order)[labels], seen[order])
    assert four(moved) == pytest.approx(four(compute_metrics(scores, labels, seen)))


def naive_plateaus(scores, labels, seen):
    """Return (hm, low, high) of every interval and every point between two margins."""
    margins = set()
    for row in scores:
        best = {
            side: max(s for s, k in zip(row, seen, strict=True) if k == side) for side in (0, 1)
        }
        margins.add(best[1] - best[0])
    ends = sorted(margins)
    points = [(m, m, m) for m in ends]
    between = [((a + b) / 2, a, b) for a, b in itertools.pairwise(ends)]
    outer = [(ends[0] - 1, -np.inf, ends[0]), (ends[-1] + 1, ends[-1], np.inf)]
    for bias, low, high in [*points, *between, *outer]:
        yield naive_metrics(scores, labels, seen, bias)[2], low, high


@quick
@given(scored())
def test_exact_calibration_finds_the_best_bias_there_is(data):
    found = calibrate(*data)
    plateaus = list(naive_plateaus(*data))
    best = max(hm for hm, _, _ in plateaus)
    assert found.metrics.hm == pytest.approx(best, abs=1e-9)
    assert found.metrics == compute_metrics(*data, bias=found.bias)
    assert found.curve.hm.max() == pytest.approx(best, abs=1e-9)
    if best == 0:
        assert found.bias == 0
        return
    wide = max(high - low for hm, low, high in plateaus if hm > best - 1e-9)
    shifts = np.array([-0.499, 0.499]) * wide
    for bias in found.bias + shifts:
        assert compute_metrics(*data, bias=bias).hm == pytest.approx(best, abs=1e-9)


@quick
@given(scored())
def test_the_curve_is_what_metrics_say_at_its_biases(data):
    curve = calibrate(*data).curve
    assert (np.diff(curve.bias) > 0).all()
    for bias, s, u, hm in zip(curve.bias, curve.seen, curve.unseen, curve.hm, strict=True):
        metrics = compute_metrics(*data, bias=bias)
        assert (metrics.seen, metrics.unseen, metrics.hm) == pytest.approx((s, u, hm), abs=1e-9)


@quick
@given(scored(), st.sampled_from([2, 3, 5, 9, 17]), st.sampled_from([0.5, 1.5, 3.0]))
def test_grid_calibration(data, steps, end):
    found = calibrate(*data, search="grid", grid_max=end, grid_steps=steps)
    biases = [n * end / (steps - 1) for n in range(steps)]
    hms = [naive_metrics(*data, bias)[2] for bias in biases]
    assert found.curve.bias.tolist() == biases
    first_best = next(n for n in range(steps) if hms[n] >= max(hms) - 1e-9)
    assert found.bias == found.curve.bias[first_best]
    assert found.metrics.hm == pytest.approx(max(hms), abs=1e-9)
    assert calibrate(*data).metrics.hm >= found.metrics.hm - 1e-9


@quick
@given(scored(score=st.floats(allow_nan=False, width=32, min_value=-1e6, max_value=1e6)))
def test_exact_calibration_of_any_scores(data):
    found = calibrate(*data)
    assert found.metrics.hm == pytest.approx(found.curve.hm.max(), abs=1e-9)
    twice = calibrate(data[0] * 2, *data[1:])
    assert twice.bias == pytest.approx(2 * found.bias, rel=1e-12, abs=1e-300)
    assert twice.metrics.hm == found.metrics.hm


@quick
@given(scored())
def test_confusion_counts(data):
    scores, labels, seen = data
    predicted = find_winners(scores, seen).predict(0.25)
    counts = confusion_counts(predicted, labels, len(seen))
    expected = np.zeros((len(seen), len(seen)), dtype=int)
    for true, taken_for in zip(labels, naive_predictions(scores, seen, 0.25), strict=True):
        expected[true, taken_for] += 1
    np.testing.assert_array_equal(counts, expected)
