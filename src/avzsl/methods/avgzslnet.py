r"""AVGZSLNet: a joint space of audio, video and classes, from which class embeddings are decoded.

Mazumder et al., "AVGZSLNet: Audio-Visual Generalized Zero-Shot Learning by Reconstructing Label
Features from Multi-Modal Embeddings", WACV 2021 (arXiv:2005.13402), as it stands in the repository
of AVCA (ExplainableML/AVCA-GZSL), with the sizes and dropouts that all its run scripts share. For
the mean audio feature, the mean visual feature and the embedding w of the class,

.. math:: \theta_a = f_a(x_a), \quad \theta_v = f_v(x_v), \quad \theta_w = f_w(w), \quad
          \rho = D(\theta) / \|D(\theta)\|

and the loss is the sum, all weights 1, of ``triplets`` (:math:`\theta_w` and :math:`\theta_m` as
anchor of each other, the negative from the other one's space), ``reconstruction`` (the mean
Euclidean distance, not squared, of :math:`\rho_{a,v,w}` to w) and ``reconstruction_triplets``
(:math:`\rho_w` as anchor of :math:`\rho_m`). A class is scored by minus the sum of the distances of
:math:`\theta_a` and :math:`\theta_v` to :math:`\theta_w`.

The weights of the released code have these names here: ``triplet_net.embedding_net1.fc``,
``embedding_net2.fc`` and ``embedding_net3.fc`` are ``audio_encoder``, ``visual_encoder`` and
``class_encoder``, ``decoder_net.embedding_net.fc`` is ``decoder``.

Shapes: B clips, K candidate classes; W size of a class embedding, E size of the joint space.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name

from avzsl.losses.triplet import triplet
from avzsl.methods.avca_parts import (
    TRAINING,
    Count,
    HiddenNet,
    Margin,
    Share,
    distances,
    negatives_of,
)
from avzsl.methods.base import Batch, Dims, Method, MethodOptions, Training, methods
from avzsl.options import options


@options
class AvgzslnetOptions(MethodOptions):
    """Options of AVGZSLNet; the repository of AVCA has the same for all data and features."""

    training: Training = TRAINING
    """How the method is fitted."""
    embedding: Count = 64
    """Dimensions of the joint space."""
    hidden: Count = 1024
    """Hidden units of the encoders of audio and video."""
    class_hidden: Count = 300
    """Hidden units of the encoder of classes."""
    decoder_hidden: Count = 64
    """Hidden units of the decoder."""
    encoder_dropout: Share = 0.8
    """Share of hidden units zeroed in training, in the three encoders."""
    decoder_dropout: Share = 0.5
    """The same in the decoder."""
    normalise_decoded: bool = True
    """Whether what is decoded is scaled to length 1, as the class embeddings are."""
    margin: Margin = 1.0
    """Margin of all triplets, in units of the distance."""


@methods.register("avgzslnet")
class Avgzslnet(Method):
    """Three encoders to a joint space, and a decoder back to class embeddings."""

    kind: ClassVar[str] = "avgzslnet"
    paper: ClassVar[str] = "mazumder2021avgzslnet"
    summary: ClassVar[str] = "joint space of mean features and classes, decoded to class embeddings"
    Options: ClassVar[type[MethodOptions]] = AvgzslnetOptions
    needs_tokens: ClassVar[bool] = False
    needs_negatives: ClassVar[bool] = True

    def __init__(self, options: AvgzslnetOptions, dims: Dims) -> None:
        super().__init__(options, dims)
        self.margin = options.margin
        self.normalise_decoded = options.normalise_decoded
        space, dropout = options.embedding, options.encoder_dropout
        self.audio_encoder = HiddenNet(dims.audio, space, hidden=options.hidden, dropout=dropout)
        self.visual_encoder = HiddenNet(dims.visual, space, hidden=options.hidden, dropout=dropout)
        self.class_encoder = HiddenNet(
            dims.text, space, hidden=options.class_hidden, dropout=dropout
        )
        self.decoder = HiddenNet(
            space, dims.text, hidden=options.decoder_hidden, dropout=options.decoder_dropout
        )

    def forward(self, batch: Batch, classes_KW: Tensor) -> Tensor:
        """Return scores_BK, minus the sum of both distances; higher is likelier."""
        classes_KE = self.class_encoder(classes_KW)
        audio_BE = self.audio_encoder(batch.audio_mean_BA)
        visual_BE = self.visual_encoder(batch.visual_mean_BV)
        return -(distances(audio_BE, classes_KE) + distances(visual_BE, classes_KE))

    def embed(self, batch: Batch, classes_KW: Tensor) -> tuple[Tensor, Tensor]:
        """Return audio and video beside each other, and the classes twice.

        The squared distance there is the sum of the two squared distances; the score is minus the
        sum of the distances themselves.
        """
        audio_BE = self.audio_encoder(batch.audio_mean_BA)
        visual_BE = self.visual_encoder(batch.visual_mean_BV)
        classes_KE = self.class_encoder(classes_KW)
        return torch.cat([audio_BE, visual_BE], dim=1), torch.cat([classes_KE, classes_KE], dim=1)

    def losses(self, batch: Batch, classes_KW: Tensor) -> dict[str, Tensor]:
        """Return the three terms that the module's docstring names."""
        negatives = negatives_of(batch)
        words_BW = classes_KW[batch.labels_B]
        word_BE = self.class_encoder(words_BW)
        other_word_BE = self.class_encoder(classes_KW[negatives.labels_B])
        audio_BE = self.audio_encoder(batch.audio_mean_BA)
        other_audio_BE = self.audio_encoder(negatives.audio_mean_BA)
        visual_BE = self.visual_encoder(batch.visual_mean_BV)
        other_visual_BE = self.visual_encoder(negatives.visual_mean_BV)
        encoded = [
            self._triplet(word_BE, audio_BE, other_audio_BE),
            self._triplet(audio_BE, word_BE, other_word_BE),
            self._triplet(word_BE, visual_BE, other_visual_BE),
            self._triplet(visual_BE, word_BE, other_word_BE),
        ]
        # In the order of the released code, which the running statistics depend on.
        audio_BW, visual_BW, word_BW, other_audio_BW, other_visual_BW = (
            self._decode(embedded_BE)
            for embedded_BE in (audio_BE, visual_BE, word_BE, other_audio_BE, other_visual_BE)
        )
        errors = [
            torch.linalg.vector_norm(made_BW - words_BW, dim=1).mean()
            for made_BW in (word_BW, audio_BW, visual_BW)
        ]
        decoded = [
            self._triplet(word_BW, audio_BW, other_audio_BW),
            self._triplet(word_BW, visual_BW, other_visual_BW),
        ]
        return {
            "triplets": torch.stack(encoded).sum(),
            "reconstruction": torch.stack(errors).sum(),
            "reconstruction_triplets": torch.stack(decoded).sum(),
        }

    def _decode(self, embedded_BE: Tensor) -> Tensor:
        decoded_BW: Tensor = self.decoder(embedded_BE)
        return F.normalize(decoded_BW, dim=1) if self.normalise_decoded else decoded_BW

    def _triplet(self, anchor_BD: Tensor, positive_BD: Tensor, negative_BD: Tensor) -> Tensor:
        return triplet(anchor_BD, positive_BD, negative_BD, margin=self.margin)
