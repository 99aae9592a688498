"""Every formula against naive loops written from its equation: value and gradient.

Distances and scores are multiples of 1/8, so that ties are exact and both sides count the same.
"""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from avzsl.classes.distances import paired, pairwise
from avzsl.classes.objectives import ClassObjective, separation
from avzsl.classes.options import ClassOptimisation
from avzsl.classes.ranking import DenseRanking
from avzsl.losses.contrastive import contrastive_alignment
from avzsl.losses.ranking import hinge_ranking

torch.set_num_threads(1)

quick = settings(max_examples=60, deadline=None)


def eighths(low=-16, high=16):
    return st.integers(low, high).map(lambda n: n / 8)


@st.composite
def distance_matrices(draw, count, smallest=2):
    classes = draw(st.integers(smallest, 7))
    values = st.lists(eighths(0, 16), min_size=classes, max_size=classes)
    return [draw(st.lists(values, min_size=classes, max_size=classes)) for _ in range(count)]


def value_and_gradient(function, values):
    leaf = torch.tensor(values, dtype=torch.float64, requires_grad=True)
    loss = function(leaf)
    loss.backward()
    return loss.item(), leaf.grad.numpy()


# -- Eq. 1 ---------------------------------------------------------------------------------------


def naive_separation(d):
    classes = range(len(d))
    total, gradient = 0.0, np.zeros((len(d), len(d)))
    for c in classes:
        nearest = min(d[c][k] for k in classes if k != c)
        tied = [k for k in classes if k != c and d[c][k] == nearest]
        total -= nearest
        for k in tied:
            gradient[c, k] -= 1 / len(tied)
    return total / len(d), gradient / len(d)


@quick
@given(distance_matrices(1))
def test_separation(matrices):
    value, gradient = value_and_gradient(separation, matrices[0])
    expected, expected_gradient = naive_separation(matrices[0])
    assert value == pytest.approx(expected, abs=1e-12)
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-12)


# -- Eq. 3 ---------------------------------------------------------------------------------------


def naive_ranking(d, t, margin):
    classes = range(len(d))
    total, triplets, gradient = 0.0, 0, np.zeros((len(d), len(d)))
    for c in classes:
        for i in classes:
            for j in classes:
                if len({c, i, j}) < 3 or not t[c][i] < t[c][j]:
                    continue
                triplets += 1
                hinge = d[c][i] - d[c][j] + margin
                if hinge > 0:
                    total += hinge
                    gradient[c, i] += 1
                    gradient[c, j] -= 1
    return total / max(triplets, 1), gradient / max(triplets, 1)


@quick
@given(distance_matrices(2), st.sampled_from([0.0, 0.125, 0.5, 1.0, 3.0]))
def test_margin_ranking(matrices, margin):
    d, t = matrices
    ranking = DenseRanking(torch.tensor(t, dtype=torch.float64), margin=margin)
    value, gradient = value_and_gradient(ranking, d)
    expected, expected_gradient = naive_ranking(d, t, margin)
    assert value == pytest.approx(expected, abs=1e-12)
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-12)


@pytest.mark.parametrize("margin", [0.0, 0.3, 1.0])
def test_margin_ranking_of_thirty_real_valued_classes(margin):
    rng = np.random.default_rng(0)
    d, t = rng.random((30, 30)), rng.random((30, 30))
    value, gradient = value_and_gradient(DenseRanking(torch.from_numpy(t), margin=margin), d)
    expected, expected_gradient = naive_ranking(d.tolist(), t.tolist(), margin)
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-12)


def test_margin_ranking_does_not_depend_on_the_chunks(monkeypatch):
    rng = np.random.default_rng(1)
    d, t = (torch.from_numpy(rng.random((9, 9))) for _ in range(2))
    values = []
    for chunk in (1, 100, 200, 10**6):
        monkeypatch.setattr("avzsl.classes.ranking._CHUNK_TRIPLETS", chunk)
        values.append(value_and_gradient(DenseRanking(t, margin=0.5), d.tolist()))
    for value, gradient in values[1:]:
        assert value == pytest.approx(values[0][0], abs=1e-15)
        np.testing.assert_array_equal(gradient, values[0][1])


# -- Distances, Eq. 2 and 4 ----------------------------------------------------------------------


def naive_distance(x, y, distance):
    if distance == "cosine":
        lengths = math.sqrt(sum(a * a for a in x)) * math.sqrt(sum(b * b for b in y))
        return 1 - sum(a * b for a, b in zip(x, y, strict=True)) / lengths
    if distance == "l2":
        return math.sqrt(sum((a - b) ** 2 for a, b in zip(x, y, strict=True)))
    return sum(abs(a - b) for a, b in zip(x, y, strict=True))


vectors = st.lists(eighths().filter(bool), min_size=3, max_size=3)


@pytest.mark.parametrize("distance", ["cosine", "l2", "l1"])
@quick
@given(st.lists(st.tuples(vectors, vectors), min_size=1, max_size=5))
def test_distances(distance, pairs):
    x, y = ([pair[side] for pair in pairs] for side in (0, 1))
    x_CW, y_CW = (torch.tensor(rows, dtype=torch.float64) for rows in (x, y))
    all_pairs = [[naive_distance(a, b, distance) for b in y] for a in x]
    np.testing.assert_allclose(pairwise(x_CW, y_CW, distance), all_pairs, atol=1e-12)
    np.testing.assert_allclose(paired(x_CW, y_CW, distance), np.diagonal(all_pairs), atol=1e-12)


@pytest.mark.parametrize("objective", ["proximity", "margin-ranking"])
@pytest.mark.parametrize("distance", ["cosine", "l2", "l1"])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_whole_objective(objective, distance, alpha):
    rng = np.random.default_rng(2)
    t, w = rng.normal(size=(2, 8, 5))
    options = ClassOptimisation(objective=objective, distance=distance, alpha=alpha, margin=0.25)
    terms = ClassObjective(torch.from_numpy(t), options)(torch.from_numpy(w))
    d_w, d_t = ([[naive_distance(a, b, distance) for b in m] for a in m] for m in (w, t))
    proximity = np.mean([naive_distance(a, b, distance) for a, b in zip(w, t, strict=True)])
    semantic = proximity if objective == "proximity" else naive_ranking(d_w, d_t, 0.25)[0]
    apart = naive_separation(d_w)[0]
    assert terms.semantic.item() == pytest.approx(semantic, rel=1e-12)
    assert terms.separation.item() == pytest.approx(apart, rel=1e-12)
    expected = (1 - alpha) * semantic + alpha * apart
    assert terms.loss.item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("objective", ["proximity", "margin-ranking"])
@pytest.mark.parametrize("distance", ["cosine", "l2", "l1"])
def test_gradient_of_the_whole_objective_where_it_is_smooth(objective, distance):
    generator = torch.Generator().manual_seed(3)
    t_CW, w_CW = torch.randn(2, 7, 4, dtype=torch.float64, generator=generator)
    options = ClassOptimisation(objective=objective, distance=distance, margin=0.25)
    objective_of = ClassObjective(t_CW, options)
    assert torch.autograd.gradcheck(lambda w: objective_of(w).loss, w_CW.requires_grad_())


# -- Eq. 5 and the hinge loss --------------------------------------------------------------------


def naive_alignment(scores, labels, candidates):
    total, gradient = 0.0, np.zeros((len(scores), len(scores[0])))
    columns = {
        "classes": sorted(set(labels)),
        "samples": labels,
        "all": list(range(len(scores[0]))),
    }[candidates]
    for b, (row, label) in enumerate(zip(scores, labels, strict=True)):
        denominator = sum(math.exp(row[k]) for k in columns)
        total -= math.log(math.exp(row[label]) / denominator)
        for k in columns:
            gradient[b, k] += math.exp(row[k]) / denominator
        gradient[b, label] -= 1
    return total / len(scores), gradient / len(scores)


def naive_hinges(scores, labels, margin, violations):
    total, gradient = 0.0, np.zeros((len(scores), len(scores[0])))
    for b, (row, label) in enumerate(zip(scores, labels, strict=True)):
        hinges = {k: max(0.0, margin + row[k] - row[label]) for k in range(len(row)) if k != label}
        worst = max(hinges.values(), default=0.0)
        if violations in ("all", "ranked"):
            chosen = {k: 1.0 for k, hinge in hinges.items() if hinge > 0}
            if violations == "ranked":
                weight = sum(1 / place for place in range(1, len(chosen) + 1))
                chosen = {k: weight / len(chosen) for k in chosen}
        else:
            tied = [k for k, hinge in hinges.items() if hinge == worst > 0]
            chosen = {k: 1 / len(tied) for k in tied}
        for k, share in chosen.items():
            total += share * hinges[k]
            gradient[b, k] += share
            gradient[b, label] -= share
    return total / len(scores), gradient / len(scores)


@st.composite
def scored_batches(draw):
    clips, classes = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    row = st.lists(eighths(), min_size=classes, max_size=classes)
    scores = draw(st.lists(row, min_size=clips, max_size=clips))
    return scores, draw(st.lists(st.integers(0, classes - 1), min_size=clips, max_size=clips))


@pytest.mark.parametrize("candidates", ["classes", "samples", "all"])
@quick
@given(scored_batches())
def test_alignment(candidates, batch):
    scores, labels = batch
    value, gradient = value_and_gradient(
        lambda s: contrastive_alignment(s, torch.tensor(labels), candidates=candidates), scores
    )
    expected, expected_gradient = naive_alignment(scores, labels, candidates)
    assert value == pytest.approx(expected, abs=1e-12)
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-12)


@pytest.mark.parametrize("violations", ["all", "worst", "ranked"])
@quick
@given(scored_batches(), st.sampled_from([0.0, 0.125, 1.0]))
def test_hinge_ranking(violations, batch, margin):
    scores, labels = batch
    value, gradient = value_and_gradient(
        lambda s: hinge_ranking(s, torch.tensor(labels), margin=margin, violations=violations),
        scores,
    )
    expected, expected_gradient = naive_hinges(scores, labels, margin, violations)
    assert value == pytest.approx(expected, abs=1e-12)
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-12)
