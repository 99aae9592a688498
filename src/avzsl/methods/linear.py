"""The linear compatibility that DeViSE, SJE and ALE share; they differ in the ranking loss alone.

The mean audio and the mean visual feature x are concatenated and mapped by a matrix P into the
space of the class embeddings w, as in the baselines of Mercea et al., CVPR 2022 (arXiv:2203.03598;
code: ExplainableML/AVCA-GZSL). Training compares by the inner product (P x) . w. In evaluation the
released code takes the Euclidean distance instead (``score: distance``): for class embeddings of
length 1 that ranks the classes alike, but the calibration bias then acts on another scale.

The released matrix ``bilinear.weight`` is ``project.weight`` here, with the columns of the visual
feature moved behind those of the audio feature.

Shapes: B clips, K candidate classes; C size of the concatenated feature, W of a class embedding.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from avzsl.losses.ranking import Violations, hinge_ranking
from avzsl.methods.avca_parts import Margin, Share, distances
from avzsl.methods.base import Batch, Dims, Method, MethodOptions, Training
from avzsl.options import options as options_class

Score = Literal["product", "distance"]


@options_class
class LinearOptions(MethodOptions):
    """Options of the linear methods."""

    training: Training = Training(learning_rate=1e-3)
    """How the method is fitted. The code of Mercea et al. draws 500 class-balanced batches of 256
    clips an epoch."""
    margin: Margin = 0.1
    """Lead that the true class must keep, in units of the scores."""
    dropout: Share = 0.2
    """Share of the input features zeroed in training."""
    class_dropout: Share = 0.0
    """Share of the entries of the class embeddings zeroed in training."""
    normalise: bool = True
    """Whether the concatenated feature is scaled to length 1 (Mercea et al.: yes for VGGish and
    C3D features, no for SeLaVi)."""
    score: Score = "product"
    """How a clip is compared with a class in evaluation; training takes the product."""


class LinearMethod(Method):
    """One linear map from audio-visual features into the space of the class embeddings."""

    Options: ClassVar[type[MethodOptions]] = LinearOptions
    needs_tokens: ClassVar[bool] = False
    violations: ClassVar[Violations]
    """How the loss counts the wrong classes that come too near."""

    def __init__(self, options: LinearOptions, dims: Dims) -> None:
        super().__init__(options, dims)
        self.margin = options.margin
        self.normalise = options.normalise
        self.score = options.score
        self.dropout = nn.Dropout(options.dropout)
        self.class_dropout = nn.Dropout(options.class_dropout)
        self.project = nn.Linear(dims.audio + dims.visual, dims.text, bias=False)

    def forward(self, batch: Batch, classes_KW: Tensor) -> Tensor:
        """Return scores_BK; a higher score is a likelier class."""
        return compare(self._project(batch), classes_KW, self.score)

    def embed(self, batch: Batch, classes_KW: Tensor) -> tuple[Tensor, Tensor]:
        """Return the clips in the space of the class embeddings, and these."""
        return comparable(self._project(batch), self.score), classes_KW

    def losses(self, batch: Batch, classes_KW: Tensor) -> dict[str, Tensor]:
        """Return the ranking loss."""
        scores_BK = self._project(batch) @ self.class_dropout(classes_KW).T
        loss = hinge_ranking(
            scores_BK, batch.labels_B, margin=self.margin, violations=self.violations
        )
        return {"ranking": loss}

    def _project(self, batch: Batch) -> Tensor:
        clips_BW: Tensor = self.project(self.dropout(concatenated(batch, normalise=self.normalise)))
        return clips_BW


def concatenated(batch: Batch, *, normalise: bool) -> Tensor:
    """Return the mean audio and the mean visual feature of each clip, [B, C]."""
    means_BC = torch.cat([batch.audio_mean_BA, batch.visual_mean_BV], dim=1)
    return F.normalize(means_BC, dim=1) if normalise else means_BC


def compare(clips_BW: Tensor, classes_KW: Tensor, score: Score) -> Tensor:
    """Return scores_BK: the inner products, or minus the Euclidean distances."""
    if score == "distance":
        return -distances(clips_BW, classes_KW)
    return clips_BW @ classes_KW.T


def comparable(clips_BW: Tensor, score: Score) -> Tensor:
    """Return the clips as they stand beside the class embeddings.

    The length of a clip has no say in which product is the highest, but would put it far from all
    classes: then it is 1.
    """
    return clips_BW if score == "distance" else F.normalize(clips_BW, dim=1)
