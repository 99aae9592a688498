"""Tensors of a published layout, all random and the same on every machine.

The numbers come from ``numpy.random.RandomState``, whose streams are frozen, one stream a tensor,
seeded by its name: a golden file needs to hold the names and shapes only.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor


def layout_of(state: Mapping[str, Tensor]) -> dict[str, list]:
    """Return name -> [shape..., dtype] of a state dict, for a golden file."""
    return {name: [*tensor.shape, str(tensor.dtype)] for name, tensor in state.items()}


def random_state(layout: Mapping[str, list], *, seed: int = 0) -> dict[str, Tensor]:
    """Return random tensors that keep a network's activations in range.

    Matrices and kernels have a variance of 1 / fan-in, weights of norms lie around 1, variances of
    batch norms between 0.5 and 1.5, everything else around 0. Integers: counters are 1, positions
    count up.
    """
    return {name: _tensor(name, shape, seed) for name, shape in layout.items()}


def random_array(*shape: int, seed: int = 0, scale: float = 1.0) -> np.ndarray:
    """Return a random input, float32, the same on every machine."""
    return (scale * np.random.RandomState(seed).standard_normal(shape)).astype(np.float32)


def random_bytes(*shape: int, seed: int = 0) -> np.ndarray:
    """Return a random picture, uint8, the same on every machine."""
    return np.random.RandomState(seed).randint(0, 256, shape).astype(np.uint8)


def _tensor(name: str, layout: list, seed: int) -> Tensor:
    *shape, dtype = layout
    kind = getattr(torch, dtype.removeprefix("torch."))
    rng = np.random.RandomState((zlib.crc32(name.encode()) + seed) % 2**32)
    if not kind.is_floating_point:
        whole = np.arange(shape[-1]) * np.ones(shape) if shape else np.ones(())
        return torch.tensor(whole).to(kind)
    values = rng.standard_normal(shape)
    if name.endswith("running_var"):
        values = rng.uniform(0.5, 1.5, shape)
    elif len(shape) > 1:
        values = values / np.sqrt(np.prod(shape[1:]))
    elif name.endswith("weight"):
        values = 1 + 0.2 * values
    else:
        values = 0.2 * values
    return torch.tensor(values).to(kind)
