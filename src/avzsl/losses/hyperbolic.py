r"""Similarities within a batch that an alignment loss compares between two modalities.

Hong et al., "Hyperbolic Audio-visual Zero-shot Learning", ICCV 2023 (arXiv:2308.12558), want the
clips of a batch to lie to each other in audio as they do in video, in a space of negative curvature
-c (the Poincaré ball of radius :math:`1/\sqrt{c}`). Two readings of "as they lie":

- :func:`tangent_cosines`, the released code: every point is clipped to the ball, moved to the
  tangent space at the origin by the logarithm

  .. math:: \log_0(x) = \mathrm{artanh}(\sqrt{c} \|x\|) \, \frac{x}{\sqrt{c} \|x\|},

  and compared by the cosine. Both maps change lengths only and a cosine does not see
  lengths: the curvature has no effect, neither on the value nor on any gradient.

- :func:`gromov_similarities`: every point is moved into the ball by the exponential map at the
  origin, and two points are as similar as their geodesics from the origin run together: the Gromov
  product :math:`(x|y) = (d(0,x) + d(0,y) - d(x,y)) / 2`, divided by its largest value, so
  that it lies in [0, 1] at any scale, as a cosine does. With :math:`a = 2 \sqrt{c} \|x\|`
  for the hyperbolic length and :math:`\theta` for the angle between two points, both in units
  of the curvature,

  .. math:: \sinh^2 \tfrac{d}{2}
            = \sinh^2 \tfrac{a_x - a_y}{2} + \sinh a_x \, \sinh a_y \, \sin^2 \tfrac{\theta}{2},

  the hyperbolic law of cosines without cancelling terms. For c to 0 this is the Euclidean
  :math:`1 - \|x - y\| / (\|x\| + \|y\|)`; the larger c, the more the space resembles a
  tree. Points with curvatures of their own share the ball of curvature -1, each scaled by its own
  :math:`\sqrt{c}`, which for a common c is the same.

Shapes: B points, D dimensions.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name

_RIM = 1 - 1e-3
"""Share of the ball's radius that a clipped point may have."""
_FARTHEST = 40.0
"""Largest hyperbolic length: beyond it float32 would overflow."""
_TINY = 1e-12


def tangent(points_BD: Tensor, curvature: Tensor) -> Tensor:
    """Return the points clipped to the ball and moved to the tangent space at its origin.

    Args:
        points_BD: Euclidean points.
        curvature: c > 0, a scalar or one per point, [B, 1].
    """
    root = curvature.sqrt()
    lengths_B1 = points_BD.norm(dim=1, keepdim=True).clamp(min=1e-5)
    inside_B1 = torch.where(lengths_B1 * root > _RIM, _RIM / root, lengths_B1)
    return points_BD / lengths_B1 * torch.atanh(root * inside_B1) / root


def tangent_cosines(points_BD: Tensor, curvature: Tensor) -> Tensor:
    """Return the cosine of every two points in the tangent space, [B, B].

    A point at the origin has the cosine 0 with all others.
    """
    units_BD = F.normalize(tangent(points_BD, curvature), dim=1)
    return units_BD @ units_BD.T


def gromov_similarities(points_BD: Tensor, curvature: Tensor) -> Tensor:
    """Return the scaled Gromov product of every two points, [B, B], between 0 and 1.

    Args:
        points_BD: Euclidean points, taken for tangent vectors at the origin of the ball.
        curvature: c > 0, a scalar or one per point, [B, 1].
    """
    lengths_B1 = 2 * curvature.sqrt() * points_BD.norm(dim=1, keepdim=True)
    lengths_B1 = lengths_B1.clamp(max=_FARTHEST)
    units_BD = F.normalize(points_BD, dim=1)
    # By differences and not by products: points that coincide must be at distance 0 exactly.
    chords_BB = torch.cdist(units_BD, units_BD, compute_mode="donot_use_mm_for_euclid_dist")
    sinh_B1 = lengths_B1.sinh()
    radial_BB = ((lengths_B1 - lengths_B1.T) / 2).sinh().square()
    squares_BB = radial_BB + sinh_B1 * sinh_B1.T * (chords_BB / 2).square()
    distances_BB = 2 * squares_BB.clamp(min=_TINY).sqrt().asinh()
    return 1 - distances_BB / (lengths_B1 + lengths_B1.T).clamp(min=1e-5)
