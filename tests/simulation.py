"""Simulated benchmarks of a size for tests, and runs on them."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import synthetic
from training_setup import CPU, train

from avzsl.datasets.features import FeatureSet
from avzsl.datasets.kinds.benchmark import BenchmarkDataset
from avzsl.datasets.simulate import (
    SimulatedSizes,
    Simulator,
    class_embeddings,
    feature_set,
    read_vectors,
    simulated_clips,
)
from avzsl.evaluation import evaluate_model
from avzsl.metrics.accuracy import Metrics
from avzsl.types import ClassEmbeddings

assert synthetic  # limits torch to one thread

SIZES = SimulatedSizes(audio=32, visual=64, audio_windows=3, visual_windows=4)
CLIPS = {"ucf": 10, "vggsound": 5}
"""Clips of a class in a subset at most."""
TRAINING = {"epochs": 15, "batch_size": 64, "learning_rate": 0.003}
NARROW = {"width": 64, "projection_hidden": 64, "heads": 2, "head_dim": 16, "feedforward": 32}
METHODS = {
    "devise": {"training": TRAINING},
    "kda": {
        **NARROW,
        "audio_hidden": 64,
        "visual_hidden": 64,
        "training": {**TRAINING, "epochs": 10},
    },
    "avca": {
        **NARROW,
        "encoder_hidden": 64,
        "embedding": 32,
        "encoder_dropout": 0.0,
        "projection_dropout": 0.0,
        "class_dropout": 0.0,
        "training": {**TRAINING, "learning_rate": 0.002},
    },
}
"""Options under which a run takes some seconds."""


def benchmark(shared: Path, name: str, alignment: str = "correct") -> BenchmarkDataset:
    """Return a benchmark by its real split files."""
    options = {
        "benchmark": name,
        "videos": "videos",
        "splits": str(shared / "benchmark"),
        "parity": {"text_alignment": alignment},
    }
    return BenchmarkDataset(name, options, shared)


@functools.cache
def simulated(shared: Path, name: str) -> FeatureSet:
    """Return simulated clips of a benchmark."""
    dataset = benchmark(shared, name)
    simulator = Simulator(read_vectors(shared / "benchmark/w2v_features", dataset), SIZES)
    return feature_set(simulated_clips(simulator, dataset.lines(), CLIPS[name]))


def embeddings(shared: Path, name: str, alignment: str = "correct") -> ClassEmbeddings:
    """Return the class vectors that a dataset with this alignment gives to the classes."""
    vectors = read_vectors(shared / "benchmark/w2v_features", benchmark(shared, name))
    names = simulated(shared, name).class_names
    return class_embeddings(benchmark(shared, name, alignment), vectors, names)


def shuffled(classes: ClassEmbeddings, seed: int) -> ClassEmbeddings:
    """Return the same vectors, each given to some other class."""
    rng = np.random.default_rng(seed)
    cycle = rng.permutation(len(classes.names))
    places = np.empty_like(cycle)
    places[cycle] = np.roll(cycle, 1)
    return ClassEmbeddings(names=classes.names, vectors=classes.vectors[places])


def score(
    folder: Path, features: FeatureSet, classes: ClassEmbeddings, kind: str, seed: int = 0
) -> tuple[Metrics, Path]:
    """Train and evaluate; return the metrics and the model."""
    data, options = (features, classes), METHODS[kind]
    model, _ = train(folder / f"{kind}{seed}", data, kind, options=options, seed=seed)
    return evaluate_model(model, features, device=CPU), model
