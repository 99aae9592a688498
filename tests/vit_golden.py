"""What the tests of AudioMAE and DINO share: golden files, checkpoints from them, mutations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from random_states import random_state
from torch import Tensor

from avzsl.encoders import encoders

FOLDER = Path(__file__).parent / "golden" / "encoders"


def golden(name: str) -> dict[str, Any]:
    """Arrays of a golden file; layouts as mappings, name -> [shape..., dtype]."""
    with np.load(FOLDER / f"{name}.npz") as file:
        return {
            key: json.loads(str(file[key])) if "layout" in key else torch.from_numpy(file[key])
            for key in file.files
        }


def loaded(kind: str, folder: Path, state: object, **options: Any) -> Any:
    """The encoder, loaded from a file that holds ``state``."""
    file = folder / "checkpoint.pth"
    torch.save(state, file)
    encoder = encoders.get(kind).from_dict({"weights": str(file), **options})
    encoder.load(torch.device("cpu"))
    return encoder


def mutants(layout: Mapping[str, list]) -> list[tuple[str, dict[str, Tensor]]]:
    """The random state with one tensor changed, for each kind of tensor of the encoder."""
    state = random_state(layout)
    kinds = ("patch_embed", "blocks.0.", "norm", "fc_norm", "cls_token", "pos_embed")
    made = []
    for name in [name for name in state if name.startswith(kinds)]:
        changed = state[name].clone()
        changed.view(-1)[:64] += 0.5
        made.append((name, {**state, name: changed}))
    return made


def difference(left: Tensor, right: Tensor) -> float:
    assert left.shape == right.shape, (left.shape, right.shape)
    return float((left - right).abs().max())
