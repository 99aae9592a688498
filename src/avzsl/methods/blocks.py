"""The parts of the audio-visual fusion transformer of TCaF, which EZ-AVGZL takes over.

Mercea et al., "Temporal and Cross-modal Attention for Audio-Visual Zero-Shot Learning", ECCV 2022.
Written for this package, with two differences from the released code: times are seconds in training
and in evaluation alike, and padding is never computed on. The tokens of all clips lie one after the
other, [N, D], in every layer but the attention itself, so that padding neither costs time nor
enters the statistics of batch normalisation. A learned embedding of padding tokens, as the released
code has, would therefore never be read, and there is none.

Shapes: B clips; T audio, U visual tokens of the longest clip; S = 1 + T + U; N tokens of all clips;
D width of a token; H heads of E dimensions each; A, V sizes of an audio and a visual feature.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from avzsl.methods.base import Batch, Dims, MethodOptions
from avzsl.options import options as options_class

Share = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]


@options_class
class FusionOptions(MethodOptions):
    """Sizes of the fusion transformer, as options of the method that has it.

    The defaults are those of TCaF for VGGish and C3D features of UCF.
    """

    depth: Count = 6
    """Layers; TCaF takes 6 on UCF and ActivityNet, 8 on VGGSound. EZ-AVGZL does not say."""
    heads: Count = 8
    """Attention heads."""
    head_dim: Count = 64
    """Dimensions of a head."""
    width: Count = 300
    """Dimensions of a token."""
    feedforward: Count = 128
    """Hidden units of the feed-forward part of a layer."""
    encoder_hidden: Count | None = 512
    """Hidden units of the two-layer encoder before the transformer; null for one layer."""
    encoder_dropout: Share = 0.3
    """Share of encoder units zeroed in training."""
    token_dropout: Share = 0.2
    """Share of token dimensions zeroed in training, after the token projection."""
    dropout: Share = 0.3
    """Share of units zeroed in training, in the transformer's layers."""
    time_width: Annotated[int, Field(ge=2, multiple_of=2)] = 64
    """Dimensions of the embedding of modality and time that is appended to a feature."""
    time_scale: Annotated[float, Field(gt=0)] = 10.0
    """Standard deviation of the random frequencies of the time embedding, in cycles per second."""


class EmbNet(nn.Sequential):
    """Linear, batch normalisation, ReLU, dropout; twice where ``hidden`` is given.

    Args:
        dim_in: Size of a row that goes in.
        dim_out: Size of a row that comes out.
        hidden: Size in between; None for a single layer.
        dropout: Share of units zeroed in training.
        bias: Whether the linear layers have one, as in released code; the normalisation that
            follows cancels it, so that it is not learnt.
        momentum: Weight of the newest batch in the running statistics of the second batch
            normalisation. The only normalisation of a single layer, and the first of two, have
            torch's 0.1, as in the code of AVCA.
    """

    def __init__(
        self,
        dim_in: int,
        dim_out: int,
        *,
        dropout: float,
        hidden: int | None = None,
        bias: bool = False,
        momentum: float = 0.1,
    ) -> None:
        layers = [(dim_in, dim_out, 0.1)]
        if hidden is not None:
            layers = [(dim_in, hidden, 0.1), (hidden, dim_out, momentum)]
        parts: list[nn.Module] = []
        for before, after, newest in layers:
            parts += [nn.Linear(before, after, bias=bias), nn.BatchNorm1d(after, momentum=newest)]
            parts += [nn.ReLU(), nn.Dropout(dropout)]
        super().__init__(*parts)


class FourierTime(nn.Module):
    """Embed times by sine and cosine at fixed random frequencies, then a linear map.

    The frequencies are two rows of a Gaussian, as in TCaF, where a time stands for both
    coordinates of a position; they are a buffer, part of the weights that a model file holds.
    """

    frequencies_2F: Tensor

    def __init__(self, width: int, *, scale: float) -> None:
        super().__init__()
        self.register_buffer("frequencies_2F", scale * torch.randn(2, width // 2))
        self.mix = nn.Linear(width, width)

    def forward(self, seconds_N: Tensor) -> Tensor:
        """Return one embedding per time, [N, width]."""
        angles_NF = 2 * math.pi * seconds_N[:, None] * self.frequencies_2F.sum(0)
        embedded: Tensor = self.mix(torch.cat([angles_NF.sin(), angles_NF.cos()], dim=1))
        return embedded


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where the tokens of a batch lie: one after the other, and as padded sequences.

    A sequence is [class token, audio tokens, visual tokens]; the N tokens one after the other are
    all class tokens, then all audio tokens, then all visual tokens, clip by clip.
    """

    clips: int
    """B."""
    length: int
    """S."""
    audio_places: Tensor
    """Place of each audio token among the B * T places of the padded audio sequences."""
    visual_places: Tensor
    """Place of each visual token among the B * U places of the padded visual sequences."""
    places_N: Tensor
    """Place of each token among the B * S places of the padded joint sequences."""
    allowed_B1SS: Tensor
    """True where the token of the third axis attends to that of the fourth; no row is all False."""

    @classmethod
    def of(cls, batch: Batch) -> Layout:
        """Lay out a batch; the attention is cross-modal.

        Audio attends to visual tokens and the class token, visual to audio tokens and the class
        token, the class token to everything; nothing attends to padding.
        """
        (clips, audio), visual = batch.audio_mask_BT.shape, batch.visual_mask_BU.shape[1]
        device, length = batch.audio_mask_BT.device, 1 + audio + visual
        kinds_S = torch.zeros(length, dtype=torch.long, device=device)
        kinds_S[1 : 1 + audio], kinds_S[1 + audio :] = 1, 2
        crosses_SS = (kinds_S[:, None] != kinds_S) | (kinds_S[:, None] == 0)
        real_B1 = torch.ones_like(batch.audio_mask_BT[:, :1])
        real_BS = torch.cat([real_B1, batch.audio_mask_BT, batch.visual_mask_BU], dim=1)
        audio_places = batch.audio_mask_BT.flatten().nonzero().squeeze(1)
        visual_places = batch.visual_mask_BU.flatten().nonzero().squeeze(1)
        places = [
            torch.arange(clips, device=device) * length,
            _moved(audio_places, audio, length, first=1),
            _moved(visual_places, visual, length, first=1 + audio),
        ]
        return cls(
            clips=clips,
            length=length,
            audio_places=audio_places,
            visual_places=visual_places,
            places_N=torch.cat(places),
            allowed_B1SS=crosses_SS & real_BS[:, None, None, :],
        )

    @property
    def real_BS(self) -> Tensor:
        """True where a place holds a token: the class token attends to all of them."""
        return self.allowed_B1SS[:, 0, 0]

    def pad(self, rows_NC: Tensor) -> Tensor:
        """Return the rows as sequences [B, S, C], zero where there is no token."""
        places = self.clips * self.length
        padded = rows_NC.new_zeros(places, rows_NC.shape[1]).index_copy_(0, self.places_N, rows_NC)
        return padded.view(self.clips, self.length, -1)

    def pack(self, padded_BSC: Tensor) -> Tensor:
        """Return the real places of sequences one after the other, [N, C]."""
        return padded_BSC.flatten(0, 1).index_select(0, self.places_N)


def _moved(places: Tensor, old_length: int, new_length: int, *, first: int) -> Tensor:
    """Return places of sequences after these became parts of longer ones, from ``first`` on."""
    clips = places.div(old_length, rounding_mode="floor")
    return clips * new_length + first + places % old_length


class Tokens(nn.Module):
    """Turn the features of one modality into tokens: encode, append time and modality, project."""

    def __init__(self, dim_in: int, options: FusionOptions) -> None:
        super().__init__()
        self.encode = EmbNet(
            dim_in, options.width, hidden=options.encoder_hidden, dropout=options.encoder_dropout
        )
        self.modality = nn.Parameter(torch.randn(options.time_width))
        self.project = nn.Linear(options.width + options.time_width, options.width)
        self.dropout = nn.Dropout(options.token_dropout)

    def forward(self, features_NA: Tensor, time_NF: Tensor) -> Tensor:
        """Return tokens [N, D] of features [N, A] with embedded times [N, F]."""
        parts = [self.encode(features_NA), time_NF + self.modality]
        tokens: Tensor = self.dropout(self.project(torch.cat(parts, dim=1)))
        return tokens


class FusionLayer(nn.Module):
    """A pre-norm transformer layer; attention and feed-forward share one layer normalisation."""

    def __init__(self, options: FusionOptions) -> None:
        super().__init__()
        inner = options.heads * options.head_dim
        self.heads = options.heads
        self.norm = nn.LayerNorm(options.width)
        self.query_key_value = nn.Linear(options.width, 3 * inner, bias=False)
        self.out = nn.Sequential(nn.Linear(inner, options.width), nn.Dropout(options.dropout))
        self.feedforward = nn.Sequential(
            nn.Linear(options.width, options.feedforward),
            nn.GELU(),
            nn.Dropout(options.dropout),
            nn.Linear(options.feedforward, options.width),
            nn.Dropout(options.dropout),
        )

    def forward(self, tokens_ND: Tensor, layout: Layout) -> Tensor:
        """Return the tokens [N, D] after one layer."""
        qkv_BSC = layout.pad(self.query_key_value(self.norm(tokens_ND)))
        q_BHSE, k_BHSE, v_BHSE = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in qkv_BSC.chunk(3, dim=2)
        )
        mixed_BHSE = F.scaled_dot_product_attention(
            q_BHSE, k_BHSE, v_BHSE, attn_mask=layout.allowed_B1SS
        )
        tokens_ND = tokens_ND + self.out(layout.pack(mixed_BHSE.transpose(1, 2).flatten(2)))
        after_ND: Tensor = tokens_ND + self.feedforward(self.norm(tokens_ND))
        return after_ND

    def read(self, tokens_ND: Tensor, layout: Layout) -> Tensor:
        """Return the class tokens alone, [B, D], after the layer: for a last layer they suffice."""
        normed_ND = self.norm(tokens_ND)
        inner = self.query_key_value.out_features // 3
        query, key_value = self.query_key_value.weight.split([inner, 2 * inner])
        q_B1C = F.linear(normed_ND[: layout.clips], query).unsqueeze(1)
        k_BSC, v_BSC = layout.pad(F.linear(normed_ND, key_value)).chunk(2, dim=2)
        q_BH1E, k_BHSE, v_BHSE = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in (q_B1C, k_BSC, v_BSC)
        )
        mixed_BH1E = F.scaled_dot_product_attention(
            q_BH1E, k_BHSE, v_BHSE, attn_mask=layout.allowed_B1SS[:, :, :1]
        )
        class_BD = tokens_ND[: layout.clips] + self.out(mixed_BH1E.flatten(1))
        after_BD: Tensor = class_BD + self.feedforward(self.norm(class_BD))
        return after_BD


class FusionTransformer(nn.Module):
    """Encoders, token embedding and L layers of cross-modal attention."""

    def __init__(self, options: FusionOptions, dims: Dims) -> None:
        super().__init__()
        self.time = FourierTime(options.time_width, scale=options.time_scale)
        self.audio = Tokens(dims.audio, options)
        self.visual = Tokens(dims.visual, options)
        self.class_token = nn.Parameter(torch.randn(options.width))
        self.layers = nn.ModuleList(FusionLayer(options) for _ in range(options.depth))

    def forward(self, batch: Batch) -> tuple[Tensor, Layout]:
        """Return the fused tokens one after the other, [N, D], and where they lie.

        The first B of them are the class tokens.
        """
        layout = Layout.of(batch)
        audio, visual = layout.audio_places, layout.visual_places
        audio_seconds_N = batch.audio_times_BT.flatten()[audio]
        visual_seconds_N = batch.visual_times_BU.flatten()[visual]
        tokens_ND = torch.cat(
            [
                self.class_token.expand(layout.clips, -1),
                self.audio(batch.audio_BTA.flatten(0, 1)[audio], self.time(audio_seconds_N)),
                self.visual(batch.visual_BUV.flatten(0, 1)[visual], self.time(visual_seconds_N)),
            ]
        )
        for layer in self.layers:
            tokens_ND = layer(tokens_ND, layout)
        return tokens_ND, layout
