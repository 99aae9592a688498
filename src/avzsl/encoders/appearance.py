"""Descriptors of single pictures: what stands out, which colours there are, and which edges.

Directions, of hues on the colour circle and of edges, are described by Fourier series rather than
by counting into bins: term k is the mean of ``exp(i k direction)``. A series is smooth where bins
jump, its magnitude does not change when the picture turns, and its phase says how far it has turned
(Liu et al., "Rotation-Invariant HOG Descriptors Using Fourier Analysis in Polar and Spherical
Coordinates", IJCV 2014). Histograms are sums of the series.

Shapes: G pictures, S side, O orders of a series.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

HUE_ORDERS = 6
"""Highest order of the series of hues."""
HUES = 12
"""Bins of the histogram of hues."""
ORIENTATIONS = 9
"""Bins of the half circle of edge orientations (Dalal and Triggs, 2005)."""
CELLS = 4
"""Rows and columns of cells with an orientation histogram each."""
EDGE_ORDERS = 8
"""Highest order of the series of edge directions: the highest symmetry that is looked for."""
COLOUR_VALUES = 2 * HUES + 11
"""Length of ``colour_descriptor``."""
CELL_VALUES = CELLS * CELLS * ORIENTATIONS
"""Length of ``orientation_cells``."""
FAINT = 1e-4
"""Squared contrast that counts as none: 1 % of the range from black to white."""


class Channels(NamedTuple):
    """Opponent colours of pictures, each [G, S, S]."""

    light: Tensor
    """Brightness in [0, 1] (Rec. 601 luma)."""
    red: Tensor
    """Red against green and blue: the colour circle's axis at 0 degrees."""
    green: Tensor
    """Green against blue: the colour circle's axis at 90 degrees."""


class Edges(NamedTuple):
    """Gradients of pictures."""

    energy: Tensor
    """Squared strength, [G, S, S], in squared contrast per squared pixel."""
    unit: Tensor
    """``exp(i direction)``, the direction in which it grows brighter, complex [G, S, S]."""


def opponent_channels(rgb_G3SS: Tensor) -> Channels:
    """Return brightness and two opponent colours of pictures in [0, 1], slightly smoothed."""
    from torch.nn import functional

    padded = functional.pad(rgb_G3SS, (1, 1, 1, 1), mode="replicate")
    rows = padded[:, :, :-2] + padded[:, :, 1:-1] + padded[:, :, 2:]
    red, green, blue = ((rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]) / 9).unbind(1)
    return Channels(
        light=0.299 * red + 0.587 * green + 0.114 * blue,
        red=red - (green + blue) / 2,
        green=(green - blue) * (math.sqrt(3) / 2),
    )


def salience(channels: Channels) -> Tensor:
    """Return how much each pixel stands out from its picture, [G, S, S] in [0, 1].

    The distance in colour from the picture's median colour, which is the background wherever the
    background fills more than half; colour counts more than brightness. After the frequency-tuned
    saliency of Achanta et al. (CVPR 2009), which takes the mean instead.
    """
    light, red, green = (channel - _median(channel) for channel in channels)
    distance = light.square() / 4 + red.square() + green.square()
    # Soft threshold: half of the largest contrast counts half.
    return distance / (distance + distance.amax((1, 2), keepdim=True) / 4 + FAINT)


def _median(channel_GSS: Tensor) -> Tensor:
    """Return the median of a regular sample of the pixels, [G, 1, 1]."""
    return channel_GSS[:, ::3, ::3].flatten(1).median(1).values[:, None, None]


def colour_descriptor(channels: Channels, salience_GSS: Tensor) -> Tensor:
    """Return histograms of hue and moments of colour, [G, COLOUR_VALUES].

    One histogram of all colour, one of what stands out; square roots, so that an inner product is
    the Bhattacharyya coefficient. Then mean and spread of the three channels, their mean in what
    stands out, and mean colourfulness of all and of what stands out.
    """
    import torch

    stack_G3SS = torch.stack(channels, dim=1)
    chroma_GSS = (channels.red.square() + channels.green.square()).sqrt()
    salient_GSS = salience_GSS.square()
    weights = (chroma_GSS, chroma_GSS * salient_GSS)
    hue_GSS = _unit(channels.red, channels.green, chroma_GSS.square())
    powers = _powers(hue_GSS, HUE_ORDERS)
    terms = [(power * weight).mean((1, 2)) for power in powers for weight in weights]
    series_G2O = torch.stack(terms, dim=1).unflatten(1, (HUE_ORDERS, 2)).mT
    mean_G21 = torch.stack([weight.mean((1, 2)) for weight in weights], dim=1)[..., None]
    shares_G2X = fejer_sum(mean_G21, series_G2O, HUES) / (mean_G21 + 1e-3)
    share_G1SS = (salient_GSS / (salient_GSS.sum((1, 2), keepdim=True) + FAINT))[:, None]
    all_G4SS = torch.cat([stack_G3SS, chroma_GSS[:, None]], dim=1)
    mean_G4 = all_G4SS.mean((2, 3))
    spread_G3 = (stack_G3SS.square().mean((2, 3)) - mean_G4[:, :3].square()).clamp(min=0).sqrt()
    moments = [mean_G4, 2 * spread_G3, (all_G4SS * share_G1SS).sum((2, 3))]
    return torch.cat([shares_G2X.clamp(min=0).sqrt().flatten(1), *moments], dim=1)


def _unit(x: Tensor, y: Tensor, energy: Tensor) -> Tensor:
    """Return ``exp(i direction)`` of vectors of squared length ``energy``; 0 for vectors of 0."""
    import torch

    scale = (energy + 1e-12).rsqrt()
    return torch.complex(x * scale, y * scale)


def _powers(unit: Tensor, count: int) -> Iterator[Tensor]:
    """Yield the first ``count`` powers; one at a time, for they are large."""
    power = unit
    yield power
    for _ in range(count - 1):
        power = power * unit
        yield power


def fejer_sum(mean: Tensor, series: Tensor, bins: int) -> Tensor:
    """Return the values of a Fourier series at ``bins`` directions around the circle.

    Fejer's weights, which fall linearly with the order, keep the values of a density from becoming
    negative.

    Args:
        mean: Term of order 0, real [..., 1].
        series: Terms of order 1 ... O, complex [..., O].
        bins: Number of directions.

    Returns:
        [..., bins], adding up to ``mean``.
    """
    import torch

    orders = series.shape[-1]
    order_O1 = torch.arange(1, orders + 1, device=series.device, dtype=mean.dtype)[:, None]
    place_X = torch.arange(bins, device=series.device, dtype=mean.dtype)
    turn_OX = order_O1 * place_X * (2 * math.pi / bins)
    fade_O1 = 2 * (1 - order_O1 / (orders + 1))
    cosine_OX, sine_OX = fade_O1 * turn_OX.cos(), fade_O1 * turn_OX.sin()
    waves = (series.real[..., None] * cosine_OX + series.imag[..., None] * sine_OX).sum(-2)
    return (mean + waves) / bins


def gradients(field: Tensor) -> tuple[Tensor, Tensor]:
    """Return the change per pixel to the right and downwards, as [..., S, S]; 0 on the border."""
    from torch.nn import functional

    across = (field[..., 1:-1, 2:] - field[..., 1:-1, :-2]) / 2
    down = (field[..., 2:, 1:-1] - field[..., :-2, 1:-1]) / 2
    return functional.pad(across, (1, 1, 1, 1)), functional.pad(down, (1, 1, 1, 1))


def find_edges(channels: Sequence[Tensor]) -> Edges:
    """Return at each pixel the edge of the channel with the strongest one (Dalal and Triggs)."""
    import torch

    x, y = gradients(channels[0])
    energy = x.square() + y.square()
    for channel in channels[1:]:
        other_x, other_y = gradients(channel)
        other = other_x.square() + other_y.square()
        # With weights 0 and 1 lerp picks exactly, four times as fast as where does on a CPU.
        stronger = (other > energy).to(x.dtype)
        x, y = torch.lerp(x, other_x, stronger), torch.lerp(y, other_y, stronger)
        energy = torch.maximum(energy, other)
    return Edges(energy=energy, unit=_unit(x, y, energy))


def orientation_cells(edges: Edges) -> Tensor:
    """Return histograms of edge orientation in cells, [G, CELL_VALUES].

    Histograms of oriented gradients (Dalal and Triggs, 2005) on a coarse grid; square roots,
    normalised over the whole picture. Orientations have a half circle: only even orders count.
    """
    import torch
    from torch.nn import functional

    strength = edges.energy.sqrt()
    maps = [strength]
    for power in _powers(edges.unit.square(), EDGE_ORDERS // 2):
        maps += [power.real * strength, power.imag * strength]
    cells_GX = functional.adaptive_avg_pool2d(torch.stack(maps, dim=1), CELLS).flatten(2).mT
    series_GXO = torch.complex(cells_GX[..., 1::2], cells_GX[..., 2::2])
    counts_GX = fejer_sum(cells_GX[..., :1], series_GXO, ORIENTATIONS).clamp(min=0).flatten(1)
    return 3 * (counts_GX / (counts_GX.sum(1, keepdim=True) + 1e-3)).sqrt()


def edge_harmonics(edges: Edges) -> Tensor:
    """Return the series of edge directions, complex [G, EDGE_ORDERS], weighted by energy.

    The magnitude is large at order 4 for squares and at order 3 for triangles, however they lie.
    """
    import torch

    floor = FAINT / edges.energy.shape[-1]
    total_G = edges.energy.mean((1, 2)) + floor
    terms = [
        (power * edges.energy).mean((1, 2)) / total_G for power in _powers(edges.unit, EDGE_ORDERS)
    ]
    return torch.stack(terms, dim=1)
