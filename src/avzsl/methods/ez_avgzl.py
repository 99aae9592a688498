"""EZ-AVGZL: align fused audio-visual tokens with optimised class embeddings, and nothing else.

Mo & Morgado, "Audio-visual Generalized Zero-shot Learning the Easy Way", ECCV 2024
(arXiv:2407.13095), Eq. 5. The fusion is TCaF's (``blocks.py``), the similarity one of four
(``similarity.py``), the class embeddings come from class-embedding optimisation
(``avzsl.classes.optimise``). No code was released; docs/methods.md says what the paper leaves open.

Shapes: B clips, K candidate classes, N tokens, D width of a token, W size of a class embedding.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from avzsl.losses.contrastive import contrastive_alignment
from avzsl.methods.base import Batch, Dims, Method, MethodOptions, Training, methods
from avzsl.methods.blocks import Count, FusionOptions, FusionTransformer
from avzsl.methods.similarity import (
    Cosine,
    CrossAttention,
    Linear,
    Mlp,
    Readout,
    Similarity,
)
from avzsl.options import options


@options
class EzAvgzlOptions(FusionOptions):
    """Options of EZ-AVGZL; the defaults are the paper's where it gives any."""

    classes: Literal["optimised", "original"] = "optimised"
    """Which class embeddings; ``original`` is the paper's ablation without optimising (Table 4)."""
    training: Training = Training(learning_rate=1e-4, weight_decay=1e-5, batch_size=64, epochs=50)
    """How the method is fitted."""
    final_norm: bool = True
    """Whether the fused tokens are normalised before the similarity. TCaF's transformer has no
    such layer, but batch normalisation follows there."""
    similarity: Literal["cross-attention", "cosine", "linear", "mlp"] = "cross-attention"
    """How a clip is compared with a class (Table 6)."""
    readout: Readout = "attended"
    """Of ``cross-attention``: how what a class gathered becomes a score."""
    similarity_hidden: Count = 512
    """Of ``mlp``: hidden units."""
    candidates: Literal["classes", "samples", "all"] = "classes"
    """What the softmax of Eq. 5 runs over: the distinct classes of the batch, the samples of the
    batch (literal: further clips of the true class count as wrong), or all seen classes."""
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """Divides the scores in training and afterwards; the paper has none, that is 1."""


@methods.register("ez-avgzl")
class EzAvgzl(Method):
    """Fusion transformer and similarity, trained by one contrastive loss."""

    kind: ClassVar[str] = "ez-avgzl"
    paper: ClassVar[str] = "mo2024ezavgzl"
    summary: ClassVar[str] = "fused audio-visual tokens aligned with optimised class embeddings"
    Options: ClassVar[type[MethodOptions]] = EzAvgzlOptions

    def __init__(self, options: EzAvgzlOptions, dims: Dims) -> None:
        super().__init__(options, dims)
        self.candidates = options.candidates
        self.temperature = options.temperature
        self.fusion = FusionTransformer(options, dims)
        self.norm = nn.LayerNorm(options.width) if options.final_norm else nn.Identity()
        self.similarity = _make_similarity(options, dims.text)

    def forward(self, batch: Batch, classes_KW: Tensor) -> Tensor:
        """Return scores_BK; a higher score is a likelier class."""
        tokens_ND, layout = self.fusion(batch)
        tokens_ND = self.norm(tokens_ND)
        scores_BK: Tensor = self.similarity(tokens_ND, layout, classes_KW) / self.temperature
        return scores_BK

    def embed(self, batch: Batch, classes_KW: Tensor) -> tuple[Tensor, None]:
        """Return the fused class tokens; a class has no place among them: it asks all tokens."""
        tokens_ND, layout = self.fusion(batch)
        clips_BD: Tensor = self.norm(tokens_ND[: layout.clips])
        return clips_BD, None

    def losses(self, batch: Batch, classes_KW: Tensor) -> dict[str, Tensor]:
        """Return the alignment loss of Eq. 5."""
        scores_BK = self(batch, classes_KW)
        loss = contrastive_alignment(scores_BK, batch.labels_B, candidates=self.candidates)
        return {"alignment": loss}


def _make_similarity(options: EzAvgzlOptions, class_dim: int) -> Similarity:
    makers: dict[str, Any] = {
        "cosine": lambda: Cosine(options.width, class_dim),
        "linear": lambda: Linear(options.width, class_dim),
        "mlp": lambda: Mlp(options.width, class_dim, hidden=options.similarity_hidden),
        "cross-attention": lambda: CrossAttention(
            options.width,
            class_dim,
            heads=options.heads,
            head_dim=options.head_dim,
            readout=options.readout,
        ),
    }
    made: Similarity = makers[options.similarity]()
    return made
