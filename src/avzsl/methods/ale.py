"""ALE: the linear compatibility of DeViSE, with the hinges weighed by the rank of the true class.

Akata et al., "Label-Embedding for Image Classification", TPAMI 2016 (arXiv:1503.08677), as it
stands in the repository of AVCA (ExplainableML/AVCA-GZSL), whose values for VGGish and C3D features
of UCF are the defaults; ``linear.py`` says what it does differently.
"""

from __future__ import annotations

from typing import ClassVar

from avzsl.losses.ranking import Violations
from avzsl.methods.avca_parts import TRAINING, Share
from avzsl.methods.base import MethodOptions, Training, methods
from avzsl.methods.linear import LinearMethod, LinearOptions
from avzsl.options import options


@options
class AleOptions(LinearOptions):
    """Options of ALE."""

    training: Training = TRAINING
    """How the method is fitted."""
    class_dropout: Share = 0.2
    """Share of the entries of the class embeddings zeroed in training."""


@methods.register("ale")
class Ale(LinearMethod):
    """One linear map, and hinges weighed by rank."""

    kind: ClassVar[str] = "ale"
    paper: ClassVar[str] = "akata2016ale"
    summary: ClassVar[str] = "linear map of mean features, hinges weighed by rank"
    Options: ClassVar[type[MethodOptions]] = AleOptions
    violations: ClassVar[Violations] = "ranked"
