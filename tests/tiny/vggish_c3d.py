"""VGGish and C3D with few channels, as the files that are published."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from random_states import random_array, random_state

VGGISH_CHANNELS = (4, 6, 8, 8, 10, 10)
VGGISH_WIDTHS = (24, 20, 16)
C3D_CHANNELS = (2, 3, 4, 4, 6, 6, 6, 6)
C3D_WIDTHS = (20, 16)
C3D_NAMES = ("conv1", "conv2", "conv3a", "conv3b", "conv4a", "conv4b", "conv5a", "conv5b")


def write(folder: Path) -> dict[str, dict[str, Any]]:
    c3d = random_state(c3d_layout())
    c3d["conv1.weight"] /= 64  # as the published ones, which pixels of 0..255 meet
    return {
        "vggish": {"weights": str(write_vggish(folder))},
        "c3d": {"weights": str(write_c3d(folder, c3d))},
    }


def write_vggish(folder: Path, state: Mapping[str, torch.Tensor] | None = None) -> Path:
    """Write a network and a PCA beside it."""
    whole = random_state(vggish_layout()) if state is None else dict(state)
    torch.save(whole, folder / "vggish.pth")
    write_pca(folder, width=VGGISH_WIDTHS[-1])
    return folder / "vggish.pth"


def write_c3d(folder: Path, state: Mapping[str, torch.Tensor] | None = None) -> Path:
    """Write a network in torch's format of before 2020, as the published file is."""
    whole = random_state(c3d_layout()) if state is None else dict(state)
    torch.save(whole, folder / "c3d.pickle", _use_new_zipfile_serialization=False)
    return folder / "c3d.pickle"


def write_pca(folder: Path, *, width: int) -> Path:
    """A PCA that spreads a tiny network's features over the 256 levels."""
    path = folder / "vggish_pca_params.npz"
    np.savez(
        path,
        pca_eigen_vectors=random_array(width, width, seed=1, scale=2 / np.sqrt(width)),
        pca_means=random_array(width, 1, seed=2, scale=0.5),
    )
    return path


def vggish_layout(*, dense: str = "embeddings") -> dict[str, list]:
    """Return the published tensors of a small VGGish, name -> [shape..., dtype]."""
    shapes: dict[str, list[int]] = {}
    places = zip((0, 3, 6, 8, 11, 13), pairwise((1, *VGGISH_CHANNELS)), strict=True)
    for place, (before, after) in places:
        shapes[f"features.{place}"] = [after, before, 3, 3]
    for i, (before, after) in enumerate(pairwise((VGGISH_CHANNELS[-1] * 24, *VGGISH_WIDTHS))):
        shapes[f"{dense}.{2 * i}"] = [after, before]
    return _with_biases(shapes)


def c3d_layout() -> dict[str, list]:
    """Return the published tensors of a small C3D, classifier included."""
    shapes: dict[str, list[int]] = {}
    for name, (before, after) in zip(C3D_NAMES, pairwise((3, *C3D_CHANNELS)), strict=True):
        shapes[name] = [after, before, 3, 3, 3]
    widths = (C3D_CHANNELS[-1] * 16, *C3D_WIDTHS, 7)
    for name, (before, after) in zip(("fc6", "fc7", "fc8"), pairwise(widths), strict=True):
        shapes[name] = [after, before]
    return _with_biases(shapes)


def _with_biases(shapes: dict[str, list[int]]) -> dict[str, list]:
    layout: dict[str, list] = {}
    for name, shape in shapes.items():
        layout[f"{name}.weight"] = [*shape, "torch.float32"]
        layout[f"{name}.bias"] = [shape[0], "torch.float32"]
    return layout
