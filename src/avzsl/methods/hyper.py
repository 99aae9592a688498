r"""Hyper: AVCA with audio and video aligned in a space of negative curvature.

Hong et al., "Hyperbolic Audio-visual Zero-shot Learning", ICCV 2023 (arXiv:2308.12558): the loss of
AVCA (``avca.py``), plus for the clips of a batch and for the negatives beside them

.. math:: \lambda \cdot MSE(S_c(\phi_v), S_c(\phi_a)), \qquad \lambda = 10^{-3},

where :math:`\phi` are the encoded features before the attention and S holds the similarity of every
two clips of the batch under the curvature -c. Three variants:

- ``hyper-alignment``: c is a hyper-parameter;
- ``hyper-single``: every clip has its own :math:`c = s \cdot sigmoid(l([\phi_v, \phi_a]))` with a
  linear l that is learnt;
- ``hyper-multiple``: l gives several curvatures, and the loss is their mean.

``space`` says what S is (``avzsl.losses.hyperbolic``). In the released code (``released``,
JHome1/Hyper-AVZSL) it is the cosine in the tangent space at the origin. There the curvature has
no effect at all: the three variants are one and the same, AVCA with a loss on Euclidean cosines,
and the linear map gets no gradient. With ``poincare``, the default, S is computed from
distances in the Poincaré ball, and the curvature matters, as the paper intends. That
similarity is this package's choice; no published number was made with it. At the published weight
either is a small correction: on random features, less than one part in a million of the first
gradient of the visual encoder. ``alignment_weight`` gives it more.

The weights of the released code have the names of AVCA's; ``fusenet1`` is ``curvature_map``.

Shapes: B clips, C width of a token, M curvatures.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from avzsl.losses.hyperbolic import gromov_similarities, tangent_cosines
from avzsl.methods.avca import Avca, AvcaOptions, Clips
from avzsl.methods.avca_parts import Count
from avzsl.methods.base import Dims, MethodOptions, methods
from avzsl.options import options

Positive = Annotated[float, Field(gt=0)]
_SIMILARITIES = {"poincare": gromov_similarities, "released": tangent_cosines}


@options
class HyperAlignmentOptions(AvcaOptions):
    """Options of Hyper-alignment; the defaults are those for VGGish and C3D features of UCF."""

    space: Literal["poincare", "released"] = "poincare"
    """How two clips are compared; under ``released`` the curvature has no effect."""
    curvature: Positive = 0.19
    """The curvature c; of a learnt curvature, the largest value s that it can take."""
    alignment_weight: Annotated[float, Field(ge=0)] = 1e-3
    """Weight of the alignment in the loss."""


@options
class HyperSingleOptions(HyperAlignmentOptions):
    """Options of Hyper-single."""

    curvature: Positive = 0.13
    """The largest value s that the learnt curvature can take."""


@options
class HyperMultipleOptions(HyperAlignmentOptions):
    """Options of Hyper-multiple."""

    curvature: Positive = 0.43
    """The largest value s that a learnt curvature can take."""
    curvatures: Count = 2
    """How many curvatures a clip has."""


@methods.register("hyper-alignment")
class HyperAlignment(Avca):
    """AVCA with an alignment under a fixed curvature."""

    kind: ClassVar[str] = "hyper-alignment"
    paper: ClassVar[str] = "hong2023hyperbolic"
    summary: ClassVar[str] = "AVCA, with audio and video aligned under a fixed curvature"
    Options: ClassVar[type[MethodOptions]] = HyperAlignmentOptions

    def __init__(self, options: HyperAlignmentOptions, dims: Dims) -> None:
        super().__init__(options, dims)
        self.space = options.space
        self.curvature = options.curvature
        self.alignment_weight = options.alignment_weight

    def extra_terms(self, clips: Clips, others: Clips) -> dict[str, Tensor]:
        """Return the alignment of the clips and of those of other classes beside them."""
        alignment = self._alignment(clips) + self._alignment(others)
        return {"alignment": self.alignment_weight * alignment}

    def curvatures(self, clips: Clips) -> list[Tensor]:
        """Return the curvatures to align under, each a scalar or one per clip, [B, 1]."""
        return [clips.visual_phi_BC.new_tensor(self.curvature)]

    def _alignment(self, clips: Clips) -> Tensor:
        similarities = _SIMILARITIES[self.space]
        errors = [
            F.mse_loss(similarities(clips.visual_phi_BC, c), similarities(clips.audio_phi_BC, c))
            for c in self.curvatures(clips)
        ]
        return torch.stack(errors).mean()


class _LearntCurvature(HyperAlignment):
    """AVCA with an alignment under curvatures that a linear map reads off the clip."""

    def __init__(self, options: HyperAlignmentOptions, dims: Dims, *, count: int) -> None:
        super().__init__(options, dims)
        self.curvature_map = nn.Linear(2 * options.width, count)

    def curvatures(self, clips: Clips) -> list[Tensor]:
        """Return the curvatures to align under, one per clip, [B, 1]."""
        joint = torch.cat([clips.visual_phi_BC, clips.audio_phi_BC], dim=1)
        curvatures_BM = self.curvature * self.curvature_map(joint).sigmoid()
        return list(curvatures_BM.split(1, dim=1))


@methods.register("hyper-single")
class HyperSingle(_LearntCurvature):
    """AVCA with an alignment under one learnt curvature a clip."""

    kind: ClassVar[str] = "hyper-single"
    summary: ClassVar[str] = "AVCA, with audio and video aligned under a learnt curvature"
    Options: ClassVar[type[MethodOptions]] = HyperSingleOptions

    def __init__(self, options: HyperSingleOptions, dims: Dims) -> None:
        super().__init__(options, dims, count=1)


@methods.register("hyper-multiple")
class HyperMultiple(_LearntCurvature):
    """AVCA with an alignment under several learnt curvatures a clip."""

    kind: ClassVar[str] = "hyper-multiple"
    summary: ClassVar[str] = "AVCA, with audio and video aligned under several learnt curvatures"
    Options: ClassVar[type[MethodOptions]] = HyperMultipleOptions

    def __init__(self, options: HyperMultipleOptions, dims: Dims) -> None:
        super().__init__(options, dims, count=options.curvatures)
