"""C3D: eight 3D convolutions and two dense layers over 16 pictures of 112 x 112.

Shapes: B clips, C channels, f pictures (16), S side (112), D features.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

CONVOLUTIONS = ("conv1", "conv2", "conv3a", "conv3b", "conv4a", "conv4b", "conv5a", "conv5b")
POOLS: dict[str, int | tuple[int, ...]] = {
    "conv1": (1, 2, 2),
    "conv2": 2,
    "conv3b": 2,
    "conv4b": 2,
    "conv5b": 2,
}
"""What follows a convolution: the size and step of a pooling, in time, height and width."""
POSITIONS = 4 * 4
"""Places that are left of 16 x 112 x 112 after all poolings."""


class C3d(nn.Module):
    """The network without its classifier, in the layout of the published weights."""

    def __init__(self, channels: Sequence[int], *, fc6: int, fc7: int) -> None:
        super().__init__()
        for name, (before, after) in zip(CONVOLUTIONS, pairwise((3, *channels)), strict=True):
            self.add_module(name, nn.Conv3d(before, after, kernel_size=3, padding=1))
        self.fc6 = nn.Linear(channels[-1] * POSITIONS, fc6)
        self.fc7 = nn.Linear(fc6, fc7)

    def forward(self, clips_BCfSS: Tensor, layer: Literal["fc6", "fc7"]) -> Tensor:
        """Return what leaves the ReLU behind a dense layer, [B, D]."""
        maps = clips_BCfSS
        for name in CONVOLUTIONS:
            maps = functional.relu(self.get_submodule(name)(maps))
            if name in POOLS:
                # The published port pads the odd side of 7 here, where the original rounds up.
                padding = (0, 1, 1) if name == CONVOLUTIONS[-1] else 0
                maps = functional.max_pool3d(maps, POOLS[name], padding=padding)
        features_BD = functional.relu(self.fc6(maps.flatten(1)))
        return features_BD if layer == "fc6" else functional.relu(self.fc7(features_BD))
