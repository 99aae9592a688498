r"""APN: two linear maps into the space of the class embeddings, trained to classify and to regress.

Xu et al., "Attribute Prototype Network for Zero-Shot Learning", NeurIPS 2020 (arXiv:2008.08290), as
it stands in the repository of AVCA (ExplainableML/AVCA-GZSL). In the paper a local head finds each
attribute at a place of the picture and sharpens the features beneath. A mean feature of a clip has
one place and is fixed: there the local head is a second linear map beside the global one, trained
by the same loss, which never meets the one that scores. With the concatenated mean features x and
the embedding :math:`w_y` of the class, each head P adds

.. math:: CE_y(w_k \cdot P x) + MSE(P x, w_y),

and a class is scored by :math:`w_k \cdot P x` of the global head.

The released code puts a softmax before the cross-entropy, which has one of its own
(``softmax_twice``), and takes the Euclidean distance in evaluation (``score: distance``; see
``linear.py``). Its ``ALE_vector`` and ``prototype_vectors.layer4``, [W, C, 1, 1], are the weights
[W, C] of ``global_head`` and ``local_head`` here, with the columns of the visual feature moved
behind those of the audio feature.

Shapes: B clips, K candidate classes; C size of the concatenated feature, W of a class embedding.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from avzsl.methods.avca_parts import TRAINING
from avzsl.methods.base import Batch, Dims, Method, MethodOptions, Training, methods
from avzsl.methods.linear import Score, comparable, compare, concatenated
from avzsl.options import options

_INITIAL = 2e-4
"""Largest weight that a head begins with."""


@options
class ApnOptions(MethodOptions):
    """Options of APN."""

    training: Training = TRAINING
    """How the method is fitted."""
    normalise: bool = True
    """Whether the concatenated feature is scaled to length 1 (Mercea et al.: yes for VGGish and
    C3D features, no for SeLaVi)."""
    softmax_twice: bool = False
    """Whether the cross-entropy is given probabilities for logits, as in the released code."""
    score: Score = "product"
    """How a clip is compared with a class in evaluation; training takes the product."""


@methods.register("apn")
class Apn(Method):
    """A global and a local linear map; the global one scores."""

    kind: ClassVar[str] = "apn"
    paper: ClassVar[str] = "xu2020apn"
    summary: ClassVar[str] = "linear maps of mean features, cross-entropy and regression"
    Options: ClassVar[type[MethodOptions]] = ApnOptions
    needs_tokens: ClassVar[bool] = False

    def __init__(self, options: ApnOptions, dims: Dims) -> None:
        super().__init__(options, dims)
        self.options = options
        self.global_head = nn.Linear(dims.audio + dims.visual, dims.text, bias=False)
        self.local_head = nn.Linear(dims.audio + dims.visual, dims.text, bias=False)
        for head in (self.global_head, self.local_head):
            nn.init.uniform_(head.weight, 0.0, _INITIAL)

    def forward(self, batch: Batch, classes_KW: Tensor) -> Tensor:
        """Return scores_BK of the global head; a higher score is a likelier class."""
        features_BC = concatenated(batch, normalise=self.options.normalise)
        return compare(self.global_head(features_BC), classes_KW, self.options.score)

    def embed(self, batch: Batch, classes_KW: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the global head makes of the clips, and the class embeddings."""
        clips_BW = self.global_head(concatenated(batch, normalise=self.options.normalise))
        return comparable(clips_BW, self.options.score), classes_KW

    def losses(self, batch: Batch, classes_KW: Tensor) -> dict[str, Tensor]:
        """Return the cross-entropy and the regression of both heads."""
        features_BC = concatenated(batch, normalise=self.options.normalise)
        global_BW, local_BW = self.global_head(features_BC), self.local_head(features_BC)
        words_BW = classes_KW[batch.labels_B]
        return {
            "classification": self._classification(global_BW, batch.labels_B, classes_KW),
            "regression": F.mse_loss(global_BW, words_BW),
            "local_classification": self._classification(local_BW, batch.labels_B, classes_KW),
            "local_regression": F.mse_loss(local_BW, words_BW),
        }

    def _classification(self, clips_BW: Tensor, labels_B: Tensor, classes_KW: Tensor) -> Tensor:
        logits_BK = clips_BW @ classes_KW.T
        if self.options.softmax_twice:
            logits_BK = logits_BK.softmax(dim=1)
        return F.cross_entropy(logits_BK, labels_B)
