"""What the tests of training share: a small run, and methods small enough for it."""

from __future__ import annotations

from pathlib import Path

import synthetic
import torch

from avzsl.training.protocol import ProtocolOptions
from avzsl.training.stages import train_run

CPU = torch.device("cpu")
TOKENS = {"width": 16, "encoder_hidden": None, "time_width": 4}
JOINT = {"joint_width": 16, "joint_hidden": 16}
AVCA = {
    "width": 16,
    "embedding": 8,
    "encoder_hidden": 16,
    "projection_hidden": 16,
    "heads": 2,
    "head_dim": 4,
    "feedforward": 8,
}
SMALL = {
    "devise": {},
    "ez-avgzl": {
        "depth": 1,
        "heads": 2,
        "head_dim": 4,
        "width": 16,
        "feedforward": 8,
        "encoder_hidden": None,
        "time_width": 4,
    },
    "tcaf": TOKENS | JOINT | {"depth": 1, "heads": 2, "head_dim": 4, "feedforward": 8},
    "attention-fusion": TOKENS | JOINT,
    "perceiver": TOKENS
    | JOINT
    | {"latents": 3, "blocks": 2, "heads": 2, "head_dim": 4, "feedforward": 8},
    "clipclap": JOINT | {"encoder_width": 16},
    "kda": {
        "width": 16,
        "audio_hidden": 16,
        "visual_hidden": 16,
        "projection_hidden": 16,
        "heads": 2,
        "head_dim": 4,
        "feedforward": 8,
    },
    "avca": AVCA,
    "hyper-alignment": AVCA,
    "hyper-single": AVCA,
    "hyper-multiple": AVCA,
    "avgzslnet": {"embedding": 8, "hidden": 16, "class_hidden": 16, "decoder_hidden": 8},
    "cjme": {"embedding": 8, "hidden": 16, "class_hidden": 16},
}
"""Sizes for tests; a method that is not named here takes its defaults."""


def small_options(kind: str, epochs: int = 4) -> dict:
    """Return options under which a run takes a fraction of a second."""
    training = {"epochs": epochs, "batch_size": 16, "learning_rate": 0.01}
    return SMALL.get(kind, {}) | {"training": training}


def train(folder: Path, data=None, kind: str = "ez-avgzl", **changes):
    """Run both stages; return the paths of model and history."""
    features, classes = synthetic.make(synthetic.TINY) if data is None else data
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "model.pt", folder / "history.csv"
    arguments = {
        "options": small_options(kind),
        "seed": 0,
        "device": CPU,
        "run_id": "run",
        "protocol": ProtocolOptions(),
    } | changes
    options = arguments.pop("options")
    train_run(features, classes, kind, options, out=paths[0], history_out=paths[1], **arguments)
    return paths
