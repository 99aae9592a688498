"""DeViSE: score a class by the inner product of its embedding and the projected clip.

Frome et al., "DeViSE: A Deep Visual-Semantic Embedding Model", NeurIPS 2013. The mean audio and the
mean visual feature are concatenated, as in the baselines of Mercea et al., CVPR 2022
(arXiv:2203.03598), whose margin, dropout and step size are the defaults.

Shapes: B clips, K candidate classes; A, V, W sizes of an audio feature, a visual feature and a
class embedding.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from avzsl.losses.ranking import hinge_ranking
from avzsl.methods.base import Batch, Dims, Method, MethodOptions, Training, methods
from avzsl.options import options


@options
class DeviseOptions(MethodOptions):
    """Options of DeViSE."""

    training: Training = Training(learning_rate=1e-3)
    """How the method is fitted. The code of Mercea et al. draws 500 class-balanced batches of 256
    clips an epoch."""
    margin: Annotated[float, Field(ge=0)] = 0.1
    """Lead that the true class must keep, in units of the scores."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Share of the input features zeroed in training."""
    normalise: bool = True
    """Whether the concatenated feature is scaled to length 1 (Mercea et al.: yes for VGGish and
    C3D features, no for SeLaVi)."""


@methods.register("devise")
class Devise(Method):
    """One linear map from audio-visual features into the space of the class embeddings."""

    kind: ClassVar[str] = "devise"
    paper: ClassVar[str] = "frome2013devise"
    summary: ClassVar[str] = "linear map of mean features, hinge ranking loss"
    Options: ClassVar[type[MethodOptions]] = DeviseOptions

    def __init__(self, options: DeviseOptions, dims: Dims) -> None:
        super().__init__(options, dims)
        self.margin = options.margin
        self.normalise = options.normalise
        self.dropout = nn.Dropout(options.dropout)
        self.project = nn.Linear(dims.audio + dims.visual, dims.text, bias=False)

    def forward(self, batch: Batch, classes_KW: Tensor) -> Tensor:
        """Return scores_BK; a higher score is a likelier class."""
        means_BC = torch.cat([batch.audio_mean_BA, batch.visual_mean_BV], dim=1)
        if self.normalise:
            means_BC = F.normalize(means_BC, dim=1)
        clips_BW: Tensor = self.project(self.dropout(means_BC))
        return clips_BW @ classes_KW.T

    def losses(self, batch: Batch, classes_KW: Tensor) -> dict[str, Tensor]:
        """Return the hinge loss over all wrong classes."""
        scores_BK = self(batch, classes_KW)
        return {"ranking": hinge_ranking(scores_BK, batch.labels_B, margin=self.margin)}
