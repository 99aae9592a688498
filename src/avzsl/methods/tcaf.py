r"""TCaF: cross-modal attention over the audio and visual tokens of a clip, read at a class token.

Mercea et al., "Temporal and Cross-modal Attention for Audio-Visual Zero-Shot Learning", ECCV 2022
(arXiv:2207.09966). The tokens of both modalities (``temporal_tokens.py``) follow a learned class
token through L transformer layers (``blocks.FusionLayer``), in which audio attends to visual tokens
and the class token, visual to audio tokens and the class token, and the class token to everything.
The fused class token c is projected, :math:`\theta_o = P_o(c)`, and compared with the projected
class embeddings under the losses of ``joint_space.py``.

The released code (https://github.com/ExplainableML/TCAF-GZSL) departs from this in five ways, each
an option here; ``published.toml`` lists them together, under ``tcaf.released``:

- evaluation embeds the places 0, 1, 2, ... of tokens, training their seconds: ``evaluation_times``;
- times begin at zero with the first token, whichever the clip: ``times``;
- visual features are normalised along time instead of along the feature: ``visual_norm``;
- padding enters the batch statistics of the encoders: ``padding_in_statistics``;
- each step ends with a forward pass in training mode, with the places of evaluation, whose only
  effect is on the running statistics: ``bn_extra_forward``.

Its cutting of long clips to a fixed length, on ActivityNet, is a matter of the features and not of
the method. Its users report harmonic means of 28 to 30 on UCF, where the paper has 50.8.

Of its parameters, two kinds have no counterpart here, since no output depends on them: the biases
of linear layers before batch normalisation, which cancel there (a running mean that was stored
includes its bias), and the embedding of padding, which only padding reads. The others map so::

    A_enc.fc, V_enc.fc                                tokens.audio.encode, tokens.visual.encode
    audiovisual_embeddings.modal_embedding            tokens.audio.modality, tokens.visual.modality
    audiovisual_embeddings.fourier_embeddings         tokens.time.mix
    audiovisual_embeddings.fourier_randn              tokens.time.frequencies_2F
    audiovisual_embeddings.out_proj_{audio,video}     tokens.{audio,visual}.project
    cls_token                                         class_token
    Audio_visual_transformer.layers.N.attn.to_{q,k,v} layers.N.query_key_value, concatenated
    Audio_visual_transformer.layers.N.attn.to_out     layers.N.out
    Audio_visual_transformer.layers.N.ff.net          layers.N.feedforward
    Audio_visual_transformer.layers.N.norm            layers.N.norm
    O_proj.fc, W_proj.fc, D_o.fc, D_w.fc              project, joint.{classes,clip_decoder,...}

Shapes: B clips, K candidate classes, T tokens of a modality, N tokens of all clips, D width of a
token, J dimensions of the joint space.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from avzsl.methods.base import Batch, Dims, Method, MethodOptions, Training, methods
from avzsl.methods.blocks import Count, EmbNet, FusionLayer, Layout, Share
from avzsl.methods.joint_space import JointOptions, JointSpace
from avzsl.methods.temporal_tokens import TemporalTokens, TokenOptions, fusion_options
from avzsl.options import options as options_class

TRAINING = Training(
    learning_rate=7e-5,
    weight_decay=1e-5,
    batch_size=64,
    epochs=50,
    steps_per_epoch=300,
    sampling="class-balanced",
    schedule="plateau",
    patience=3,
    decay=0.1,
)
"""Of the released configuration for VGGish and C3D features of UCF."""


@options_class
class TcafOptions(TokenOptions, JointOptions):
    """Options of TCaF; sizes are those of its configuration for VGGish and C3D on UCF."""

    training: Training = TRAINING
    """How the method is fitted."""
    depth: Count = 6
    """Layers of cross-modal attention."""
    heads: Count = 8
    """Attention heads."""
    head_dim: Count = 64
    """Dimensions of a head."""
    feedforward: Count = 128
    """Hidden units of the feed-forward part of a layer."""
    dropout: Share = 0.3
    """Share of units zeroed in training, in the transformer's layers."""
    times: Literal["middle", "start"] = "middle"
    """What time a token has, in seconds. ``middle``: that of the middle of its window. ``start``:
    that since the first token of its modality (released: 0, 0.96 or 0.64, ...)."""
    evaluation_times: Literal["seconds", "index"] = "seconds"
    """What stands for time outside training: the same seconds as in training, or the place of the
    token in its sequence (released)."""
    padding_in_statistics: bool = False
    """Whether padding enters the batch statistics of the encoders (released: yes)."""
    bn_extra_forward: bool = False
    """Whether each step ends with a forward pass that only renews running statistics (released:
    yes)."""


@methods.register("tcaf")
class Tcaf(Method):
    """Tokens, layers of cross-modal attention, joint space."""

    kind: ClassVar[str] = "tcaf"
    paper: ClassVar[str] = "mercea2022tcaf"
    summary: ClassVar[str] = "cross-modal attention over time, read at a class token"
    Options: ClassVar[type[MethodOptions]] = TcafOptions

    def __init__(self, options: TcafOptions, dims: Dims) -> None:
        super().__init__(options, dims)
        self.options = options
        self.tokens = TemporalTokens(
            options, dims, padding_in_statistics=options.padding_in_statistics
        )
        self.class_token = nn.Parameter(torch.randn(options.width))
        sizes = fusion_options(options)
        self.layers = nn.ModuleList(FusionLayer(sizes) for _ in range(options.depth))
        self.project = EmbNet(
            options.width,
            options.joint_width,
            hidden=options.joint_hidden,
            dropout=options.joint_dropout,
        )
        self.joint = JointSpace(options, dims.text)

    def forward(self, batch: Batch, classes_KW: Tensor) -> Tensor:
        """Return scores_BK, minus the distances in the joint space."""
        return self.joint.scores(self._embed(batch, self.options.evaluation_times), classes_KW)

    def embed(self, batch: Batch, classes_KW: Tensor) -> tuple[Tensor, Tensor]:
        """Return clips and classes in the joint space, where the distance decides."""
        clips_BJ = self._embed(batch, self.options.evaluation_times)
        return clips_BJ, self.joint.classes(classes_KW)

    def losses(self, batch: Batch, classes_KW: Tensor) -> dict[str, Tensor]:
        """Return the cross-entropy, the alignment and the reconstruction."""
        own_BW = classes_KW[batch.labels_B]
        clips_BJ = self._embed(batch, "seconds")
        return self.joint.losses(clips_BJ, own_BW, classes_KW, batch.labels_B)

    def after_step(self, batch: Batch, classes_KW: Tensor) -> None:
        """Renew running statistics, where the option says so."""
        if self.options.bn_extra_forward:
            self._embed(batch, self.options.evaluation_times)
            self.joint.classes(classes_KW[batch.labels_B])

    def _embed(self, batch: Batch, times: Literal["seconds", "index"]) -> Tensor:
        """Return the clips in the joint space, [B, J]."""
        if times == "index":
            batch = _with_times(batch, *map(_places, (batch.audio_times_BT, batch.visual_times_BU)))
        elif self.options.times == "start":
            audio_BT, visual_BU = batch.audio_times_BT, batch.visual_times_BU
            batch = _with_times(batch, audio_BT - audio_BT[:, :1], visual_BU - visual_BU[:, :1])
        layout = Layout.of(batch)
        class_BD = self.class_token.expand(layout.clips, -1)
        tokens_ND = torch.cat([class_BD, self.tokens(batch, layout)])
        *first, last = self.layers
        for layer in first:
            tokens_ND = layer(tokens_ND, layout)
        assert isinstance(last, FusionLayer)
        clips_BJ: Tensor = self.project(last.read(tokens_ND, layout))
        return clips_BJ


def _places(times_BT: Tensor) -> Tensor:
    """Return 0, 1, 2, ... in place of times."""
    places_T = torch.arange(times_BT.shape[1], device=times_BT.device, dtype=times_BT.dtype)
    return places_T.expand_as(times_BT)


def _with_times(batch: Batch, audio_BT: Tensor, visual_BU: Tensor) -> Batch:
    return dataclasses.replace(batch, audio_times_BT=audio_BT, visual_times_BU=visual_BU)
