"""Audio and visual features as tokens with a place in time, the input of TCaF and its relatives.

Mercea et al., "Temporal and Cross-modal Attention for Audio-Visual Zero-Shot Learning", ECCV 2022
(arXiv:2207.09966). A feature is scaled, encoded by two layers, joined with an embedding of its
modality and its time, and projected.

Shapes: B clips; T audio, U visual tokens of the longest clip; M audio and visual tokens of all
clips; D width of a token; A, V sizes of an audio and a visual feature.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from avzsl.methods.base import Batch, Dims, MethodOptions
from avzsl.methods.blocks import Count, FourierTime, FusionOptions, Layout, Share, Tokens
from avzsl.options import options as options_class


@options_class
class TokenOptions(MethodOptions):
    """Options of the tokens; the defaults are those of TCaF for VGGish and C3D on UCF."""

    width: Count = 300
    """Dimensions of a token."""
    encoder_hidden: Count | None = 512
    """Hidden units of the two-layer encoder of a feature; null for one layer."""
    encoder_dropout: Share = 0.3
    """Share of encoder units zeroed in training."""
    token_dropout: Share = 0.2
    """Share of token dimensions zeroed in training, after the token projection."""
    time_width: Annotated[int, Field(ge=2, multiple_of=2)] = 64
    """Dimensions of the embedding of modality and time that is appended to a feature."""
    time_scale: Annotated[float, Field(gt=0)] = 10.0
    """Standard deviation of the random frequencies of the time embedding, in cycles per second."""
    audio_scale: Annotated[float, Field(gt=0)] = 255.0
    """What audio features are divided by. VGGish features are codes from 0 to 255; the released
    code divides SeLaVi's by it as well. Set 1 where ``protocol.standardise`` is true."""
    visual_norm: Literal["feature", "time", "none"] = "feature"
    """``feature``: each visual feature is scaled to length 1. ``time``: each of its dimensions is
    scaled to length 1 over the tokens of the clip (released). ``none``: left as it is."""


def fusion_options(options: MethodOptions) -> FusionOptions:
    """Return those options that the shared blocks read, the others at their defaults."""
    names = {field.name for field in dataclasses.fields(FusionOptions)}
    given = {field.name for field in dataclasses.fields(options)}
    return FusionOptions(**{name: getattr(options, name) for name in names & given})


class TemporalTokens(nn.Module):
    """Encoders and token embedding of both modalities."""

    def __init__(
        self, options: TokenOptions, dims: Dims, *, padding_in_statistics: bool = False
    ) -> None:
        """Make the networks.

        Args:
            options: Their sizes.
            dims: Sizes of the features.
            padding_in_statistics: Whether padding goes through the encoders as zeros, and so enters
                the statistics of their batch normalisation in training.
        """
        super().__init__()
        sizes = fusion_options(options)
        self.audio_scale = options.audio_scale
        self.visual_norm = options.visual_norm
        self.padding_in_statistics = padding_in_statistics
        self.time = FourierTime(options.time_width, scale=options.time_scale)
        self.audio = Tokens(dims.audio, sizes)
        self.visual = Tokens(dims.visual, sizes)

    def forward(self, batch: Batch, layout: Layout) -> Tensor:
        """Return tokens [M, D], all audio tokens and then all visual tokens, clip by clip."""
        audio_BTA = batch.audio_BTA / self.audio_scale
        visual_BUV = batch.visual_BUV
        if self.visual_norm != "none":
            visual_BUV = F.normalize(visual_BUV, dim=2 if self.visual_norm == "feature" else 1)
        audio_MD = self._embed(self.audio, audio_BTA, batch.audio_times_BT, layout.audio_places)
        visual_MD = self._embed(
            self.visual, visual_BUV, batch.visual_times_BU, layout.visual_places
        )
        return torch.cat([audio_MD, visual_MD])

    def _embed(
        self, tokens: Tokens, features_BTA: Tensor, seconds_BT: Tensor, places: Tensor
    ) -> Tensor:
        """Return the tokens at the places that are no padding."""
        features_NA, seconds_N = features_BTA.flatten(0, 1), seconds_BT.flatten()
        if self.padding_in_statistics:
            all_ND: Tensor = tokens(features_NA, self.time(seconds_N))
            return all_ND[places]
        real_ND: Tensor = tokens(features_NA[places], self.time(seconds_N[places]))
        return real_ND
