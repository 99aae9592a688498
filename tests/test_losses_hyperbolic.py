"""Similarities under a curvature: against the Poincaré ball's own formulas, and their limits."""

import numpy as np
import pytest
import torch
from random_states import random_array
from torch.nn import functional as F  # noqa: N812 - its usual name

from avzsl.losses.hyperbolic import gromov_similarities, tangent, tangent_cosines

POINTS = torch.from_numpy(random_array(6, 4, seed=0, scale=0.6)).double()
OTHERS = torch.from_numpy(random_array(6, 4, seed=1, scale=0.6)).double()
SIMILARITIES = [gromov_similarities, tangent_cosines]


def one(value):
    return torch.tensor(value, dtype=torch.float64)


def moebius_distance(x, y, c):
    """The distance of two points of the ball, by Möbius addition."""
    xy, xx, yy = -x @ y, x @ x, y @ y
    top = (1 + 2 * c * xy + c * yy) * -x + (1 - c * xx) * y
    added = top / (1 + 2 * c * xy + c**2 * xx * yy)
    return 2 / np.sqrt(c) * np.arctanh(np.sqrt(c) * np.linalg.norm(added))


def in_ball(u, c):
    """The exponential map at the origin."""
    length = np.sqrt(c) * np.linalg.norm(u)
    return np.tanh(length) * u / length


@pytest.mark.parametrize("c", [0.01, 0.19, 1.0])
def test_gromov_similarity_is_that_of_the_ball(c):
    points, origin = [in_ball(u, c) for u in POINTS.numpy()], np.zeros(4)
    wanted = np.ones((6, 6))
    for i, x in enumerate(points):
        for j, y in enumerate(points):
            ends = moebius_distance(origin, x, c) + moebius_distance(origin, y, c)
            wanted[i, j] = (ends - (moebius_distance(x, y, c) if i != j else 0.0)) / ends
    ours = gromov_similarities(POINTS, one(c))
    np.testing.assert_allclose(ours, wanted, rtol=0, atol=1e-5)


def test_without_curvature_it_is_euclidean():
    lengths = POINTS.norm(dim=1)
    wanted = 1 - torch.cdist(POINTS, POINTS) / (lengths[:, None] + lengths)
    ours = gromov_similarities(POINTS, one(1e-8))
    torch.testing.assert_close(ours, wanted, atol=1e-2, rtol=0)
    assert (ours - gromov_similarities(POINTS, one(0.5))).abs().max() > 0.1


def test_a_common_curvature_may_be_given_per_point():
    for similarity in SIMILARITIES:
        each = torch.full((6, 1), 0.3).double()
        torch.testing.assert_close(similarity(POINTS, each), similarity(POINTS, one(0.3)))


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_values_are_symmetric_and_1_with_oneself(similarity):
    values = similarity(POINTS, one(0.2))
    torch.testing.assert_close(values, values.T)
    torch.testing.assert_close(values.diagonal(), torch.ones(6).double(), atol=1e-5, rtol=0)
    assert values.max() <= 1 + 1e-12
    assert values.min() >= (0 if similarity is gromov_similarities else -1)


def test_tangent_is_the_logarithm_of_the_clipped_point():
    for c in (0.01, 4.0):
        moved = tangent(POINTS, one(c))
        for x, y in zip(POINTS, moved, strict=True):
            length = min(x.norm().item(), 0.999 / np.sqrt(c))
            wanted = np.arctanh(np.sqrt(c) * length) / np.sqrt(c)
            assert y.norm().item() == pytest.approx(wanted)
            assert F.cosine_similarity(x, y, dim=0).item() == pytest.approx(1.0)


def test_curvature_has_no_effect_on_the_released_similarity():
    """Neither on its value nor by any gradient, below, on and above the rim of the ball."""
    values = [tangent_cosines(POINTS, one(c)) for c in (1e-4, 0.19, 0.5, 10.0)]
    for value in values[1:]:
        torch.testing.assert_close(value, values[0], atol=1e-12, rtol=0)
    for shape in ((), (6, 1)):
        c = torch.full(shape, 0.5, dtype=torch.float64, requires_grad=True)
        F.mse_loss(tangent_cosines(POINTS, c), tangent_cosines(OTHERS, c)).backward()
        assert c.grad.abs().max() < 1e-12


def test_curvature_has_an_effect_on_the_gromov_similarity():
    for shape in ((), (6, 1)):
        c = torch.full(shape, 0.5, dtype=torch.float64, requires_grad=True)
        F.mse_loss(gromov_similarities(POINTS, c), gromov_similarities(OTHERS, c)).backward()
        assert c.grad.abs().min() > 1e-6


def test_gradients_are_those_of_finite_differences():
    c = torch.full((6, 1), 0.5, dtype=torch.float64, requires_grad=True)
    points = POINTS.clone().requires_grad_()
    off_diagonal = ~torch.eye(6, dtype=torch.bool)

    def values(points, c):
        return gromov_similarities(points, c)[off_diagonal]

    assert torch.autograd.gradcheck(values, (points, c))


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_far_equal_and_zero_points_are_borne(similarity):
    points = torch.cat([POINTS[:2], POINTS[:1], torch.zeros(2, 4), 1e4 * POINTS[3:5]]).float()
    points.requires_grad_()
    c = torch.tensor(0.5, requires_grad=True)
    values = similarity(points, c)
    assert values.isfinite().all()
    values.square().sum().backward()
    assert points.grad.isfinite().all()
    assert c.grad.isfinite()
