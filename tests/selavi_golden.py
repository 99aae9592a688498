"""What the tests of SeLaVi share: golden files, a checkpoint from them, and encoders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from random_states import random_array
from torch import Tensor

from avzsl.encoders import encoders

FOLDER = Path(__file__).parent / "golden" / "encoders"
GOLDEN = {
    name: dict(np.load(FOLDER / f"selavi-{name}.npz"))
    for name in ("audio", "video", "audio-preprocess", "video-preprocess")
}
LAYOUT = json.loads(str(GOLDEN["video"]["layout"]))
INPUTS = {
    "audio": random_array(2, 1, 257, 99, seed=2),
    "video": random_array(2, 3, 30, 112, 112, seed=1),
}
HALVES = tuple(INPUTS)
TOLERANCE = 1e-6
"""The same operations in the same order: equal on one machine."""


def loaded(half: str, path: Path, **options: Any) -> Any:
    encoder = encoders.get(f"selavi-{half}").from_dict({"weights": str(path), **options})
    encoder.load(torch.device("cpu"))
    return encoder


def difference(left: Tensor, right: np.ndarray) -> float:
    assert tuple(left.shape) == right.shape
    return float(np.abs(left.numpy() - right).max())


def apart(encoder: Any, half: str) -> float:
    """How far features of the random input are from the reference's."""
    return difference(encoder.encode(torch.from_numpy(INPUTS[half])), GOLDEN[half]["features"])
