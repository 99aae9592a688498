"""The contract of a method, and the registry of all methods.

A method is one file that registers one ``nn.Module``. It knows no files, devices, optimisers or
command lines, and draws random numbers from torch alone: a resumed training restores no others.

Shapes: B clips, K candidate classes; T audio and U visual tokens (padded); A, V, W sizes of an
audio feature, a visual feature and a class embedding.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from avzsl.options import options
from avzsl.registry import Registry

methods: Registry[type[Method]] = Registry("method", package="avzsl.methods", group="avzsl.methods")
"""All methods by the name that ``config.yaml`` uses."""


@options
class TokenLimits:
    """The most tokens of a clip that are looked at."""

    audio: Annotated[int, Field(ge=1)] | None = None
    """Of its sound; null means all."""
    visual: Annotated[int, Field(ge=1)] | None = None
    """Of its pictures; null means all."""


@options
class Training:
    """How a method is fitted; the defaults of each method are those of its paper."""

    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    """Step size of Adam."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """L2 penalty of Adam."""
    batch_size: Annotated[int, Field(ge=2)] = 64
    """Clips in a step."""
    epochs: Annotated[int, Field(ge=1)] = 50
    """Epochs of stage 1; stage 2 runs up to the epoch that stage 1 chose."""
    steps_per_epoch: Annotated[int, Field(ge=1)] | None = None
    """Steps that make an epoch; null means one pass over the training clips."""
    sampling: Literal["uniform", "class-balanced"] = "uniform"
    """``uniform``: each clip once a pass, shuffled. ``class-balanced``: a class, then a clip of it,
    both uniform with replacement (the sampler of AVCA and all code derived from it)."""
    schedule: Literal["constant", "plateau"] = "constant"
    """``plateau``: the step size falls when the harmonic mean on validation has not risen for
    ``patience`` epochs. Stage 2, which has no validation, repeats the step sizes of stage 1."""
    patience: Annotated[int, Field(ge=0)] = 3
    """Epochs without a better harmonic mean before the step size falls."""
    decay: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """What the step size is multiplied by then."""
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (
        0.9,
        0.999,
    )
    """Decay rates of Adam's running means."""
    tokens: TokenLimits = TokenLimits()
    """A clip with more tokens is cut, in training, to a stretch that is drawn anew each time; its
    sound to the same part. TCaF does so on ActivityNet."""
    evaluation_tokens: TokenLimits = TokenLimits()
    """The same in evaluation, where the middle of the clip is kept."""


@options
class MethodOptions:
    """Options that every method has."""

    classes: Literal["optimised", "original", "raw"] = "original"
    """Which class embeddings: after optimisation (``optimised``), as the text encoder gave them but
    of length 1 (``original``), or in their own lengths (``raw``)."""
    training: Training = Training()
    """How the method is fitted."""


@dataclass(frozen=True, kw_only=True)
class Dims:
    """Sizes of what a method is fed."""

    audio: int
    """A, length of one audio feature."""
    visual: int
    """V, length of one visual feature."""
    text: int
    """W, length of one class embedding."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Clips as padded sequences of audio and visual tokens."""

    audio_BTA: Tensor
    """Audio features, zero where padded."""
    audio_mask_BT: Tensor
    """True where a token is real."""
    audio_times_BT: Tensor
    """Middle of each audio window, in seconds; zero where padded."""
    visual_BUV: Tensor
    """Visual features, zero where padded."""
    visual_mask_BU: Tensor
    """True where a token is real."""
    visual_times_BU: Tensor
    """Middle of each visual window, in seconds; zero where padded."""
    labels_B: Tensor
    """Row of the true class in the class embeddings that come with the batch, int64."""
    negatives: Batch | None = None
    """In training, for a method with ``needs_negatives``: as many clips, each of another class than
    the clip in its place; class and clip are drawn uniformly."""

    @property
    def audio_mean_BA(self) -> Tensor:
        """Mean over the real audio tokens."""
        return _masked_mean(self.audio_BTA, self.audio_mask_BT)

    @property
    def visual_mean_BV(self) -> Tensor:
        """Mean over the real visual tokens."""
        return _masked_mean(self.visual_BUV, self.visual_mask_BU)


def _masked_mean(tokens_BTD: Tensor, mask_BT: Tensor) -> Tensor:
    weights_BT1 = mask_BT.unsqueeze(-1).to(tokens_BTD.dtype)
    return (tokens_BTD * weights_BT1).sum(1) / weights_BT1.sum(1).clamp(min=1)


class Method(nn.Module, ABC):
    """Scores clips against class embeddings."""

    kind: ClassVar[str]
    """The registered name."""
    revision: ClassVar[int] = 1
    """Raised by hand whenever the code changes what comes out; part of the run's id."""
    paper: ClassVar[str]
    """Key in ``references.bib``."""
    summary: ClassVar[str]
    """One line."""
    Options: ClassVar[type[MethodOptions]]
    needs_tokens: ClassVar[bool] = True
    """Whether it looks at single tokens. One that takes only ``audio_mean_BA`` and
    ``visual_mean_BV`` says False, and gets batches with one token a clip: the mean."""
    needs_negatives: ClassVar[bool] = False
    """Whether a training batch comes with clips of other classes (``Batch.negatives``)."""

    @abstractmethod
    def __init__(self, options: Any, dims: Dims) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, batch: Batch, classes_KW: Tensor) -> Tensor:
        """Return scores_BK; a higher score is a likelier class. Labels are not looked at."""

    @abstractmethod
    def losses(self, batch: Batch, classes_KW: Tensor) -> dict[str, Tensor]:
        """Return the named scalar terms that the training loop adds up and differentiates."""

    def embed(self, batch: Batch, classes_KW: Tensor) -> tuple[Tensor, Tensor | None] | None:
        """Return clips_BD, and classes_KD in the same space, as they are compared; for figures.

        The classes are None where only clips are embedded; everything is None where there is no
        such space, as here. Labels are not looked at.
        """
        return None

    def after_step(self, batch: Batch, classes_KW: Tensor) -> None:
        """Do what a method does once its parameters have moved; called without gradients."""
