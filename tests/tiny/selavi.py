"""SeLaVi with few channels, both halves and two heads in one file, as it is published."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from random_states import layout_of, random_state

from avzsl.encoders.selavi import ResNetSizes

VIDEO = ResNetSizes(stem=(2, 3), widths=(2, 4, 6, 12), depths=(1, 1, 2, 1))
AUDIO = ResNetSizes(stem=(6,), widths=(6, 8, 10, 14), depths=(1, 1, 1, 1))


def write(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / "selavi.pth"
    state = {f"module.{name}": tensor for name, tensor in random_state(layout()).items()}
    torch.save({"model": state, "epoch": 200, "args": argparse.Namespace(headcount=2)}, path)
    return {"selavi-audio": {"weights": str(path)}, "selavi-video": {"weights": str(path)}}


def layout() -> dict[str, list]:
    """Return the published tensors of a small model, name -> [shape..., dtype]."""
    from avzsl.encoders.networks.selavi import AudioResNet, R2Plus1d

    made: dict[str, list] = {}
    networks = {"video": (R2Plus1d, VIDEO), "audio": (AudioResNet, AUDIO)}
    for half, (network, sizes) in networks.items():
        for name, shape in layout_of(network(sizes).state_dict()).items():
            made[f"{half}_network.base.{name}"] = shape
        for head in range(2):
            made[f"mlp_{half[0]}{head}.block_forward.2.weight"] = [
                5,
                sizes.widths[-1],
                "torch.float32",
            ]
    return made
