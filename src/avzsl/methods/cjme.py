r"""CJME: a joint space of audio, video and classes, and a gate that picks one modality a clip.

Parida et al., "Coordinated Joint Multimodal Embeddings for Generalized Audio-Visual Zero-shot
Classification and Retrieval of Videos", WACV 2020 (arXiv:1910.08732), as it stands in the
repository of AVCA (ExplainableML/AVCA-GZSL). For the mean audio feature, the mean visual feature
and the embedding w of the class,

.. math:: \theta_a = f_a(x_a), \quad \theta_v = f_v(x_v), \quad \theta_w = f_w(w), \quad
          g = sigmoid(u \cdot BN([x_a, x_v]) + b),

where g is the weight of video. The loss is the sum, all weights 1, of

- ``triplets``: the mean over the clips of :math:`(1 - g) t_a + g t_v`, where t is the loss of the
  triplet of :math:`\theta_w` as anchor of one modality;
- ``agreement``: the mean squared error between :math:`\theta_a` and :math:`\theta_v`;
- ``gate``: the mean squared error of g to a target, which is 1 where video is the surer modality, 0
  where audio is, 0.5 where neither is by more than ``entropy_margin``. A modality is the surer one
  whose softmax over the inner products with all training classes has the smaller entropy.

A class is scored by minus the distance of :math:`\theta_v` to :math:`\theta_w` where g is at least
0.5, else of :math:`\theta_a`.

In the released code (``weighing: means``) a column of gates meets a row of losses, so that the
first term is :math:`\overline{(1 - g)} \, \overline{t_a} + \bar g \, \overline{t_v}`, and there
the gate is blind to the clip.

The weights of the released code have these names here: ``triplet_net.embedding_net1.fc``,
``embedding_net2.fc`` and ``embedding_net3.fc`` are ``audio_encoder``, ``visual_encoder`` and
``class_encoder``, ``attention_model`` is ``gate``.

Shapes: B clips, K candidate classes; E size of the joint space.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from avzsl.losses.triplet import triplets
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
class CjmeOptions(MethodOptions):
    """Options of CJME; the defaults are those for VGGish and C3D features of UCF."""

    training: Training = TRAINING
    """How the method is fitted."""
    embedding: Count = 64
    """Dimensions of the joint space."""
    hidden: Count = 1024
    """Hidden units of the encoders of audio and video."""
    class_hidden: Count = 300
    """Hidden units of the encoder of classes."""
    dropout: Share = 0.2
    """Share of hidden units zeroed in training (0 on VGGSound)."""
    margin: Margin = 1.0
    """Margin of the triplets, in units of the distance."""
    entropy_margin: Annotated[float, Field(ge=0)] = 0.1
    """By how many nats the entropies must differ for one modality to be the surer one."""
    weighing: Literal["clips", "means"] = "clips"
    """Whether the gate of a clip weighs the triplets of that clip, or the mean gate the mean
    triplets, as in the released code."""


@methods.register("cjme")
class Cjme(Method):
    """Three encoders to a joint space, and a gate between audio and video."""

    kind: ClassVar[str] = "cjme"
    paper: ClassVar[str] = "parida2020cjme"
    summary: ClassVar[str] = "joint space of mean features and classes, one modality a clip"
    Options: ClassVar[type[MethodOptions]] = CjmeOptions
    needs_tokens: ClassVar[bool] = False
    needs_negatives: ClassVar[bool] = True

    def __init__(self, options: CjmeOptions, dims: Dims) -> None:
        super().__init__(options, dims)
        self.options = options

        def encoder(dim_in: int, hidden: int) -> HiddenNet:
            return HiddenNet(
                dim_in, options.embedding, hidden=hidden, dropout=options.dropout, final_relu=True
            )

        self.audio_encoder = encoder(dims.audio, options.hidden)
        self.visual_encoder = encoder(dims.visual, options.hidden)
        self.class_encoder = encoder(dims.text, options.class_hidden)
        both = dims.audio + dims.visual
        self.gate = nn.Sequential(nn.BatchNorm1d(both), nn.Linear(both, 1), nn.Sigmoid())

    def forward(self, batch: Batch, classes_KW: Tensor) -> Tensor:
        """Return scores_BK, minus the distance of the chosen modality; higher is likelier."""
        classes_KE = self.class_encoder(classes_KW)
        audio_BK = distances(self.audio_encoder(batch.audio_mean_BA), classes_KE)
        visual_BK = distances(self.visual_encoder(batch.visual_mean_BV), classes_KE)
        return -torch.where(self._gate(batch)[:, None] >= 0.5, visual_BK, audio_BK)

    def embed(self, batch: Batch, classes_KW: Tensor) -> tuple[Tensor, Tensor]:
        """Return the chosen modality of each clip, and the classes, in the joint space."""
        clips_BE = torch.where(
            self._gate(batch)[:, None] >= 0.5,
            self.visual_encoder(batch.visual_mean_BV),
            self.audio_encoder(batch.audio_mean_BA),
        )
        return clips_BE, self.class_encoder(classes_KW)

    def losses(self, batch: Batch, classes_KW: Tensor) -> dict[str, Tensor]:
        """Return the three terms that the module's docstring names."""
        negatives = negatives_of(batch)
        margin = self.options.margin
        word_BE = self.class_encoder(classes_KW[batch.labels_B])
        audio_BE = self.audio_encoder(batch.audio_mean_BA)
        other_audio_BE = self.audio_encoder(negatives.audio_mean_BA)
        visual_BE = self.visual_encoder(batch.visual_mean_BV)
        other_visual_BE = self.visual_encoder(negatives.visual_mean_BV)
        audio_B = triplets(word_BE, audio_BE, other_audio_BE, margin=margin)
        visual_B = triplets(word_BE, visual_BE, other_visual_BE, margin=margin)
        gate_B = self._gate(batch)
        if self.options.weighing == "means":
            weighed = (1 - gate_B).mean() * audio_B.mean() + gate_B.mean() * visual_B.mean()
        else:
            weighed = ((1 - gate_B) * audio_B + gate_B * visual_B).mean()
        with torch.no_grad():
            # Not used, but part of the running statistics, as in the released code.
            self.class_encoder(classes_KW[negatives.labels_B])
            target_B = self._gate_target(audio_BE, visual_BE, self.class_encoder(classes_KW))
        return {
            "triplets": weighed,
            "agreement": F.mse_loss(audio_BE, visual_BE),
            "gate": F.mse_loss(gate_B, target_B),
        }

    def _gate(self, batch: Batch) -> Tensor:
        """Return the weight of video for every clip, [B], in (0, 1)."""
        gate_B1: Tensor = self.gate(torch.cat([batch.audio_mean_BA, batch.visual_mean_BV], dim=1))
        return gate_B1[:, 0]

    def _gate_target(self, audio_BE: Tensor, visual_BE: Tensor, classes_KE: Tensor) -> Tensor:
        """Return what the gate should be for every clip, [B]: 1, 0 or 0.5."""
        surer_B = _entropy(audio_BE @ classes_KE.T) - _entropy(visual_BE @ classes_KE.T)
        target_B = 0.5 + 0.5 * surer_B.sign()
        return torch.where(surer_B.abs() <= self.options.entropy_margin, 0.5, target_B)


def _entropy(logits_BK: Tensor) -> Tensor:
    """Return the entropy of each row's softmax, [B], in nats."""
    logs_BK = logits_BK.log_softmax(dim=1)
    return -(logs_BK.exp() * logs_BK).sum(dim=1)
