r"""AVCA: cross-modal attention between one audio and one visual token, and a space of classes.

Mercea et al., "Audio-visual Generalised Zero-shot Learning with Cross-modal Attention and
Language", CVPR 2022 (arXiv:2203.03598), as in the code released with it (ExplainableML/AVCA-GZSL).
For the mean audio and visual feature of a clip and the embedding w of its class,

.. math::
    \phi_m &= E_m(x_m), \qquad
    \phi'_m = \phi_m + T([\phi_a + p_a, \phi_v + p_v])_m, \qquad m \in \{a, v\} \\
    \theta_m &= P_m(\phi'_m), \quad \theta_w = P_w(w), \quad \rho = D(\theta), \quad
    \hat\phi_m = R_m(\theta_m)

with a transformer T of one layer. The loss is the sum, all weights 1, of

- ``triplets``: :math:`\theta_w` and :math:`\theta_m` as anchor of each other, the negative from
  the other one's space; ``more_triplets``: the negative from the anchor's own space;
- ``reconstruction``: mean squared errors :math:`\rho_{a,v,w}` to w; ``reconstruction_triplets``:
  :math:`\rho_w` as anchor of :math:`\rho_m`;
- ``regularisation``: mean squared errors :math:`\hat\phi_m` to :math:`\phi_m` and
  :math:`\theta_m` to :math:`\theta_w`.

A class is scored by minus the distance of :math:`\theta_v` to :math:`\theta_w`: audio counts
through the attention alone.

What the released code does besides, each under an option:

- ``positions: fixed``: p is random and never trained, since the optimiser does not get it.
- ``bn_extra_forward``: after every step the batch goes forward once more in training mode, for
  batch statistics only. With ``bn_momentum`` 0.99, which is the weight of the *newest* batch,
  evaluation normalises by the statistics of that pass.
- ``bn_reprojection``: :math:`\hat\phi_v` too goes through :math:`P_v` in every step, for no loss,
  so that a share of the statistics that evaluation uses is of reconstructed features.

The weights of the released code have these names here: ``A_enc.fc`` and ``V_enc.fc`` are
``audio_encoder`` and ``visual_encoder``; ``A_proj.fc``, ``V_proj.fc`` and ``W_proj.fc`` are
``audio_projection``, ``visual_projection`` and ``class_projection``; ``D.fc`` is ``decoder``;
``A_rec.fc`` and ``V_rec.fc`` are ``audio_reconstruction`` and ``visual_reconstruction``; of
``cross_attention.layers.i``, which is ``attention.i``, ``0.norm``, ``0.fn.to_qkv``,
``0.fn.to_out``, ``1.norm`` and ``1.fn.net`` are ``attention_norm``, ``query_key_value``, ``out``,
``feedforward_norm`` and ``feedforward``; ``pos_emb1D`` is ``positions_2C``.

Shapes: B clips, K candidate classes; W size of a class embedding, C width of a token, E size of the
joint space.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from avzsl.losses.triplet import triplet
from avzsl.methods.avca_parts import (
    TRAINING,
    Count,
    EmbNet,
    Margin,
    Share,
    TransformerLayer,
    distances,
    negatives_of,
)
from avzsl.methods.base import Batch, Dims, Method, MethodOptions, Training, methods
from avzsl.options import options


@options
class AvcaOptions(MethodOptions):
    """Options of AVCA; the defaults are those for VGGish and C3D features of UCF."""

    training: Training = replace(TRAINING, weight_decay=1e-5)
    """How the method is fitted."""
    width: Count = 300
    """Dimensions of a token."""
    embedding: Count = 64
    """Dimensions of the joint space of clips and classes."""
    encoder_hidden: Count | None = 512
    """Hidden units of the encoders before the attention; null for one layer."""
    projection_hidden: Count | None = 512
    """Hidden units of the projections of audio and video after it; null for one layer."""
    depth: Count = 1
    """Layers of the transformer."""
    heads: Count = 3
    """Attention heads."""
    head_dim: Count = 100
    """Dimensions of a head."""
    feedforward: Count = 64
    """Hidden units of the feed-forward part of a layer."""
    encoder_dropout: Share = 0.2
    """Share of units zeroed in training, in the encoders and in the transformer."""
    projection_dropout: Share = 0.3
    """The same in the projections of audio and video."""
    class_dropout: Share = 0.5
    """The same in the projection of classes, the decoder and the reconstructions."""
    margin: Margin = 1.0
    """Margin of all triplets, in units of the distance."""
    bn_momentum: Annotated[float, Field(gt=0, le=1)] = 0.99
    """Weight of the newest batch in the running statistics of the second batch normalisation of
    encoders and projections (0.1 for SeLaVi features of UCF and VGGSound)."""
    positions: Literal["fixed", "learned"] = "fixed"
    """Whether what is added to tell the audio from the visual token stays random, as published."""
    bn_extra_forward: bool = True
    """Whether a second pass after each step refreshes the batch statistics, as published."""
    bn_reprojection: bool = False
    """Whether batch statistics take in reconstructed features, as in the released code."""


@dataclass(frozen=True, kw_only=True)
class Clips:
    """A batch on its way through the network."""

    audio_phi_BC: Tensor
    """Encoded audio, before the attention."""
    visual_phi_BC: Tensor
    """Encoded video, before the attention."""
    audio_BE: Tensor
    """Audio in the joint space."""
    visual_BE: Tensor
    """Video in the joint space."""


@methods.register("avca")
class Avca(Method):
    """Encoders, one transformer layer over two tokens, and projections to a joint space."""

    kind: ClassVar[str] = "avca"
    paper: ClassVar[str] = "mercea2022avca"
    summary: ClassVar[str] = "cross-modal attention of mean features, triplets and reconstruction"
    Options: ClassVar[type[MethodOptions]] = AvcaOptions
    needs_negatives: ClassVar[bool] = True
    needs_tokens: ClassVar[bool] = False
    positions_2C: Tensor

    def __init__(self, options: AvcaOptions, dims: Dims) -> None:
        super().__init__(options, dims)
        self.options = options
        width, space = options.width, options.embedding
        encoder = partial(
            EmbNet,
            hidden=options.encoder_hidden,
            dropout=options.encoder_dropout,
            momentum=options.bn_momentum,
        )
        projection = partial(
            EmbNet,
            hidden=options.projection_hidden,
            dropout=options.projection_dropout,
            momentum=options.bn_momentum,
        )
        self.audio_encoder = encoder(dims.audio, width)
        self.visual_encoder = encoder(dims.visual, width)
        layers = [
            TransformerLayer(
                width,
                heads=options.heads,
                head_dim=options.head_dim,
                feedforward=options.feedforward,
                dropout=options.encoder_dropout,
            )
            for _ in range(options.depth)
        ]
        self.attention = nn.Sequential(*layers)
        self.audio_projection = projection(width, space)
        self.visual_projection = projection(width, space)
        self.class_projection = EmbNet(dims.text, space, dropout=options.class_dropout)
        self.decoder = EmbNet(space, dims.text, dropout=options.class_dropout)
        self.audio_reconstruction = EmbNet(space, width, dropout=options.class_dropout)
        self.visual_reconstruction = EmbNet(space, width, dropout=options.class_dropout)
        positions_2C = torch.randn(2, width)
        if options.positions == "learned":
            self.positions_2C = nn.Parameter(positions_2C)
        else:
            self.register_buffer("positions_2C", positions_2C)

    def forward(self, batch: Batch, classes_KW: Tensor) -> Tensor:
        """Return scores_BK, minus the distance of the visual branch; higher is likelier."""
        visual_BE = self._embed(batch).visual_BE
        return -distances(visual_BE, self.class_projection(classes_KW))

    def embed(self, batch: Batch, classes_KW: Tensor) -> tuple[Tensor, Tensor]:
        """Return the visual branch, which is what is scored, and the classes in the joint space."""
        return self._embed(batch).visual_BE, self.class_projection(classes_KW)

    def losses(self, batch: Batch, classes_KW: Tensor) -> dict[str, Tensor]:
        """Return the five terms that the module's docstring names, and those of a subclass."""
        negatives = negatives_of(batch)
        clips, others = self._embed(batch), self._embed(negatives)
        words_BW = classes_KW[batch.labels_B]
        word_BE = self.class_projection(words_BW)
        other_word_BE = self.class_projection(classes_KW[negatives.labels_B])
        return {
            **self._joint_space(clips, others, word_BE, other_word_BE),
            **self._decoded(clips, others, word_BE, words_BW),
            "regularisation": self._regularisation(clips, word_BE),
            **self.extra_terms(clips, others),
        }

    def extra_terms(self, clips: Clips, others: Clips) -> dict[str, Tensor]:
        """Return further terms of the loss: none here.

        Args:
            clips: The clips of the batch.
            others: The clips of other classes beside them.
        """
        return {}

    def after_step(self, batch: Batch, classes_KW: Tensor) -> None:
        """Refresh the batch statistics that evaluation reads."""
        if self.options.bn_extra_forward:
            self._embed(batch)
            self.class_projection(classes_KW[batch.labels_B])

    def _embed(self, batch: Batch) -> Clips:
        audio_BC = self.audio_encoder(batch.audio_mean_BA)
        visual_BC = self.visual_encoder(batch.visual_mean_BV)
        tokens_B2C = torch.stack([audio_BC, visual_BC], dim=1)
        # The layers add their input as it is, and it is added once more here.
        tokens_B2C = tokens_B2C + self.attention(tokens_B2C + self.positions_2C)
        return Clips(
            audio_phi_BC=audio_BC,
            visual_phi_BC=visual_BC,
            audio_BE=self.audio_projection(tokens_B2C[:, 0]),
            visual_BE=self.visual_projection(tokens_B2C[:, 1]),
        )

    def _joint_space(
        self, clips: Clips, others: Clips, word_BE: Tensor, other_word_BE: Tensor
    ) -> dict[str, Tensor]:
        base, more = [], []
        for clip_BE, other_BE in (
            (clips.audio_BE, others.audio_BE),
            (clips.visual_BE, others.visual_BE),
        ):
            base += [self._triplet(word_BE, clip_BE, other_BE)]
            base += [self._triplet(clip_BE, word_BE, other_word_BE)]
            more += [self._triplet(clip_BE, word_BE, other_BE)]
            more += [self._triplet(word_BE, clip_BE, other_word_BE)]
        return {"triplets": torch.stack(base).sum(), "more_triplets": torch.stack(more).sum()}

    def _decoded(
        self, clips: Clips, others: Clips, word_BE: Tensor, words_BW: Tensor
    ) -> dict[str, Tensor]:
        word_BW = self.decoder(word_BE)
        audio_BW, other_audio_BW = self.decoder(clips.audio_BE), self.decoder(others.audio_BE)
        visual_BW, other_visual_BW = self.decoder(clips.visual_BE), self.decoder(others.visual_BE)
        errors = [F.mse_loss(made_BW, words_BW) for made_BW in (visual_BW, audio_BW, word_BW)]
        ordered = [
            self._triplet(word_BW, visual_BW, other_visual_BW),
            self._triplet(word_BW, audio_BW, other_audio_BW),
        ]
        return {
            "reconstruction": torch.stack(errors).sum(),
            "reconstruction_triplets": torch.stack(ordered).sum(),
        }

    def _regularisation(self, clips: Clips, word_BE: Tensor) -> Tensor:
        audio_BC = self.audio_reconstruction(clips.audio_BE)
        visual_BC = self.visual_reconstruction(clips.visual_BE)
        if self.options.bn_reprojection and self.training:
            with torch.no_grad():
                self.visual_projection(visual_BC)
        errors = [
            F.mse_loss(visual_BC, clips.visual_phi_BC),
            F.mse_loss(audio_BC, clips.audio_phi_BC),
            F.mse_loss(clips.visual_BE, word_BE),
            F.mse_loss(clips.audio_BE, word_BE),
        ]
        return torch.stack(errors).sum()

    def _triplet(self, anchor_BD: Tensor, positive_BD: Tensor, negative_BD: Tensor) -> Tensor:
        return triplet(anchor_BD, positive_BD, negative_BD, margin=self.options.margin)
