"""What the scripts that ran the released code, and the tests that compare with it, must agree on.

Everything is in double precision, so that a difference is a difference of formulas. A golden file
holds no weights: both sides draw them by ``random_states`` from the layout of the released model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
from random_states import random_array
from torch import Tensor

FOLDER = Path(__file__).parent / "golden" / "methods"
AUDIO, VISUAL, TEXT = 12, 20, 300
LABELS = [0, 0, 1, 2, 3, 3, 4, 5, 1, 2]
NEGATIVE_LABELS = [1, 4, 0, 5, 2, 1, 3, 0, 2, 4]
CLASSES = 6


def inputs() -> dict[str, Tensor]:
    """Return the means and labels of ten clips and of ten others, and six class embeddings."""
    clips = len(LABELS)

    def draw(*shape: int, seed: int, scale: float = 1.0) -> Tensor:
        return torch.from_numpy(random_array(*shape, seed=seed, scale=scale)).double()

    return {
        "audio": draw(clips, AUDIO, seed=1),
        "visual": draw(clips, VISUAL, seed=2),
        "labels": torch.tensor(LABELS),
        "negative_audio": draw(clips, AUDIO, seed=3),
        "negative_visual": draw(clips, VISUAL, seed=4),
        "negative_labels": torch.tensor(NEGATIVE_LABELS),
        "classes": draw(CLASSES, TEXT, seed=5, scale=0.1),
    }


def summary(name: str, tensor: Tensor) -> list[float]:
    """Return six numbers of a tensor: its norm, its part along a random direction, four entries."""
    flat = tensor.detach().double().flatten()
    seed = sum(map(ord, name))
    direction = torch.from_numpy(random_array(len(flat), seed=seed)).double()
    entries = torch.cat([flat, flat.new_zeros(4)])[:4]
    return [flat.norm().item(), (flat @ direction).item(), *entries.tolist()]


def summaries(tensors: Mapping[str, Tensor]) -> np.ndarray:
    """Return the numbers of each tensor, a row a name."""
    return np.array([summary(name, tensor) for name, tensor in tensors.items()])


def write(name: str, meta: Mapping, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a golden file."""
    np.savez_compressed(FOLDER / f"{name}.npz", meta=np.array(json.dumps(meta)), **arrays)
    print(name, (FOLDER / f"{name}.npz").stat().st_size, "bytes")


def read(name: str) -> tuple[dict, dict[str, np.ndarray]]:
    """Return what :func:`write` was given."""
    with np.load(FOLDER / f"{name}.npz") as file:
        arrays = {key: file[key] for key in file.files}
    return json.loads(arrays.pop("meta").item()), arrays


def renamed(names: Iterable[str], rules: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return released name -> our name, by the first regular expression that fits."""

    def one(name: str) -> str:
        for pattern, replacement in rules:
            new, count = re.subn(f"^{pattern}", replacement, name)
            if count:
                return new
        raise KeyError(f"No rule for {name!r}.")

    return {name: one(name) for name in names}
