"""Eq. 1, 3 and 4 from blocks of distances equal those from the matrix of all of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from avzsl.classes import objectives
from avzsl.classes.distances import (
    add_gradient,
    comparable,
    distance_blocks,
    pairwise,
    weighted_sum,
)
from avzsl.classes.objectives import ClassObjective, ranked_terms, separation
from avzsl.classes.options import ClassOptimisation
from avzsl.classes.ranking import DenseRanking, Ranking, SampledRanking
from avzsl.classes.sorted_ranking import SortedRanking
from avzsl.classes.tensor_ranking import TensorRanking

torch.set_num_threads(1)

DISTANCES = st.sampled_from(["cosine", "l2", "l1"])
MARGINS = st.sampled_from([0.0, 0.05, 0.3, 1.0, 4.0])
KINDS = st.sampled_from([DenseRanking, SortedRanking, TensorRanking])


def random_rows(classes: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(classes, 6, dtype=torch.float64, generator=generator)


def tied_rows(classes: int, seed: int) -> torch.Tensor:
    """Rows of 16 kinds, so that many are equal; their distances are exact in binary, and tied."""
    generator = torch.Generator().manual_seed(seed)
    corners = 1.0 - 2.0 * torch.randint(2, (classes, 4), generator=generator)
    return corners.double()


def of_the_whole(
    rows: torch.Tensor, before: torch.Tensor, distance: str, margin: float
) -> tuple[float, float, torch.Tensor, torch.Tensor]:
    """Both terms and their gradients, by autograd over the matrix of all distances."""
    ranking = DenseRanking(pairwise(before, before, distance), margin=margin)
    return differentiated(
        rows,
        lambda leaf: (
            separation(pairwise(leaf, leaf, distance)),
            ranking(pairwise(leaf, leaf, distance)),
        ),
    )


def differentiated(rows, terms):
    leaf = rows.clone().requires_grad_()
    values = terms(leaf)
    gradients = [torch.autograd.grad(value, leaf, retain_graph=True)[0] for value in values]
    return values[0].item(), values[1].item(), *gradients


def of_blocks(rows, before, distance, margin, kind, cells):
    ranking = kind(pairwise(before, before, distance), margin=margin)
    ranking.block_cells = cells
    return differentiated(rows, lambda leaf: ranked_terms(leaf, ranking, distance))


def assert_same(found, expected, tolerance=1e-12):
    np.testing.assert_allclose(found[:2], expected[:2], rtol=tolerance, atol=tolerance)
    for gradient, reference in zip(found[2:], expected[2:], strict=True):
        np.testing.assert_allclose(gradient, reference, rtol=0, atol=tolerance)


@pytest.mark.parametrize("rows_of", [random_rows, tied_rows])
@settings(max_examples=40, deadline=None)
@given(
    classes=st.integers(2, 40),
    seeds=st.tuples(st.integers(0, 9999), st.integers(0, 9999)),
    distance=DISTANCES,
    margin=MARGINS,
    kind=KINDS,
    cells=st.integers(1, 2000),
)
def test_equal_the_whole_matrix(rows_of, classes, seeds, distance, margin, kind, cells):
    before, rows = (rows_of(classes, seed) for seed in seeds)
    expected = of_the_whole(rows, before, distance, margin)
    assert_same(of_blocks(rows, before, distance, margin, kind, cells), expected)


@settings(max_examples=8, deadline=None)
@given(
    classes=st.integers(200, 300),
    seed=st.integers(0, 9999),
    distance=DISTANCES,
    margin=MARGINS,
    kind=st.sampled_from([SortedRanking, TensorRanking]),
)
def test_equal_it_for_many_classes(classes, seed, distance, margin, kind):
    before = random_rows(classes, seed)
    rows = before + 0.3 * random_rows(classes, seed + 1)
    expected = of_the_whole(rows, before, distance, margin)
    assert_same(of_blocks(rows, before, distance, margin, kind, 70 * classes), expected, 1e-11)


@pytest.mark.parametrize("distance", ["cosine", "l2", "l1"])
@pytest.mark.parametrize("margin", [0.02, 0.5])
def test_single_precision_is_near(monkeypatch, distance, margin):
    torch.manual_seed(0)
    before = torch.nn.functional.normalize(torch.randn(400, 50, dtype=torch.float64), dim=1)
    rows = before + 0.05 * torch.randn(400, 50, dtype=torch.float64)
    results = []
    for most in (10_000, 2):
        monkeypatch.setattr(objectives, "SINGLE_PRECISION_CLASSES", most)
        results.append(of_blocks(rows, before, distance, margin, SortedRanking, 2**14))
    expected, found = results
    assert found[:2] == pytest.approx(expected[:2], rel=1e-7)
    assert found[3].dtype == torch.float64 and not torch.equal(found[3], expected[3])
    for gradient, reference in zip(found[2:], expected[2:], strict=True):
        error = (gradient - reference).norm() / reference.norm()
        assert error < 1e-4


@pytest.mark.parametrize("distance", ["cosine", "l2", "l1"])
def test_gradient_and_sum_of_weighted_distances(distance):
    torch.manual_seed(0)
    rows = comparable(torch.randn(9, 4, dtype=torch.float64), distance)
    weights = torch.randint(-5, 5, (9, 9)).double()
    weights -= weights.mean(1, keepdim=True)
    leaf = rows.clone().requires_grad_()
    plain = 1 - leaf @ leaf.T if distance == "cosine" else pairwise(leaf, leaf, distance)
    value = (plain * weights).sum()
    value.backward()
    gradient = torch.zeros_like(rows)
    for first in (0, 4, 8):
        add_gradient(gradient, weights[first : first + 4], rows, first, distance)
    np.testing.assert_allclose(gradient, leaf.grad, atol=1e-12)
    assert weighted_sum(gradient, rows, distance) == pytest.approx(value.item())


@pytest.mark.parametrize("distance", ["cosine", "l2", "l1"])
@pytest.mark.parametrize("cells", [1, 30, 10_000])
def test_blocks_are_rows_of_all_distances(distance, cells):
    rows = comparable(random_rows(10, 0), distance)
    found = [
        (first, block.clone()) for first, block in distance_blocks(rows, distance, cells=cells)
    ]
    height = min(10, max(1, cells // 10))
    assert [first for first, _ in found] == list(range(0, 10, height))
    assert max(len(block) for _, block in found) == height
    whole = torch.cat([block for _, block in found])
    torch.testing.assert_close(whole, pairwise(rows, rows, distance))


@pytest.mark.parametrize("kind", [DenseRanking, SortedRanking, TensorRanking])
def test_ranks_of_very_many_classes_need_32_bits(monkeypatch, kind):
    before, rows = random_rows(30, 0), random_rows(30, 1)
    expected = of_blocks(rows, before, "l2", 0.3, kind, 200)
    monkeypatch.setattr("avzsl.classes.ranking._SHORT_CLASSES", 29)
    ranking = kind(pairwise(before, before, "l2"), margin=0.3)
    assert ranking.ranks_CC.dtype == torch.int32
    assert_same(of_blocks(rows, before, "l2", 0.3, kind, 200), expected, 0)


def test_ranks_that_fit_into_16_bits_are_kept_so():
    from avzsl.classes.ranking import _SHORT_CLASSES

    assert np.iinfo(np.uint16).max >= 2 * (_SHORT_CLASSES - 1)
    ranking = SortedRanking(pairwise(random_rows(5, 0), random_rows(5, 0), "l2"), margin=1.0)
    assert ranking.ranks_CC.dtype == torch.uint16


def test_drawn_triplets_are_spread_over_the_blocks():
    before, rows = random_rows(20, 0), random_rows(20, 1)
    exact: Ranking = DenseRanking(pairwise(before, before, "l2"), margin=0.5)
    drawn = SampledRanking(pairwise(before, before, "l2"), margin=0.5, samples=50_001)
    drawn.block_cells = 7 * 20
    values = [ranked_terms(rows, drawn, "l2")[1].item() for _ in range(10)]
    assert np.mean(values) == pytest.approx(ranked_terms(rows, exact, "l2")[1].item(), rel=0.02)
    assert np.std(values) > 0


def test_one_class_has_no_neighbour():
    ranking = DenseRanking(torch.zeros(1, 1), margin=1.0)
    with pytest.raises(ValueError, match="at least two classes"):
        ranked_terms(torch.zeros(1, 3), ranking, "cosine")


def test_the_loss_weighs_both_terms():
    before, rows = random_rows(12, 0)[:3], random_rows(12, 1)[:3]
    terms = ClassObjective(before, ClassOptimisation(alpha=0.25, margin=0.5))(rows)
    expected = of_the_whole(rows, before, "cosine", 0.5)
    assert terms.loss.item() == pytest.approx(0.25 * expected[0] + 0.75 * expected[1])
