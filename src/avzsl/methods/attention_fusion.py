r"""Attention Fusion, adapted: one network per modality, and attention that weighs their outputs.

After Fayek & Kumar, "Large Scale Audiovisual Learning of Sounds with Weakly Labeled Data", IJCAI
2020 (arXiv:2006.01595), who train an audio and a visual model and combine their outputs by
attention. TCaF (Mercea et al., ECCV 2022) reports it as a baseline for zero-shot learning, but
neither its code nor the details were released: **what follows is an adaptation of this package**,
and its numbers are not those of the published rows. TCaF's tokens, joint space, losses and training
are kept; the transformer is replaced by

.. math::
    \theta_m = P_m(mean_t\, x_{m,t}), \quad
    \alpha = softmax_m(A [\theta_a; \theta_v] + b), \quad
    \theta_o = \alpha_a \odot \theta_a + \alpha_v \odot \theta_v,

with a weight for each modality and each dimension of the joint space.

Shapes: B clips, K candidate classes, S tokens of a sequence, D width of a token, J dimensions of
the joint space.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from avzsl.methods.base import Batch, Dims, Method, MethodOptions, Training, methods
from avzsl.methods.blocks import EmbNet, Layout
from avzsl.methods.joint_space import JointOptions, JointSpace
from avzsl.methods.tcaf import TRAINING
from avzsl.methods.temporal_tokens import TemporalTokens, TokenOptions
from avzsl.options import options as options_class


@options_class
class AttentionFusionOptions(TokenOptions, JointOptions):
    """Options of Attention Fusion; sizes and training are TCaF's."""

    training: Training = TRAINING
    """How the method is fitted."""


@methods.register("attention-fusion")
class AttentionFusion(Method):
    """Tokens, a network per modality, attention over the two outputs, joint space."""

    kind: ClassVar[str] = "attention-fusion"
    paper: ClassVar[str] = "fayek2020audiovisual"
    summary: ClassVar[str] = "adapted: attention weighs the outputs of an audio and a visual model"
    Options: ClassVar[type[MethodOptions]] = AttentionFusionOptions

    def __init__(self, options: AttentionFusionOptions, dims: Dims) -> None:
        super().__init__(options, dims)
        self.tokens = TemporalTokens(options, dims)
        self.project = nn.ModuleDict(
            {
                name: EmbNet(
                    options.width,
                    options.joint_width,
                    hidden=options.joint_hidden,
                    dropout=options.joint_dropout,
                )
                for name in ("audio", "visual")
            }
        )
        self.attend = nn.Linear(2 * options.joint_width, 2 * options.joint_width)
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

    def outputs_and_weights(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return what each modality says, and how much it counts.

        Returns:
            [B, 2, J] outputs of the audio and the visual network, and as many weights that add up
            to 1 over the two.
        """
        layout = Layout.of(batch)
        tokens_MD = self.tokens(batch, layout)
        audio_MD, visual_MD = tokens_MD.tensor_split([len(layout.audio_places)])
        outputs_B2J = torch.stack(
            [
                self.project["audio"](_mean(audio_MD, batch.audio_mask_BT)),
                self.project["visual"](_mean(visual_MD, batch.visual_mask_BU)),
            ],
            dim=1,
        )
        logits_B2J = self.attend(outputs_B2J.flatten(1)).view_as(outputs_B2J)
        return outputs_B2J, logits_B2J.softmax(1)

    def _embed(self, batch: Batch) -> Tensor:
        """Return the clips in the joint space, [B, J]."""
        outputs_B2J, weights_B2J = self.outputs_and_weights(batch)
        return (outputs_B2J * weights_B2J).sum(1)


def _mean(tokens_MD: Tensor, mask_BS: Tensor) -> Tensor:
    """Return the mean [B, D] over the tokens of each clip, which lie one after the other."""
    clip_M = mask_BS.nonzero()[:, 0]
    sums_BD = tokens_MD.new_zeros(len(mask_BS), tokens_MD.shape[1]).index_add(0, clip_M, tokens_MD)
    return sums_BD / mask_BS.sum(1, keepdim=True).clamp(min=1)
