"""AudioMAE and DINO with two blocks of width 64, as the files that their authors publish."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from random_states import random_state

AUDIOMAE = {"channels": 1, "patches": 512}
DINO = {"channels": 3, "patches": 196}


def write(folder: Path) -> dict[str, dict[str, Any]]:
    audiomae, dino = folder / "audiomae.pth", folder / "dino.pth"
    torch.save({"model": random_state(layout(**AUDIOMAE)), "epoch": 31}, audiomae)
    torch.save(random_state(layout(**DINO)), dino)
    return {
        "audiomae": {"weights": str(audiomae)},
        # Steps of a second: the made-up clips of the tests have 12.5 frames a second.
        "dino": {"weights": str(dino), "frames_per_second": 1.0},
    }


def layout(
    *, channels: int, patches: int, patch: int = 16, width: int = 64, depth: int = 2
) -> dict[str, list]:
    """Return the published tensors of a small vision transformer, name -> [shape..., dtype]."""
    shapes: dict[str, list[int]] = {
        "cls_token": [1, 1, width],
        "pos_embed": [1, patches + 1, width],
        "patch_embed.proj.weight": [width, channels, patch, patch],
        "patch_embed.proj.bias": [width],
    }
    for block in range(depth):
        for name, shape in {
            "norm1": [width],
            "attn.qkv": [3 * width, width],
            "attn.proj": [width, width],
            "norm2": [width],
            "mlp.fc1": [4 * width, width],
            "mlp.fc2": [width, 4 * width],
        }.items():
            shapes[f"blocks.{block}.{name}.weight"] = shape
            shapes[f"blocks.{block}.{name}.bias"] = shape[:1]
    shapes |= {"norm.weight": [width], "norm.bias": [width]}
    return {name: [*shape, "torch.float32"] for name, shape in shapes.items()}
