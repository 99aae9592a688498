"""Ties and counts of Eq. 3; its values are in test_oracles.py."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from avzsl.classes.ranking import DenseRanking, neighbour_ranks

torch.set_num_threads(1)


def test_ranks_of_neighbours():
    distances = torch.tensor(
        [[0.0, 0.3, 0.1, 0.3], [0.0, 0.0, 0.0, 0.0], [3, 2, 0, 1], [0, 0.5, 0.5 + 1e-9, 0]]
    )
    # twice the mean rank of those that are tied
    expected = [[0, 5, 2, 5], [4, 0, 4, 4], [6, 4, 0, 2], [2, 5, 5, 0]]
    ranks, pairs = neighbour_ranks(distances)
    assert ranks.tolist() == expected
    assert pairs.tolist() == [2, 0, 3, 2]


@settings(max_examples=50, deadline=None)
@given(
    st.integers(1, 6).flatmap(lambda c: st.lists(st.integers(0, 2), min_size=c * c, max_size=c * c))
)
def test_ranks_and_triplets_equal_counting_them_one_by_one(values):
    classes = round(len(values) ** 0.5)
    x = torch.tensor(values, dtype=torch.float64).reshape(classes, classes)
    ranks, pairs = neighbour_ranks(x)
    nearer = torch.zeros(classes, classes, dtype=torch.int32)
    farther, ordered = nearer.clone(), torch.zeros(classes, dtype=torch.int64)
    for c, i, j in itertools.permutations(range(classes), 3):
        if x[c, i] < x[c, j]:
            nearer[c, j] += 1
            farther[c, i] += 1
            ordered[c] += 1
    others = ~torch.eye(classes, dtype=torch.bool)
    assert torch.equal((classes - ranks)[others], (farther - nearer)[others])
    assert torch.equal(pairs, ordered)
    assert not ranks.diagonal().any()


@pytest.mark.parametrize("rows", [1, 4, 11])
def test_ranks_of_a_block_of_anchors(rows):
    x = torch.randint(5, (11, 11), generator=torch.Generator().manual_seed(0)).double()
    whole = DenseRanking(x, margin=0.1)
    blocks = DenseRanking(iter(x.split(rows)), margin=0.1)
    assert torch.equal(blocks.ranks_CC.int(), whole.ranks_CC.int())
    assert torch.equal(blocks.pairs_C, whole.pairs_C)


def test_two_classes_make_no_triplet():
    distances = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64, requires_grad=True)
    ranking = DenseRanking(distances.detach(), margin=1.0)
    loss = ranking(distances)
    loss.backward()
    assert ranking.triplets == 0
    assert loss.item() == 0
    assert not distances.grad.any()


def test_three_classes_make_one_triplet_an_anchor():
    t = torch.tensor([[0.0, 1, 2], [1, 0, 3], [2, 3, 0]], dtype=torch.float64)
    ranking = DenseRanking(t, margin=0.5)
    assert ranking.triplets == 3
    assert ranking(t).item() == 0
    # every anchor's order turned round: hinges 1 + 0.5, 2 + 0.5, 1 + 0.5
    assert ranking(-t).item() == pytest.approx(5.5 / 3)


def test_rounding_noise_orders_nothing():
    t = torch.ones(5, 5, dtype=torch.float64)
    t += 1e-8 * torch.rand(5, 5, generator=torch.Generator().manual_seed(0))
    assert DenseRanking(t, margin=1.0).triplets == 0
    assert DenseRanking(t, margin=1.0, tie_tolerance=0.0).triplets == 5 * 6


def test_margin_zero_is_kept_by_the_original_order():
    generator = torch.Generator().manual_seed(1)
    t = torch.rand(20, 20, dtype=torch.float64, generator=generator)
    assert DenseRanking(t, margin=0.0)(t).item() == 0
    assert DenseRanking(t, margin=0.1)(t).item() > 0


def test_the_distance_to_itself_plays_no_part():
    rng = np.random.default_rng(2)
    t, d = (torch.from_numpy(rng.random((6, 6))) for _ in range(2))
    expected = DenseRanking(t, margin=0.3)(d).item()
    noise = torch.diag(torch.from_numpy(rng.normal(size=6)))
    assert DenseRanking(t + noise, margin=0.3)(d + noise).item() == pytest.approx(expected)


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"\[C, C\]"):
        DenseRanking(torch.zeros(3, 4), margin=1.0)
    with pytest.raises(ValueError, match="of 3 classes"):
        DenseRanking(torch.zeros(3, 3), margin=1.0)(torch.zeros(4, 4))
