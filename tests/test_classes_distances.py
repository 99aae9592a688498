"""Gradients and error messages of the distances; their values are in test_oracles.py."""

import pytest
import torch

from avzsl.classes.distances import paired, pairwise
from avzsl.classes.objectives import separation

torch.set_num_threads(1)

DISTANCES = ["cosine", "l2", "l1"]


@pytest.mark.parametrize("distance", DISTANCES)
def test_coinciding_vectors_have_no_distance_and_no_pull(distance):
    x = torch.tensor([[0.6, 0.8], [0.6, 0.8], [1.0, 0.0]], dtype=torch.float64)
    one, other = x.clone().requires_grad_(), x.clone().requires_grad_()
    distances = paired(one, other, distance)
    torch.testing.assert_close(distances, torch.zeros(3).double())
    distances.sum().backward()
    torch.testing.assert_close(one.grad, torch.zeros(3, 2).double())
    both = x.clone().requires_grad_()
    pairwise(both, both, distance)[0, 1].backward()
    torch.testing.assert_close(both.grad, torch.zeros(3, 2).double())


@pytest.mark.parametrize("distance", DISTANCES)
def test_distances_are_symmetric(distance):
    x = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    distances = pairwise(x, x, distance)
    torch.testing.assert_close(distances, distances.T)
    torch.testing.assert_close(distances.diagonal(), torch.zeros(6).double())


@pytest.mark.parametrize("distance", DISTANCES)
def test_gradients_of_distances(distance):
    x, y = torch.randn(2, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    x.requires_grad_(), y.requires_grad_()
    for function in (pairwise, paired):
        assert torch.autograd.gradcheck(lambda a, b, f=function: f(a, b, distance), (x, y))


def test_cosine_distance_looks_at_directions_alone():
    x = torch.tensor([[3.0, 0], [0, 0.1], [-7, 0]])
    expected = torch.tensor([[0.0, 1, 2], [1, 0, 1], [2, 1, 0]])
    torch.testing.assert_close(pairwise(x, x, "cosine"), expected)


def test_equally_near_neighbours_share_the_gradient():
    distances = torch.tensor(
        [[0.0, 1, 1], [2, 0, 5], [3, 3, 0]], dtype=torch.float64, requires_grad=True
    )
    separation(distances).backward()
    expected = torch.tensor([[0, -0.5, -0.5], [-1, 0, 0], [-0.5, -0.5, 0]]).double() / 3
    torch.testing.assert_close(distances.grad, expected)


def test_wrong_input_is_named():
    x = torch.ones(3, 2)
    with pytest.raises(ValueError, match="'cosine', 'l2' or 'l1', got 'l3'"):
        pairwise(x, x, "l3")
    with pytest.raises(ValueError, match="vectors of one size"):
        pairwise(x, torch.ones(3, 3), "l2")
    with pytest.raises(ValueError, match="as many rows"):
        paired(x, torch.ones(2, 2), "l2")
    with pytest.raises(ValueError, match="at least two classes"):
        separation(torch.zeros(1, 1))
