"""Pictures of any size onto one square, without distortion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from torch import Tensor

CHUNK = 32
"""Pictures at a time, which bounds the memory for large ones."""


def letterbox(rgb: NDArray[np.uint8], *, size: int, device: torch.device | str) -> Tensor:
    """Return pictures [F, 3, size, size], uint8: the longer side fitted, the edges continued.

    Resized by bilinear interpolation with antialiasing, as Pillow does it. What the shorter side
    leaves open repeats the picture's outermost row or column, since black bars would be read as
    edges.

    Args:
        rgb: Pictures [F, H, W, 3].
        size: Side of the square in pixels.
        device: Where to work; the pictures of a CPU and a GPU may differ by one level.
    """
    import torch
    from torch.nn import functional

    height, width = rgb.shape[1:3]
    inner_h = max(1, round(size * height / max(height, width)))
    inner_w = max(1, round(size * width / max(height, width)))
    left, top = (size - inner_w) // 2, (size - inner_h) // 2
    margins = (left, size - inner_w - left, top, size - inner_h - top)
    parts = []
    for begin in range(0, len(rgb), CHUNK):
        chunk = torch.from_numpy(rgb[begin : begin + CHUNK]).to(device).permute(0, 3, 1, 2)
        # Only the CPU resizes bytes, and it does so several times faster than floats.
        source = chunk if chunk.device.type == "cpu" else chunk.float()
        small = functional.interpolate(
            source, (inner_h, inner_w), mode="bilinear", antialias=True, align_corners=False
        )
        framed = functional.pad(small.float().round().clamp(0, 255), margins, mode="replicate")
        parts.append(framed.to(torch.uint8))
    return torch.cat(parts)
