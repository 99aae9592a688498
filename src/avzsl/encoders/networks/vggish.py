"""VGGish: six convolutions and three dense layers over a log-mel spectrogram of 0.96 s.

Shapes: B spectrograms, C channels, T frames (96), M mel bands (64), D features.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

POOL_AFTER = (0, 1, 3, 5)
"""Convolutions that a pooling follows."""
POSITIONS = 6 * 4
"""Places in time and frequency that are left of 96 x 64 after four poolings."""
LIMIT = 2.0
"""Whitened values are clipped to [-2, 2] before they become bytes."""


def without_tf32() -> AbstractContextManager[None]:
    """Return the context in which CUDA convolves in full float32.

    TF32, its default, keeps 10 bits of each factor, too few for 256 levels.
    """
    cudnn = torch.backends.cudnn
    return cudnn.flags(
        enabled=cudnn.enabled,
        benchmark=cudnn.benchmark,
        deterministic=cudnn.deterministic,
        allow_tf32=False,
    )


class Vggish(nn.Module):
    """The network, with a PCA that ``quantised`` applies where ``pca`` asks for it."""

    pca_matrix: Tensor
    pca_means: Tensor

    def __init__(self, channels: Sequence[int], widths: Sequence[int], *, pca: bool) -> None:
        super().__init__()
        self.features = nn.Sequential()
        for i, (before, after) in enumerate(pairwise((1, *channels))):
            self.features.append(nn.Conv2d(before, after, kernel_size=3, padding=1))
            self.features.append(nn.ReLU())
            if i in POOL_AFTER:
                self.features.append(nn.MaxPool2d(kernel_size=2))
        self.embeddings = nn.Sequential()
        for inputs, outputs in pairwise((channels[-1] * POSITIONS, *widths)):
            self.embeddings.append(nn.Linear(inputs, outputs))
            self.embeddings.append(nn.ReLU())
        if pca:
            self.register_buffer("pca_matrix", torch.eye(widths[-1]))
            self.register_buffer("pca_means", torch.zeros(widths[-1]))

    def forward(self, spectrograms_BTM: Tensor) -> Tensor:
        """Return the raw features [B, D], which a last ReLU makes non-negative."""
        maps_BCTM = self.features(spectrograms_BTM[:, None])
        # The weights come from TensorFlow, where channels are the innermost dimension.
        features_BD: Tensor = self.embeddings(maps_BCTM.permute(0, 2, 3, 1).flatten(1))
        return features_BD

    def quantised(self, raw_BD: Tensor, rounding: Literal["floor", "round"]) -> Tensor:
        """Return whitened features as whole numbers in 0..255, float32 [B, D]."""
        centred_BD = raw_BD.double() - self.pca_means.double()
        whitened_BD = (centred_BD @ self.pca_matrix.double().T).clamp(-LIMIT, LIMIT)
        levels_BD = (whitened_BD + LIMIT) * (255 / (2 * LIMIT))
        return (levels_BD.floor() if rounding == "floor" else levels_BD.round()).float()
