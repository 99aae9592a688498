"""Descriptors of change: where what stands out is, how it turns, grows and moves.

Shapes: G pictures, S side, C side of a coarse copy, P = 3 C C differences of two coarse copies,
B windows, f pictures of a window, N = B (f - 1) pairs of pictures, O orders of a series, X values
of a picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from avzsl.encoders.appearance import CELLS, FAINT, Channels, gradients

if TYPE_CHECKING:
    from torch import Tensor

COARSE = 20
"""Side of the pictures on which motion is estimated: a step of one pixel is 5 % of the picture."""
MASS_VALUES = 10
"""Length of ``mass_descriptor``."""
CHANGE_VALUES = CELLS * CELLS + 1
"""Length of ``change_map``."""
FLOW_VALUES = 3 * 6
"""Length of ``affine_motion``: three statistics of six parameters."""


def mass_descriptor(salience_GSS: Tensor) -> Tensor:
    """Return place, extent and form of what stands out, [G, MASS_VALUES].

    Place x and y, log extent, elongation along x and along the diagonal, covered share, length of
    the outline by root of area, log kurtosis, three- and fourfold symmetry. All but the first two
    are the same wherever it is; the last four whatever its size and rotation, too (complex
    moments: Flusser, "On the independence of rotation moment invariants", Pattern Recognition
    2000).
    """
    import torch

    share = salience_GSS.square() + 1e-6
    share = share / share.sum((1, 2), keepdim=True)
    side = salience_GSS.shape[-1]
    axis_S = (torch.arange(side, device=share.device, dtype=share.dtype) + 0.5) / side - 0.5
    x_G = (share.sum(1) * axis_S).sum(1)
    y_G = (share.sum(2) * axis_S).sum(1)
    x_G1S = axis_S[None, None, :] - x_G[:, None, None]
    y_GS1 = axis_S[None, :, None] - y_G[:, None, None]
    square = torch.complex(x_G1S.square() - y_GS1.square(), 2 * x_G1S * y_GS1)
    radius = x_G1S.square() + y_GS1.square()
    weighted = share * square
    extent_G = (share * radius).sum((1, 2))
    fourth_G = (share * radius.square()).sum((1, 2))
    twofold_G = weighted.sum((1, 2)) / extent_G
    z_GSS = torch.complex(x_G1S.expand_as(share), y_GS1.expand_as(share))
    threefold_G = (weighted * z_GSS).sum((1, 2)).abs() / (extent_G * fourth_G).sqrt()
    fourfold_G = (weighted * square).sum((1, 2)).abs() / fourth_G
    edge_x, edge_y = gradients(salience_GSS)
    outline_G = torch.hypot(edge_x, edge_y).sum((1, 2))
    area_G = salience_GSS.sum((1, 2))
    return torch.stack(
        [
            2 * x_G,
            2 * y_G,
            torch.log(extent_G) / 2 + 1.5,
            twofold_G.real,
            twofold_G.imag,
            area_G / side**2,
            outline_G / (4 * area_G.sqrt() + 1),
            torch.log(fourth_G / extent_G.square()),
            2 * threefold_G,
            2 * fourfold_G,
        ],
        dim=1,
    )


def time_course(values_BfX: Tensor) -> Tensor:
    """Return mean, standard deviation and mean absolute change over a window, [B, 3 X]."""
    import torch

    mean_BX = values_BfX.mean(1)
    spread_BX = values_BfX.std(1, correction=0)
    change_BX = (values_BfX[:, 1:] - values_BfX[:, :-1]).abs().mean(1)
    return torch.cat([mean_BX, 4 * spread_BX, 4 * change_BX], dim=1)


def turning(series_BfO: Tensor) -> Tensor:
    """Return for each order how well the phase holds over a window and to the next picture.

    Both are 1 for a figure that does not turn and fall as it turns, the sooner the higher the
    order; both are 0 where there is no figure. [B, 2 O].
    """
    import torch

    frames = series_BfO.shape[1]
    energy_BO = series_BfO.abs().square().mean(1) + 1e-3
    held_BO = series_BfO.mean(1).abs().square()
    following_BO = (series_BfO[:, 1:] * series_BfO[:, :-1].conj()).real.sum(1) / (frames - 1)
    return torch.cat([held_BO / energy_BO, following_BO / energy_BO], dim=1)


def coarse_copy(channels: Channels, salience_GSS: Tensor) -> Tensor:
    """Return the three channels and the salience on a coarse grid, [G, 4, C, C]."""
    import torch
    from torch.nn import functional

    stack_G4SS = torch.stack([*channels, salience_GSS], dim=1)
    return functional.adaptive_avg_pool2d(stack_G4SS, COARSE)


def change_map(light_BfCC: Tensor) -> Tensor:
    """Return how much the brightness changes in each cell, [B, CHANGE_VALUES].

    The last value is the mean signed change: does the picture grow brighter or darker?
    """
    import torch
    from torch.nn import functional

    step = light_BfCC[:, 1:] - light_BfCC[:, :-1]
    cells = functional.adaptive_avg_pool2d(step.abs().mean(1, keepdim=True), CELLS).flatten(1)
    return torch.cat([2 * cells.sqrt(), 10 * step.mean((1, 2, 3))[:, None]], dim=1)


def affine_motion(coarse_Bf4CC: Tensor) -> Tensor:
    """Return statistics of the affine motion of what stands out, [B, FLOW_VALUES].

    From each picture to the next the motion is taken as affine, ``flow(p) = t + A p``, and fitted
    by least squares to the constancy of all three channels (Bergen et al., "Hierarchical
    Model-Based Motion Estimation", ECCV 1992); p starts at the centre of the salient mass, in
    units of its radius. The six numbers are the translation in x and y, growth (divergence), turn
    (curl) and two shears, in coarse pixels; of each come mean absolute value, standard deviation
    and mean over the window.

    Args:
        coarse_Bf4CC: Windows of coarse copies of pictures.
    """
    import torch

    before, after = (part.flatten(0, 1) for part in (coarse_Bf4CC[:, :-1], coarse_Bf4CC[:, 1:]))
    middle = (before + after) / 2
    weight = middle[:, 3:].square() + FAINT
    x, y = _places(weight)
    gx, gy = gradients(middle[:, :3])
    terms = (gx, gy, gx * x + gy * y, gy * x - gx * y, gx * x - gy * y, gx * y + gy * x)
    # In float64: squares of small numbers, and no trace of the batch in the rounding.
    design_N6P = (torch.stack(terms, dim=1) * weight.sqrt()[:, None]).flatten(2).double()
    change_N1P = ((after - before)[:, :3] * weight.sqrt()).flatten(1).double()[:, None]
    normal_N66 = design_N6P @ design_N6P.mT
    target_N6 = -(design_N6P * change_N1P).sum(2)
    # A little ridge: where there is no edge to hold on to, the answer is "no motion".
    ridge_N = 0.01 * normal_N66.diagonal(dim1=1, dim2=2).mean(1) + 1e-6
    eye_66 = torch.eye(6, dtype=torch.float64, device=ridge_N.device)
    flow_N6 = torch.linalg.solve(normal_N66 + ridge_N[:, None, None] * eye_66, target_N6)
    flow_Bf6 = flow_N6.float().unflatten(0, (len(coarse_Bf4CC), -1))
    flow_Bf6 = flow_Bf6 / (1 + flow_Bf6.abs())
    statistics = [flow_Bf6.abs().mean(1), flow_Bf6.std(1, correction=0), flow_Bf6.mean(1)]
    return torch.cat(statistics, dim=1)


def _places(weight_N1SS: Tensor) -> tuple[Tensor, Tensor]:
    """Return x and y of each pixel, from the centre of the weights and in units of their radius."""
    import torch

    side = weight_N1SS.shape[-1]
    axis_S = torch.arange(side, device=weight_N1SS.device, dtype=weight_N1SS.dtype)
    x_1S, y_S1 = axis_S[None], axis_S[:, None]
    total = weight_N1SS.sum((2, 3), keepdim=True)
    x = x_1S - (weight_N1SS * x_1S).sum((2, 3), keepdim=True) / total
    y = y_S1 - (weight_N1SS * y_S1).sum((2, 3), keepdim=True) / total
    extent = (weight_N1SS * (x.square() + y.square())).sum((2, 3), keepdim=True) / total
    return x / extent.sqrt(), y / extent.sqrt()
