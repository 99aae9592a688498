"""Eq. 3 counted in four ways: all exact ones agree to the last count, ties and all."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from avzsl.classes.distances import pairwise
from avzsl.classes.objectives import ClassObjective, blocked_separation, separation
from avzsl.classes.options import ClassOptimisation
from avzsl.classes.ranking import DenseRanking, Ranking, SampledRanking
from avzsl.classes.sorted_ranking import SortedRanking
from avzsl.classes.tensor_ranking import TensorRanking

torch.set_num_threads(1)
EXACT = [SortedRanking, TensorRanking]


def value_and_gradient(ranking: Ranking, distances: torch.Tensor) -> tuple[float, torch.Tensor]:
    leaf = distances.clone().requires_grad_()
    value = ranking(leaf)
    value.backward()
    assert leaf.grad is not None
    return value.item(), leaf.grad


def matrices(classes: int, seed: int, levels: int | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Distances before and after; on few levels, so that many are tied."""
    rng = np.random.default_rng(seed)
    before, after = (rng.random((classes, classes)) for _ in range(2))
    if levels:
        before, after = np.floor(before * levels) / levels, np.floor(after * levels) / levels
    return torch.tensor(before), torch.tensor(after)


@pytest.mark.parametrize("kind", EXACT)
@settings(max_examples=30, deadline=None)
@given(
    classes=st.integers(2, 40),
    seed=st.integers(0, 10_000),
    levels=st.sampled_from([None, 2, 5, 50]),
    margin=st.sampled_from([0.0, 0.05, 0.2, 0.5, 1.0, 3.0]),
)
def test_equals_comparing_all_triplets(
    kind: type[Ranking], classes: int, seed: int, levels: int | None, margin: float
) -> None:
    before, after = matrices(classes, seed, levels)
    dense, ranking = (k(before, margin=margin) for k in (DenseRanking, kind))
    assert ranking.triplets == dense.triplets
    expected, expected_gradient = value_and_gradient(dense, after)
    value, gradient = value_and_gradient(ranking, after)
    assert value == pytest.approx(expected, abs=1e-12)
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-15)


@pytest.mark.parametrize("kind", EXACT)
@pytest.mark.parametrize("margin", [0.1, 1.0])
def test_equals_it_on_many_classes(kind: type[Ranking], margin: float) -> None:
    torch.manual_seed(0)
    first = torch.randn(300, 32, dtype=torch.float64)
    second = first + 0.5 * torch.randn(300, 32, dtype=torch.float64)
    before, after = (pairwise(x, x, "cosine") for x in (first, second))
    after[5] = after[6]  # duplicates
    dense, ranking = (k(before, margin=margin) for k in (DenseRanking, kind))
    expected, expected_gradient = value_and_gradient(dense, after)
    value, gradient = value_and_gradient(ranking, after)
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-15)


@pytest.mark.parametrize("kind", EXACT)
def test_the_distance_to_itself_plays_no_part(kind: type[Ranking]) -> None:
    before, after = matrices(20, 0, None)
    changed = after.clone().fill_diagonal_(-7.0)
    value, gradient = value_and_gradient(kind(before, margin=0.3), after)
    again, other = value_and_gradient(kind(before, margin=0.3), changed)
    assert value == pytest.approx(again) and not gradient.diagonal().any()
    assert torch.equal(gradient, other)


@pytest.mark.parametrize("kind", [DenseRanking, *EXACT])
def test_blocks_of_anchors_are_joined(kind: type[Ranking]) -> None:
    before, after = matrices(37, 1, 9)
    ranking = kind(before, margin=0.2)
    whole, parts = torch.empty(37, 37, dtype=torch.float64), []
    counts = ranking.count(after, 0, whole)
    sums = [0, 0]
    for first in range(0, 37, 8):
        weights = torch.empty(len(after[first : first + 8]), 37, dtype=torch.float64)
        block = ranking.count(after[first : first + 8].clone(), first, weights)
        sums = [total + count for total, count in zip(sums, block, strict=True)]
        parts.append(weights)
    assert tuple(sums) == counts
    assert torch.equal(torch.cat(parts), whole)


def test_another_number_of_classes_is_refused() -> None:
    before, after = matrices(5, 0, None)
    with pytest.raises(ValueError, match="distances of 5 classes"):
        SortedRanking(before, margin=1.0)(after[:4, :4])


def test_drawn_triplets_estimate_all_of_them() -> None:
    before, after = matrices(30, 3, None)
    exact = DenseRanking(before, margin=0.2)(after).item()
    sampled = SampledRanking(before, margin=0.2, samples=20_000)
    values = [sampled(after).item() for _ in range(30)]
    assert np.mean(values) == pytest.approx(exact, rel=0.01) and np.std(values) > 0
    again = SampledRanking(before, margin=0.2, samples=20_000)
    assert again(after).item() == values[0], "seeded"


# --- separation and the whole objective -------------------------------------------------------


@pytest.mark.parametrize("distance", ["cosine", "l2", "l1"])
@pytest.mark.parametrize("cells", [7, 64, 2**24])
def test_separation_in_blocks_is_separation(
    monkeypatch: pytest.MonkeyPatch, distance: str, cells: int
) -> None:
    monkeypatch.setattr("avzsl.classes.objectives._BLOCK_CELLS", cells)
    torch.manual_seed(0)
    vectors = torch.randn(23, 5, dtype=torch.float64)
    vectors[3] = vectors[4]  # nearest neighbours at distance 0
    whole, blocks = (vectors.clone().requires_grad_() for _ in range(2))
    expected = separation(pairwise(whole, whole, distance))  # type: ignore[arg-type]
    found = blocked_separation(blocks, distance)  # type: ignore[arg-type]
    expected.backward()
    found.backward()
    assert found.item() == pytest.approx(expected.item(), abs=1e-12)
    np.testing.assert_allclose(blocks.grad, whole.grad, atol=1e-12)


def test_all_classes_may_be_equally_near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avzsl.classes.objectives._PAIR_CELLS", 50)
    whole, blocks = (torch.eye(12, dtype=torch.float64).requires_grad_() for _ in range(2))
    separation(pairwise(whole, whole, "l1")).backward()
    value = blocked_separation(blocks, "l1")
    value.backward()
    assert value.item() == pytest.approx(-2.0)
    np.testing.assert_allclose(blocks.grad, whole.grad, atol=1e-12)


def test_tied_nearest_neighbours_share_the_gradient() -> None:
    square = torch.tensor([[0.0, 0], [0, 1], [1, 1], [1, 0]], dtype=torch.float64)
    whole, blocks = (square.clone().requires_grad_() for _ in range(2))
    separation(pairwise(whole, whole, "l2")).backward()
    blocked_separation(blocks, "l2").backward()
    np.testing.assert_allclose(blocks.grad, whole.grad, atol=1e-12)
    assert blocks.grad is not None and blocks.grad.abs().min() > 0


def test_one_class_has_no_neighbour() -> None:
    with pytest.raises(ValueError, match="at least two classes"):
        blocked_separation(torch.zeros(1, 3), "cosine")


@pytest.mark.parametrize("objective", ["margin-ranking", "proximity"])
@pytest.mark.parametrize("ranking", ["exact", "dense"])
def test_the_objective_is_the_same_however_it_is_counted(objective: str, ranking: str) -> None:
    torch.manual_seed(1)
    original = torch.nn.functional.normalize(torch.randn(120, 16, dtype=torch.float64), dim=1)
    moved = original + 0.1 * torch.randn(120, 16, dtype=torch.float64)
    reference = ClassOptimisation(objective=objective, ranking="dense")
    options = ClassOptimisation(objective=objective, ranking=ranking)
    expected, found = (ClassObjective(original, o)(moved) for o in (reference, options))
    for name in ("loss", "separation", "semantic"):
        assert getattr(found, name).item() == pytest.approx(getattr(expected, name).item())
