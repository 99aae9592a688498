"""Transfer is real: unseen combinations of seen parts are told apart, strangers are not."""

import dataclasses

import numpy as np
import pytest
import synthetic
from training_setup import CPU, train

from avzsl.evaluation import evaluate_model

SIZE = synthetic.Size(clips=12, audio=48, visual=64, text=64, noise=0.4)
SMALLER = {"depth": 1, "heads": 4, "head_dim": 16, "width": 64, "encoder_hidden": None}
TOKENS = {"width": 64, "encoder_hidden": None}
JOINT = {"joint_width": 64, "joint_hidden": 64}
PAIR = {"width": 64, "audio_hidden": 64, "visual_hidden": 64, "projection_hidden": 64}
TRAINING = {"epochs": 12, "learning_rate": 1e-3}
CHANCE = 100 / SIZE.test_classes


def zsl(folder, kind, options, data):
    options = options | {"training": TRAINING}
    path, _ = train(folder, data, kind, options=options)
    return evaluate_model(path, data[0], device=CPU).zsl


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("devise", {}),
        ("ez-avgzl", SMALLER | {"similarity": "cosine"}),
        ("ez-avgzl", SMALLER | {"similarity": "linear"}),
        ("ez-avgzl", SMALLER | {"similarity": "mlp"}),
        ("ez-avgzl", SMALLER | {"readout": "attended"}),
        ("ez-avgzl", SMALLER | {"readout": "product"}),
        ("ez-avgzl", SMALLER | {"readout": "residual"}),
        ("tcaf", SMALLER | JOINT),
        ("attention-fusion", TOKENS | JOINT),
        ("perceiver", TOKENS | JOINT | {"latents": 8, "blocks": 1, "heads": 4, "head_dim": 16}),
        ("clipclap", {}),
        ("kda", PAIR | {"mode": "paper"}),
        ("kda", PAIR | {"mode": "released"}),
    ],
)
def test_unseen_combinations_are_recognised(tmp_path, kind, options):
    found = zsl(tmp_path, kind, options, synthetic.make(SIZE))
    assert found > 3 * CHANCE


@pytest.mark.parametrize(("kind", "options"), [("devise", {}), ("ez-avgzl", SMALLER)])
def test_embeddings_without_meaning_transfer_nothing(tmp_path, kind, options):
    found = []
    for seed in (0, 1, 2):
        features, classes = synthetic.make(SIZE, seed)
        vectors = np.random.default_rng(seed).standard_normal(classes.vectors.shape)
        vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        data = features, dataclasses.replace(classes, vectors=vectors)
        found.append(zsl(tmp_path / str(seed), kind, options, data))
    assert np.mean(found) < 2.2 * CHANCE
