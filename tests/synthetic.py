"""Features whose classes are combinations of hidden parts, so that transfer is possible.

A class is a triple of parts: two that are seen and one that is heard. The text vector of a class
is the sum of a vector per part. The features of a clip are a non-linear map of its parts, disturbed
per clip and per token, and lie on scales that differ by dimension, as real descriptors do.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import torch

from avzsl.datasets.features import FeatureSet, Sequences
from avzsl.types import SUBSETS, ClassEmbeddings

torch.set_num_threads(1)  # tests share few cores, and small tensors gain nothing from more

PARTS = (4, 3, 4)
"""Choices of the first visible, the second visible, and the audible part."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much there is of everything."""

    train_classes: int = 12
    val_classes: int = 6
    test_classes: int = 6
    clips: int = 20
    """Clips of a class in ``train``, and of an unseen class; a seen class has a quarter more for
    validation and test each."""
    audio: int = 300
    visual: int = 600
    text: int = 300
    audio_tokens: int = 4
    visual_tokens: int = 9
    noise: float = 1.0


TINY = Size(
    train_classes=6, val_classes=3, test_classes=3, clips=6, audio=24, visual=40, text=32, noise=0.3
)


def class_triples(size: Size, rng: np.random.Generator) -> list[tuple[int, int, int]]:
    """Draw classes so that those of ``train`` show every part."""
    count = size.train_classes + size.val_classes + size.test_classes
    every = list(itertools.product(*map(range, PARTS)))
    while True:
        drawn = [every[i] for i in rng.permutation(len(every))[:count]]
        shown = zip(*drawn[: size.train_classes], strict=True)
        if all(len(set(part)) == n for part, n in zip(shown, PARTS, strict=True)):
            return drawn


def sequences(
    parts_VP: np.ndarray, dim: int, longest: int, noise: float, rng: np.random.Generator
) -> Sequences:
    """Draw the tokens of clips from what is in them."""
    clips, width = parts_VP.shape
    lengths = rng.integers(max(1, longest // 2), longest + 1, size=clips)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    hidden = parts_VP + 0.7 * noise * rng.standard_normal((clips, width))
    hidden = np.repeat(hidden, lengths, axis=0)
    hidden = hidden + noise * rng.standard_normal(hidden.shape)
    mixing = rng.standard_normal((width, dim)) * 2 / np.sqrt(width)
    features = np.tanh(hidden @ mixing) + 0.5 * noise * rng.standard_normal((len(hidden), dim))
    features = features * 10 ** rng.uniform(-1, 1, dim) + rng.standard_normal(dim)
    times = (np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths) + 0.5) * 2.5 / longest
    return Sequences(
        features_ND=torch.from_numpy(features.astype(np.float32)),
        times_N=torch.from_numpy(times.astype(np.float32)),
        offsets=offsets.astype(np.int64),
    )


def make(size: Size, seed: int = 0) -> tuple[FeatureSet, ClassEmbeddings]:
    """Return a dataset and its class embeddings, of unit length."""
    rng = np.random.default_rng(seed)
    triples = class_triples(size, rng)
    names = tuple(f"class {i:02d}" for i in range(len(triples)))
    words = [rng.standard_normal((n, size.text)) for n in PARTS]
    vectors = np.array([sum(words[f][t[f]] for f in range(3)) for t in triples])
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    labels, subsets = assign(size)
    hidden = [rng.standard_normal((n, 16)) for n in PARTS]
    of_clip = np.array(triples)[labels]
    seen_parts = np.concatenate([hidden[0][of_clip[:, 0]], hidden[1][of_clip[:, 1]]], axis=1)
    heard_parts = hidden[2][of_clip[:, 2]]
    features = FeatureSet(
        video_ids=tuple(f"clip {i:04d}" for i in range(len(labels))),
        class_names=names,
        labels=labels,
        subsets=subsets,
        audio=sequences(heard_parts, size.audio, size.audio_tokens, size.noise, rng),
        visual=sequences(seen_parts, size.visual, size.visual_tokens, size.noise, rng),
        features_ids=("audio", "visual"),
    )
    return features, ClassEmbeddings(names=names, vectors=vectors.astype(np.float32))


def assign(size: Size) -> tuple[np.ndarray, np.ndarray]:
    """Return the class and the subset of every clip."""
    few = max(1, size.clips // 4)
    rows: list[tuple[int, str]] = []
    seen = range(size.train_classes)
    unseen_val = range(size.train_classes, size.train_classes + size.val_classes)
    unseen_test = range(unseen_val.stop, unseen_val.stop + size.test_classes)
    for label in seen:
        rows += [(label, "train")] * size.clips + [(label, "val_seen")] * few
    for label in unseen_val:
        rows += [(label, "val_unseen")] * size.clips
    for label in (*seen, *unseen_val):
        rows += [(label, "test_seen")] * few
    for label in unseen_test:
        rows += [(label, "test_unseen")] * size.clips
    labels, subsets = zip(*rows, strict=True)
    return np.array(labels), np.array([SUBSETS.index(subset) for subset in subsets])
