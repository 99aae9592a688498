r"""Perceiver, adapted: a few learned latents gather what they need from all tokens of a clip.

After Jaegle et al., "Perceiver: General Perception with Iterative Attention", ICML 2021
(arXiv:2103.03206). TCaF (Mercea et al., ECCV 2022) reports it as a baseline for zero-shot learning,
but neither its code nor the details were released: **what follows is an adaptation of this
package**, and its numbers are not those of the published rows. TCaF's tokens, with their embeddings
of modality and time, its joint space, losses and training are kept. Between them, in each block,
the latents z attend to the tokens x of the clip, and then to each other:

.. math::
    z \leftarrow z + Attend(z, x), \quad z \leftarrow z + F(z), \quad
    z \leftarrow z + Attend(z, z), \quad z \leftarrow z + F'(z),

all pre-norm; the mean of the latents is projected into the joint space. The blocks share no
weights. Nothing but its embedded time tells where a token lies, so that their order is of no
consequence.

Shapes: B clips, K candidate classes, S tokens of a padded sequence, L latents, D width of a token
or latent, H heads of E dimensions each, J dimensions of the joint space.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from avzsl.methods.base import Batch, Dims, Method, MethodOptions, Training, methods
from avzsl.methods.blocks import Count, EmbNet, Layout, Share
from avzsl.methods.joint_space import JointOptions, JointSpace
from avzsl.methods.tcaf import TRAINING
from avzsl.methods.temporal_tokens import TemporalTokens, TokenOptions
from avzsl.options import options as options_class


@options_class
class PerceiverOptions(TokenOptions, JointOptions):
    """Options of the Perceiver; what it has in common with TCaF is as there."""

    training: Training = TRAINING
    """How the method is fitted."""
    latents: Count = 32
    """Learned latent vectors, each as wide as a token."""
    blocks: Count = 4
    """Times that the latents attend to the tokens and then to each other."""
    heads: Count = 8
    """Attention heads."""
    head_dim: Count = 64
    """Dimensions of a head."""
    feedforward: Count = 128
    """Hidden units of the feed-forward networks."""
    dropout: Share = 0.3
    """Share of units zeroed in training, in attention and feed-forward networks."""


@methods.register("perceiver")
class Perceiver(Method):
    """Tokens, latents that attend to them, joint space."""

    kind: ClassVar[str] = "perceiver"
    paper: ClassVar[str] = "jaegle2021perceiver"
    summary: ClassVar[str] = "adapted: learned latents attend to the tokens of both modalities"
    Options: ClassVar[type[MethodOptions]] = PerceiverOptions

    def __init__(self, options: PerceiverOptions, dims: Dims) -> None:
        super().__init__(options, dims)
        self.tokens = TemporalTokens(options, dims)
        self.latents_LD = nn.Parameter(0.02 * torch.randn(options.latents, options.width))
        self.blocks = nn.ModuleList(
            part for _ in range(options.blocks) for part in (Block(options), Block(options))
        )
        self.project = EmbNet(
            options.width,
            options.joint_width,
            hidden=options.joint_hidden,
            dropout=options.joint_dropout,
        )
        self.joint = JointSpace(options, dims.text)

    def forward(self, batch: Batch, classes_KW: Tensor) -> Tensor:
        """Return scores_BK, minus the distances in the joint space."""
        return self.joint.scores(self._embed(batch), classes_KW)

    def embed(self, batch: Batch, classes_KW: Tensor) -> tuple[Tensor, Tensor]:
        """Return clips and classes in the joint space, where the distance decides."""
        return self._embed(batch), self.joint.classes(classes_KW)

    def losses(self, batch: Batch, classes_KW: Tensor) -> dict[str, Tensor]:
        """Return the cross-entropy, the alignment and the reconstruction."""
        own_BW = classes_KW[batch.labels_B]
        return self.joint.losses(self._embed(batch), own_BW, classes_KW, batch.labels_B)

    def _embed(self, batch: Batch) -> Tensor:
        """Return the clips in the joint space, [B, J]."""
        layout = Layout.of(batch)
        tokens_MD = self.tokens(batch, layout)
        # The layout begins with class tokens, of which there are none here.
        none_BD = tokens_MD.new_zeros(layout.clips, tokens_MD.shape[1])
        tokens_BSD = layout.pad(torch.cat([none_BD, tokens_MD]))[:, 1:]
        real_BS = layout.real_BS[:, 1:]
        latents_BLD = self.latents_LD.expand(layout.clips, -1, -1)
        for across, within in zip(self.blocks[::2], self.blocks[1::2], strict=True):
            latents_BLD = across(latents_BLD, tokens_BSD, real_BS)
            latents_BLD = within(latents_BLD, latents_BLD, None)
        clips_BJ: Tensor = self.project(latents_BLD.mean(1))
        return clips_BJ


class Block(nn.Module):
    """Attention of latents to something, then a feed-forward network; both pre-norm."""

    def __init__(self, options: PerceiverOptions) -> None:
        super().__init__()
        inner, width = options.heads * options.head_dim, options.width
        self.heads = options.heads
        self.norm = nn.LayerNorm(width)
        self.norm_source = nn.LayerNorm(width)
        self.query = nn.Linear(width, inner, bias=False)
        self.key_value = nn.Linear(width, 2 * inner, bias=False)
        self.out = nn.Sequential(nn.Linear(inner, width), nn.Dropout(options.dropout))
        self.feedforward = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, options.feedforward),
            nn.GELU(),
            nn.Dropout(options.dropout),
            nn.Linear(options.feedforward, width),
            nn.Dropout(options.dropout),
        )

    def forward(self, latents_BLD: Tensor, source_BSD: Tensor, real_BS: Tensor | None) -> Tensor:
        """Return the latents after one block.

        Args:
            latents_BLD: The latents.
            source_BSD: What they attend to.
            real_BS: True where the source is no padding; None where there is none.
        """
        q_BHLE = self._split(self.query(self.norm(latents_BLD)))
        key_BSC, value_BSC = self.key_value(self.norm_source(source_BSD)).chunk(2, dim=2)
        mixed_BHLE = F.scaled_dot_product_attention(
            q_BHLE,
            self._split(key_BSC),
            self._split(value_BSC),
            attn_mask=None if real_BS is None else real_BS[:, None, None, :],
        )
        latents_BLD = latents_BLD + self.out(mixed_BHLE.transpose(1, 2).flatten(2))
        after_BLD: Tensor = latents_BLD + self.feedforward(latents_BLD)
        return after_BLD

    def _split(self, rows_BSC: Tensor) -> Tensor:
        """Return the heads apart, [B, H, S, E]."""
        return rows_BSC.unflatten(2, (self.heads, -1)).transpose(1, 2)
