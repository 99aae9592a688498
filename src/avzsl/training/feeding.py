"""From clips of a feature set to the batches that a method takes.

Shapes: N tokens, D size of a feature, B clips of a batch, K candidate classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avzsl.datasets.features import FeatureSet, Sequences
from avzsl.methods.base import Batch, TokenLimits

_BLOCK_VALUES = 2**22
"""Values whose statistics are taken at a time: 32 MB in float64."""
_CLIPS = 256
"""Clips whose means are taken at a time."""


@dataclass(frozen=True, kw_only=True)
class Standardisation:
    """Mean and standard deviation of every dimension of one modality's features."""

    mean_D: Tensor
    """float32"""
    std_D: Tensor
    """float32; 1 for a dimension that does not vary."""

    @classmethod
    def fit(cls, sequences: Sequences, rows: NDArray[np.int64]) -> Standardisation:
        """Take the statistics over all tokens of some clips: the training clips, and no others."""
        count = 0
        mean_D = torch.zeros(())
        squares_D = torch.zeros(())
        # Blocks are merged (Chan, Golub and LeVeque, 1979), so that each is read once.
        for block_ND in _blocks(sequences, sequences.tokens(rows)):
            own_D = block_ND.mean(0)
            share = len(block_ND) / (count + len(block_ND))
            delta_D = own_D - mean_D.to(own_D)
            squares_D = squares_D.to(own_D) + count * share * delta_D.square()
            squares_D += block_ND.sub_(own_D).square_().sum(0)
            mean_D = own_D - (1 - share) * delta_D
            count += len(block_ND)
        std_D = (squares_D / count).sqrt()
        # What is left of a constant after rounding is no variation.
        constant_D = std_D <= 1e-6 * mean_D.abs()
        return cls(mean_D=mean_D.float(), std_D=std_D.masked_fill(constant_D, 1.0).float())

    def to(self, device: torch.device) -> Standardisation:
        """Return the same statistics on another device."""
        return Standardisation(mean_D=self.mean_D.to(device), std_D=self.std_D.to(device))

    def apply(self, features_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Return the standardised features; padding stays zero."""
        return (features_BTD - self.mean_D) / self.std_D * mask_BT.unsqueeze(-1)


def _blocks(sequences: Sequences, tokens: NDArray[np.int64]) -> Iterator[Tensor]:
    """Yield the features of the tokens in float64, a block at a time."""
    count = max(1, _BLOCK_VALUES // sequences.dim)
    for start in range(0, len(tokens), count):
        block = torch.from_numpy(tokens[start : start + count])
        yield sequences.features_ND[block.to(sequences.features_ND.device)].double()


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """What is done to the features before a method sees them."""

    audio: Standardisation
    visual: Standardisation

    @classmethod
    def fit(cls, features: FeatureSet, rows: NDArray[np.int64]) -> Preparation:
        """Fit both modalities on some clips: the training clips of the stage, and no others."""
        return cls(
            audio=Standardisation.fit(features.audio, rows),
            visual=Standardisation.fit(features.visual, rows),
        )

    def to(self, device: torch.device) -> Preparation:
        """Return the same preparation on another device."""
        return Preparation(audio=self.audio.to(device), visual=self.visual.to(device))


def averaged(features: FeatureSet) -> FeatureSet:
    """Return the same clips with one token each: the mean of its tokens, at their mean time.

    A method that takes nothing but means (``Method.needs_tokens``) trains on a tenth of the data
    then. Standardisation is fitted to the tokens, as for all methods; it may be applied to means.
    """
    return replace(features, audio=_means(features.audio), visual=_means(features.visual))


def _means(sequences: Sequences) -> Sequences:
    clips = len(sequences.offsets) - 1
    device = sequences.features_ND.device
    features_VD = torch.empty(clips, sequences.dim, device=device)
    times_V = torch.empty(clips, device=device)
    for start in range(0, clips, _CLIPS):
        own = slice(start, min(start + _CLIPS, clips))
        tokens_BTD, mask_BT, times_BT = sequences.pad(np.arange(own.start, own.stop), device)
        lengths_B = mask_BT.sum(1)
        features_VD[own] = tokens_BTD.sum(1) / lengths_B.unsqueeze(1)
        times_V[own] = times_BT.sum(1) / lengths_B
    return replace(
        sequences, features_ND=features_VD, times_N=times_V, offsets=np.arange(clips + 1)
    )


Stretches: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int64]]
"""[B] first token of each clip, and [B] how many."""


class Feeder:
    """Makes batches of a feature set for one list of candidate classes."""

    def __init__(
        self,
        features: FeatureSet,
        classes: Sequence[str],
        *,
        preparation: Preparation | None,
        device: torch.device,
        limits: TokenLimits | None = None,
    ) -> None:
        """Keep the features and number the classes.

        Args:
            features: The clips.
            classes: [K] candidate classes; a label is a place among them.
            preparation: Standardisation of the features, None for raw ones.
            device: Where the batches are wanted.
            limits: The most tokens of a clip; None means all.
        """
        place = {name: i for i, name in enumerate(classes)}
        self._features = features
        self._places = np.array([place.get(name, -1) for name in features.class_names], np.int64)
        self._preparation = None if preparation is None else preparation.to(device)
        self._device = device
        self._limits = limits or TokenLimits()

    @property
    def cuts(self) -> bool:
        """Whether long clips are cut to a stretch."""
        return self._limits != TokenLimits()

    def labels(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the place of each clip's class among the candidates.

        Raises:
            ValueError: If the class of a clip is no candidate.
        """
        labels = self._places[self._features.labels[rows]]
        if (labels < 0).any():
            name = self._features.class_names[self._features.labels[rows[labels < 0][0]]]
            raise ValueError(f"The class {name!r} of a clip is not among the candidate classes.")
        return labels

    def batch(
        self,
        rows: NDArray[np.int64],
        negative_rows: NDArray[np.int64] | None = None,
        places: NDArray[np.float64] | None = None,
    ) -> Batch:
        """Return the clips as a padded batch, with others beside them where such are given.

        Args:
            rows: [B] the clips.
            negative_rows: [B] the clips beside them.
            places: [2, B] in [0, 1): where the stretch of a clip begins that has too many tokens,
                for the clips and for those beside them; None keeps the middle.
        """
        of_audio, of_visual = self._stretches(rows, None if places is None else places[0])
        audio, audio_mask, audio_times = self._features.audio.pad(rows, self._device, of_audio)
        visual, visual_mask, visual_times = self._features.visual.pad(rows, self._device, of_visual)
        if self._preparation is not None:
            audio = self._preparation.audio.apply(audio, audio_mask)
            visual = self._preparation.visual.apply(visual, visual_mask)
        return Batch(
            audio_BTA=audio,
            audio_mask_BT=audio_mask,
            audio_times_BT=audio_times,
            visual_BUV=visual,
            visual_mask_BU=visual_mask,
            visual_times_BU=visual_times,
            labels_B=torch.from_numpy(self.labels(rows)).to(self._device, non_blocking=True),
            negatives=None
            if negative_rows is None
            else self.batch(negative_rows, places=None if places is None else places[1:]),
        )

    def _stretches(
        self, rows: NDArray[np.int64], places_B: NDArray[np.float64] | None
    ) -> tuple[Stretches | None, Stretches | None]:
        """Return first token and number of tokens of each clip, for sound and for pictures."""
        if not self.cuts:
            return None, None
        audio_B, visual_B = self._features.audio.lengths(rows), self._features.visual.lengths(rows)
        kept_audio_B = np.minimum(audio_B, self._limits.audio or audio_B)
        kept_visual_B = np.minimum(visual_B, self._limits.visual or visual_B)
        more_B = visual_B - kept_visual_B
        first_B = more_B // 2 if places_B is None else (places_B * more_B).astype(np.int64)
        # The sound of the same part; where only the sound is too long, its begin.
        beside_B = np.rint(first_B * audio_B / visual_B).astype(np.int64)
        heard_B = np.minimum(beside_B, audio_B - kept_audio_B)
        return (heard_B, kept_audio_B), (first_B, kept_visual_B)
