r"""ClipClap: features and class embeddings of CLIP and CLAP, joined by small networks.

Kurzendoerfer et al., "Audio-Visual Generalized Zero-Shot Learning using Pre-Trained Large
Multi-Modal Models", CVPR Workshops 2024 (arXiv:2404.06309). With v and a the mean visual and audio
feature of a clip and w the embedding of a class,

.. math:: o = E_o([v; a]), \quad e = E_w(w), \quad \theta_o = P_o(o), \quad \theta_w = P(e),

under TCaF's losses (``joint_space.py``), in which e takes the place of the class embedding: the
reconstructions are compared with e, not with w, so that E_w learns from them as well.

The paper takes v from CLIP ViT-B/32, a from the CLAP of WavCaps, and for w the embeddings of the
class by both text encoders side by side, [CLIP; CLAP]. Which of them are used is a matter of the
configured encoders; nothing here depends on their sizes.

The released code (https://github.com/dkurzend/ClipClap-GZSL) trains by a copy of TCaF's loop, whose
additional forward pass after each step is ``bn_extra_forward``. Its biases of linear layers before
batch normalisation have no counterpart here, since they cancel there (a running mean that was
stored includes its bias). The rest maps so::

    O_enc.fc, W_enc.fc, O_proj.fc     encode_clip, encode_class, project
    W_proj.fc, D_o.fc, D_w.fc         joint.classes, joint.clip_decoder, joint.class_decoder

Shapes: B clips, K candidate classes, J dimensions of the joint space, W size of a class embedding.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

import torch
from torch import Tensor

from avzsl.methods.base import Batch, Dims, Method, MethodOptions, Training, methods
from avzsl.methods.blocks import Count, EmbNet, Share
from avzsl.methods.joint_space import JointOptions, JointSpace
from avzsl.methods.tcaf import TRAINING
from avzsl.options import options as options_class


@options_class
class ClipclapOptions(JointOptions):
    """Options of ClipClap; the defaults are those of its configuration for UCF."""

    training: Training = dataclasses.replace(TRAINING, epochs=20)
    """How the method is fitted."""
    modality: Literal["both", "audio", "visual"] = "both"
    """Which features are used; the paper's ablations use one."""
    encoder_width: Count = 512
    """Dimensions that the encoders of clips and classes map to."""
    encoder_dropout: Share = 0.1
    """Share of their units zeroed in training."""
    bn_extra_forward: bool = False
    """Whether each step ends with a forward pass that only renews running statistics (released:
    yes)."""


@methods.register("clipclap")
class Clipclap(Method):
    """One-layer encoders of clip and class, then the joint space."""

    kind: ClassVar[str] = "clipclap"
    paper: ClassVar[str] = "kurzendorfer2024clipclap"
    summary: ClassVar[str] = "mean features and class embeddings of large models, joined"
    Options: ClassVar[type[MethodOptions]] = ClipclapOptions
    needs_tokens: ClassVar[bool] = False

    def __init__(self, options: ClipclapOptions, dims: Dims) -> None:
        super().__init__(options, dims)
        self.modality = options.modality
        self.bn_extra_forward = options.bn_extra_forward
        sizes = {"both": dims.visual + dims.audio, "audio": dims.audio, "visual": dims.visual}
        width, drop = options.encoder_width, options.encoder_dropout
        self.encode_clip = EmbNet(sizes[options.modality], width, hidden=None, dropout=drop)
        self.encode_class = EmbNet(dims.text, width, hidden=None, dropout=drop)
        self.project = EmbNet(
            width, options.joint_width, hidden=options.joint_hidden, dropout=options.joint_dropout
        )
        self.joint = JointSpace(options, width)

    def forward(self, batch: Batch, classes_KW: Tensor) -> Tensor:
        """Return scores_BK, minus the distances in the joint space."""
        return self.joint.scores(self._embed(batch), self.encode_class(classes_KW))

    def embed(self, batch: Batch, classes_KW: Tensor) -> tuple[Tensor, Tensor]:
        """Return clips and classes in the joint space, where the distance decides."""
        return self._embed(batch), self.joint.classes(self.encode_class(classes_KW))

    def losses(self, batch: Batch, classes_KW: Tensor) -> dict[str, Tensor]:
        """Return the cross-entropy, the alignment and the reconstruction."""
        clips_BJ = self._embed(batch)
        own_BW = self.encode_class(classes_KW[batch.labels_B])
        return self.joint.losses(clips_BJ, own_BW, self.encode_class(classes_KW), batch.labels_B)

    def after_step(self, batch: Batch, classes_KW: Tensor) -> None:
        """Renew running statistics, where the option says so."""
        if self.bn_extra_forward:
            self._embed(batch)
            self.joint.classes(self.encode_class(classes_KW[batch.labels_B]))

    def _embed(self, batch: Batch) -> Tensor:
        """Return the clips in the joint space, [B, J]."""
        means = {"visual": batch.visual_mean_BV, "audio": batch.audio_mean_BA}
        used = [mean for name, mean in means.items() if self.modality in ("both", name)]
        clips_BJ: Tensor = self.project(self.encode_clip(torch.cat(used, dim=1)))
        return clips_BJ
