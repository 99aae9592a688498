"""Features with a known truth: made from the real class vectors, on the real splits.

A class vector w is projected at random to a few latent numbers, in which the classes have mean 0
and variance 1. A clip is its class's point, displaced by noise of its own; each modality takes it
through a random map of its own,

    hidden = tanh(A z + noise of the window),    feature = what the modality makes of B hidden,

to numbers as the published ones are: VGGish codes are whole numbers from 0 to 255, the fc7 layer of
C3D is rectified. What can be transferred to an unseen class is therefore known, and it is there
only for who has the right vector for each class.

The clips of a class in a subset depend on the seed, the class, the subset and their number alone,
so that a dataset of any size is made piece by piece.

Shapes: K classes, W size of a class vector, L latent numbers, H hidden ones, n clips, T windows of
a clip (the longest), D size of a feature.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avzsl.datasets.features import FeatureSet, Sequences
from avzsl.datasets.kinds.benchmark import BenchmarkDataset, Line
from avzsl.provenance import digest
from avzsl.seeding import stream
from avzsl.sources.unpickle import read_published
from avzsl.types import SUBSETS, ClassEmbeddings, Subset

Floats = NDArray[np.float32]

VECTOR_FILES = {
    "vggsound": "word_embeddings_vggsound_normed.npy",
    "ucf": "word_embeddings_ucf_normed.npy",
    "activitynet": "word_embeddings_activity_normed.npy",
}
"""Benchmark -> the file of class vectors that is published with it."""


@dataclass(frozen=True, kw_only=True)
class SimulatedSizes:
    """How much there is of everything; the defaults are those of VGGish and C3D on VGGSound."""

    audio: int = 128
    """Size of an audio feature."""
    visual: int = 4096
    """Size of a visual feature."""
    audio_windows: int = 10
    """Windows of 0.96 s of the longest clip; the shortest has some more than half as many."""
    visual_windows: int = 16
    """Windows of 0.64 s of the longest clip; the shortest has some more than half as many."""
    latent: int = 16
    """Latent numbers of a class; few enough to be learned from the seen classes."""
    hidden: int = 64
    """Hidden numbers of each modality's map."""
    clip_noise: float = 0.6
    """Standard deviation of a clip about its class; that of the classes is 1."""
    window_noise: float = 0.3
    """Standard deviation of a window about its clip, in hidden numbers."""


SECONDS = {"audio": 0.96, "visual": 0.64}
"""Modality -> length of a window."""


@dataclass(frozen=True, kw_only=True)
class SimulatedClips:
    """The clips of one class in one subset."""

    class_name: str
    subset: Subset
    video_ids: tuple[str, ...]
    """[n]"""
    audio: tuple[Floats, ...]
    """[n] of [T, D]"""
    visual: tuple[Floats, ...]
    """[n] of [T, D]"""


class Simulator:
    """Makes the clips of one dataset."""

    def __init__(
        self, vectors: Mapping[str, Floats], sizes: SimulatedSizes | None = None, *, seed: int = 0
    ) -> None:
        """Draw the maps.

        Args:
            vectors: The true vector [W] of every class.
            sizes: How much there is of everything; None for the published sizes.
            seed: Of maps and clips.
        """
        self.sizes = sizes or SimulatedSizes()
        self._seed = seed
        rng = stream(seed, "maps")
        names = sorted(vectors)
        vectors_KW = np.stack([vectors[name] for name in names]).astype(np.float64)
        latent_KL = (vectors_KW - vectors_KW.mean(0)) @ rng.standard_normal(
            (vectors_KW.shape[1], self.sizes.latent)
        )
        latent_KL /= latent_KL.std(0)
        self._latent = dict(zip(names, latent_KL, strict=True))
        self._maps = {
            "audio": self._draw_map(rng, self.sizes.audio),
            "visual": self._draw_map(rng, self.sizes.visual),
        }

    def _draw_map(self, rng: np.random.Generator, dim: int) -> tuple[Floats, Floats]:
        into_LH = rng.standard_normal((self.sizes.latent, self.sizes.hidden))
        out_of_HD = rng.standard_normal((self.sizes.hidden, dim))
        return (
            (into_LH / np.sqrt(self.sizes.latent)).astype(np.float32),
            (out_of_HD / np.sqrt(self.sizes.hidden)).astype(np.float32),
        )

    def clips(self, class_name: str, subset: Subset, video_ids: Sequence[str]) -> SimulatedClips:
        """Make the clips of a class in a subset."""
        rng = stream(self._seed, "clips", class_name, subset, len(video_ids))
        noise = self.sizes.clip_noise * rng.standard_normal((len(video_ids), self.sizes.latent))
        latent_nL = (self._latent[class_name] + noise).astype(np.float32)
        # One length for both modalities: they are of one clip.
        share_n = rng.uniform(0.5, 1.0, len(video_ids))
        return SimulatedClips(
            class_name=class_name,
            subset=subset,
            video_ids=tuple(video_ids),
            audio=self._audio(latent_nL, share_n, rng),
            visual=self._visual(latent_nL, share_n, rng),
        )

    def _audio(
        self, latent_nL: Floats, share_n: NDArray[np.float64], rng: np.random.Generator
    ) -> tuple[Floats, ...]:
        lengths = np.ceil(share_n * self.sizes.audio_windows).astype(int)
        features = self._windows("audio", latent_nL, lengths, rng)
        return _pieces(np.clip(np.rint(128 + 64 * features), 0, 255), lengths)

    def _visual(
        self, latent_nL: Floats, share_n: NDArray[np.float64], rng: np.random.Generator
    ) -> tuple[Floats, ...]:
        lengths = np.ceil(share_n * self.sizes.visual_windows).astype(int)
        features = self._windows("visual", latent_nL, lengths, rng)
        return _pieces(np.maximum(features, 0), lengths)

    def _windows(
        self,
        modality: str,
        latent_nL: Floats,
        lengths: NDArray[np.int64],
        rng: np.random.Generator,
    ) -> Floats:
        """Return the features [windows of all clips, D] before they are made to look real."""
        into_LH, out_of_HD = self._maps[modality]
        hidden = np.repeat(latent_nL @ into_LH, lengths, axis=0)
        noise = rng.standard_normal(hidden.shape, dtype=np.float32)
        hidden = np.tanh(hidden + np.float32(self.sizes.window_noise) * noise)
        features: Floats = hidden @ out_of_HD
        return features


def _pieces(features: Floats, lengths: NDArray[np.int64]) -> tuple[Floats, ...]:
    return tuple(np.split(features.astype(np.float32, copy=False), np.cumsum(lengths)[:-1]))


def read_vectors(folder: Path, dataset: BenchmarkDataset) -> dict[str, Floats]:
    """Return original class name -> its own published vector [W], joined by the readable name.

    Args:
        folder: Of the published files of class vectors.
        dataset: The benchmark; how it aligns texts makes no difference here.

    Raises:
        ValueError: If the file is damaged, or lacks a class.
        OSError: If it cannot be read.
    """
    path = folder / VECTOR_FILES[dataset.options.benchmark]
    by_text = read_published(path)
    missing = [text for text in dataset.readable_names().values() if text not in by_text]
    if missing:
        raise ValueError(f"{path} has no vector for {', '.join(map(repr, missing))}.")
    return {name: by_text[text] for name, text in dataset.readable_names().items()}


def class_embeddings(
    dataset: BenchmarkDataset, vectors: Mapping[str, Floats], names: Sequence[str]
) -> ClassEmbeddings:
    """Return the vectors that a dataset gives its classes, right or as ``parity`` says.

    Args:
        dataset: Decides which text belongs to a class (``parity.text_alignment``).
        vectors: From ``read_vectors``.
        names: [K] classes.
    """
    by_text = {text: vectors[name] for name, text in dataset.readable_names().items()}
    texts = dataset.texts(names)
    return ClassEmbeddings(names=tuple(names), vectors=np.stack([by_text[t] for t in texts]))


def grouped(lines: Iterable[Line], limit: int | None = None) -> dict[tuple[str, Subset], list[str]]:
    """Return (class, subset) -> ids of its clips, sorted.

    Args:
        lines: The clips of a split.
        limit: Clips of a class in a subset at most, the first by a hash of the id; None for all.
    """
    groups: dict[tuple[str, Subset], list[str]] = defaultdict(list)
    for line in lines:
        groups[line.class_name, line.subset].append(line.id)
    return {
        key: sorted(sorted(ids, key=lambda id: digest("draw", id))[:limit] if limit else ids)
        for key, ids in sorted(groups.items())
    }


def simulated_clips(
    simulator: Simulator, lines: Iterable[Line], limit: int | None = None
) -> Iterator[SimulatedClips]:
    """Yield the clips of a split, a class of a subset at a time; see ``grouped`` for the limit."""
    for (name, subset), ids in grouped(lines, limit).items():
        yield simulator.clips(name, subset, ids)


def feature_set(clips: Iterable[SimulatedClips], id: str = "simulated") -> FeatureSet:
    """Return simulated clips in memory, as training reads them."""
    parts = list(clips)
    names = sorted({part.class_name for part in parts})
    counts = [len(part.video_ids) for part in parts]
    labels = [names.index(part.class_name) for part in parts]
    subsets = [SUBSETS.index(part.subset) for part in parts]
    return FeatureSet(
        video_ids=tuple(id for part in parts for id in part.video_ids),
        class_names=tuple(names),
        labels=np.repeat(np.array(labels, dtype=np.int64), counts),
        subsets=np.repeat(np.array(subsets, dtype=np.int64), counts),
        audio=_sequences([clip for part in parts for clip in part.audio], "audio"),
        visual=_sequences([clip for part in parts for clip in part.visual], "visual"),
        features_ids=(f"{id}-audio", f"{id}-visual"),
    )


def _sequences(clips: Sequence[Floats], modality: str) -> Sequences:
    import torch  # who writes an archive needs none

    lengths = np.array([len(clip) for clip in clips], dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    places = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    times = (places + 0.5) * SECONDS[modality]
    return Sequences(
        features_ND=torch.from_numpy(np.concatenate(clips)),
        times_N=torch.from_numpy(times.astype(np.float32)),
        offsets=offsets,
    )
