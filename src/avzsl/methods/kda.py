r"""KDA: audio-visual features led to the embedding of the description of their class.

Chen et al., "Boosting Audio-visual Zero-shot Learning with Large Language Models", 2023
(arXiv:2311.12268; the first version calls it Knowledge-aware Distribution Adaptation). The
knowledge is text: a class embedding t is the mean of CLIP's embeddings of the class name and of
three descriptions of it by a language model, not scaled to length 1. The method gets t from the
configured text encoder. With v and a the mean visual and audio feature of a clip,

.. math::
    \phi_v = E_v(v),\ \phi_a = E_a(a), \quad
    (\phi'_a, \phi'_v) = (\phi_a, \phi_v) + Attend(\phi_a + p_a, \phi_v + p_v), \quad
    \rho = M\, [P_v(\phi'_v); P_a(\phi'_a)],

where Attend is one pre-norm transformer layer over the two tokens, p are learned positions, and the
1024 values before M are scaled to length 1 for VGGish and C3D features. A class is chosen by the
distance between :math:`\rho` and t.

``mode`` chooses the loss:

- ``paper``: the two losses of its abstract, a knowledge-aware adaptive margin loss and an alignment
  loss: cross-entropy of :math:`\rho \cdot t_k` under the margins
  :math:`\alpha \cos(t_y, t_k) + \beta` for k other than y (``losses/margin.py``), plus
  :math:`\lambda MSE(\rho, t_y)` with :math:`\lambda` = 5.
- ``released``: :math:`\lambda MSE(\rho, t_y)` alone. The released code
  (https://github.com/chenhaoxing/KDA) computes a margin term, but does not use it.

**What could not be verified**, for want of the paper's equations and of code that runs: that the
margins are added to inner products of other classes than the true one (the unused code adds them to
softmax probabilities, with 1 subtracted on the diagonal); that alpha and beta are 1 and 0
(there, these are the first values of parameters that get no gradient); the weight of the alignment
loss beside the margin loss; that the alignment loss is a mean squared error (the first version
announces an alignment of distributions); the dropout rates and the batch-norm momentum, which its
README says are in the paper, and which are 0, 0 and 0.1 in the code.

The released code trains on ``train`` and validation together and chooses epoch, step sizes and bias
on the test set; here both modes keep to the protocol of all methods. It also takes descriptions by
their row, which on ActivityNet and VGGSound is not that of the class for 8 and 205 classes; here
they go by name.

The network is made of AVCA's parts, as in the released code, whose parameters map as below;
``av2com`` and ``t2com`` are never used there, ``clip`` is the text encoder::

    A_enc.fc, V_enc.fc                      encode_audio, encode_visual
    pos_emb1D                               positions_2D
    cross_attention.layers.0.0.norm         attention.attention_norm
    cross_attention.layers.0.0.fn.to_qkv    attention.query_key_value
    cross_attention.layers.0.0.fn.to_out    attention.out
    cross_attention.layers.0.1.norm         attention.feedforward_norm
    cross_attention.layers.0.1.fn.net       attention.feedforward
    A_proj.fc, V_proj.fc, ALE_vector        project_audio, project_visual, to_text
    margin_generator.{a,b}                  margin_{scale,offset}, where they are learned

Shapes: B clips, K candidate classes, C size of the joint feature, D width of a token, W size of a
class embedding.
"""

from __future__ import annotations

import functools
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from avzsl.losses.margin import margin_cross_entropy, similarity_margins
from avzsl.methods.avca_parts import Count, EmbNet, Share, TransformerLayer, distances
from avzsl.methods.base import Batch, Dims, Method, MethodOptions, Training, methods
from avzsl.options import options as options_class


@options_class
class KdaOptions(MethodOptions):
    """Options of KDA; the defaults are those of the released code."""

    training: Training = Training(
        learning_rate=1e-3,
        batch_size=2048,
        epochs=50,
        steps_per_epoch=50,
        sampling="class-balanced",
        schedule="plateau",
        patience=4,
        decay=0.1,
        betas=(0.5, 0.999),
    )
    """How the method is fitted."""
    classes: Literal["optimised", "original", "raw"] = "raw"
    """Which class embeddings; the published method takes CLIP's in their own lengths."""
    mode: Literal["paper", "released"] = "paper"
    """``paper``: margin loss and alignment loss. ``released``: alignment loss alone."""
    alignment_weight: Annotated[float, Field(ge=0)] = 5.0
    """Factor of the alignment loss."""
    margin_scale: float = 1.0
    """Factor of the cosine of two classes in their margin, in units of the scores."""
    margin_offset: float = 0.0
    """What is added to it."""
    learned_margin: bool = False
    """Whether the two above are only first values of parameters, as in the unused margin term of
    the released code. A larger margin never lowers the loss, so that training can but shrink it."""
    width: Count = 512
    """Dimensions of the tokens, and of each half of the joint feature."""
    audio_hidden: Count = 512
    """Hidden units of the audio encoder."""
    visual_hidden: Count = 1024
    """Hidden units of the visual encoder."""
    projection_hidden: Count = 512
    """Hidden units of the networks after attention."""
    heads: Count = 3
    """Attention heads."""
    head_dim: Count = 100
    """Dimensions of a head."""
    feedforward: Count = 64
    """Hidden units of the feed-forward part of the attention layer."""
    dropout: Share = 0.1
    """Share of units zeroed in training, in the attention layer."""
    encoder_dropout: Share = 0.0
    """Share of encoder units zeroed in training."""
    projection_dropout: Share = 0.0
    """Share of units zeroed in training in the networks after attention."""
    momentum: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Share of the newest batch in the running statistics of the second batch normalisation of each
    two-layer network."""
    normalise: bool = True
    """Whether the joint feature is scaled to length 1 (released: yes for VGGish and C3D features,
    no for SeLaVi)."""


@methods.register("kda")
class Kda(Method):
    """Two encoders, attention between their outputs, and a linear map to class embeddings."""

    kind: ClassVar[str] = "kda"
    paper: ClassVar[str] = "chen2023kda"
    summary: ClassVar[str] = "features aligned with embedded class descriptions, adaptive margin"
    Options: ClassVar[type[MethodOptions]] = KdaOptions
    needs_tokens: ClassVar[bool] = False

    def __init__(self, options: KdaOptions, dims: Dims) -> None:
        super().__init__(options, dims)
        self.options = options
        width = options.width
        net = functools.partial(EmbNet, momentum=options.momentum)
        drop = options.encoder_dropout
        self.encode_audio = net(dims.audio, width, hidden=options.audio_hidden, dropout=drop)
        self.encode_visual = net(dims.visual, width, hidden=options.visual_hidden, dropout=drop)
        self.positions_2D = nn.Parameter(torch.randn(2, width))
        self.attention = TransformerLayer(
            width,
            heads=options.heads,
            head_dim=options.head_dim,
            feedforward=options.feedforward,
            dropout=options.dropout,
        )
        hidden, drop = options.projection_hidden, options.projection_dropout
        self.project_audio = net(width, width, hidden=hidden, dropout=drop)
        self.project_visual = net(width, width, hidden=hidden, dropout=drop)
        self.to_text = nn.Linear(2 * width, dims.text, bias=False)
        nn.init.uniform_(self.to_text.weight, 0.0, 2e-4)
        self.margin_scale: float | nn.Parameter = options.margin_scale
        self.margin_offset: float | nn.Parameter = options.margin_offset
        if options.learned_margin and options.mode == "paper":
            self.margin_scale = nn.Parameter(torch.tensor(options.margin_scale))
            self.margin_offset = nn.Parameter(torch.tensor(options.margin_offset))

    def forward(self, batch: Batch, classes_KW: Tensor) -> Tensor:
        """Return scores_BK, minus the distances to the class embeddings."""
        return -distances(self._embed(batch), classes_KW)

    def embed(self, batch: Batch, classes_KW: Tensor) -> tuple[Tensor, Tensor]:
        """Return the clips in the space of the class embeddings, and these."""
        return self._embed(batch), classes_KW

    def losses(self, batch: Batch, classes_KW: Tensor) -> dict[str, Tensor]:
        """Return the alignment loss and, in mode ``paper``, the margin loss."""
        clips_BW = self._embed(batch)
        alignment = F.mse_loss(clips_BW, classes_KW[batch.labels_B])
        terms = {"alignment": self.options.alignment_weight * alignment}
        if self.options.mode == "paper":
            margins_KK = similarity_margins(
                classes_KW, scale=self.margin_scale, offset=self.margin_offset
            )
            scores_BK = clips_BW @ classes_KW.T
            terms["margin"] = margin_cross_entropy(scores_BK, batch.labels_B, margins_KK)
        return terms

    def _embed(self, batch: Batch) -> Tensor:
        """Return the clips in the space of the class embeddings, [B, W]."""
        audio_BD = self.encode_audio(batch.audio_mean_BA)
        visual_BD = self.encode_visual(batch.visual_mean_BV)
        pair_B2D = torch.stack([audio_BD, visual_BD], dim=1)
        pair_B2D = pair_B2D + self.attention(pair_B2D + self.positions_2D)
        projected = [self.project_visual(pair_B2D[:, 1]), self.project_audio(pair_B2D[:, 0])]
        joint_BC = torch.cat(projected, dim=1)
        if self.options.normalise:
            joint_BC = F.normalize(joint_BC, dim=1)
        clips_BW: Tensor = self.to_text(joint_BC)
        return clips_BW
